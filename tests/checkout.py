"""A checkout as it is after make run, without what takes time: claude-pick, and the programs of its .venv."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from gateway.cli.completion import PROGRAMS
from tests.gateway_process import ROOT


def made_in(folder: Path) -> Path:
    """Its root, below ``folder``; its programs need PYTHONPATH=ROOT."""
    place = folder / "keyturn"
    programs = place / ".venv" / "bin"
    programs.mkdir(parents=True)
    shutil.copy(ROOT / "claude-pick", place)
    for name, function in zip(PROGRAMS, ("main", "pick_main"), strict=True):
        lines = [f"#!{sys.executable}", f"from gateway.cli import {function}", f"raise SystemExit({function}())"]
        (programs / name).write_text("\n".join(lines))
        (programs / name).chmod(0o755)
    return place
