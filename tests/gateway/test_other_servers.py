"""``uvicorn server:app``, as earlier systems are started: it prints no banner, so the log says what that would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.gateway_process import ROOT


def imported(folder: Path, env_file: str) -> subprocess.CompletedProcess[str]:
    """What happens when a server asks for the application."""
    (folder / ".env").write_text(env_file, encoding="utf-8")
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "import server; server.app"]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_its_log_has_what_a_banner_would_say(tmp_path: Path) -> None:
    done = imported(tmp_path, "BIG_MODEL_PROVIDER=openai\nBIG_MODEL_API_KEY=k-1\nMODLE=x\n")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    told = [line["note"] for line in lines if line["event"] == "configuration of an earlier system"]
    assert told[0].startswith("this is read as a configuration of chachako/freecc")
    [warning] = [line["warning"] for line in lines if line["event"] == "configuration warning"]
    assert warning == "MODLE (from ./.env, line 3): nobody reads this variable. Did you mean MODEL?"


def test_what_is_wrong_is_said_without_a_traceback(tmp_path: Path) -> None:
    done = imported(tmp_path, "BIG_MODEL_PROVIDER=acme\nBIG_MODEL_NAME=x\n")
    assert done.returncode == 1
    assert done.stderr.startswith("Keyturn cannot start: BIG_MODEL_PROVIDER (from ./.env, line 1): 'acme' is not")
    assert "Traceback" not in done.stderr
