"""Files that hold secrets and that every user of the machine may read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from gateway.settings.report import Report


def warn_of_open_files(files: Iterable[tuple[Path, str]], report: Report) -> None:
    """``files`` with their names in messages. Windows has no such rights."""
    if os.name != "posix":
        return
    for path, name in files:
        try:
            mode = os.stat(path).st_mode
        except OSError:
            continue
        if mode & stat.S_IROTH and not _shielded(path):
            report.warn(name, f"it holds secrets, and every user of this machine may read it. Run: chmod 600 {name}")


def _shielded(path: Path) -> bool:
    """A folder above lets nobody else in."""
    return any(not folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)
