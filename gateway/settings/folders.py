"""Where this user's programs keep what is of use only while they run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

NAME = "keyturn"


def run_folders(environ: Mapping[str, str], home: Path, windows: bool = False) -> tuple[Path, ...]:
    """The folders for it, the best first. A service and a login may differ in their environment, so look in all.

    The XDG base directory specification 0.8 (freedesktop.org) has XDG_RUNTIME_DIR and XDG_STATE_HOME, and says that
    relative ones do not count. macOS has neither variable; Windows has LOCALAPPDATA.
    """
    if windows:
        written = [environ.get("LOCALAPPDATA", ""), str(home / "AppData" / "Local")]
    else:
        written = [environ.get("XDG_RUNTIME_DIR", ""), environ.get("XDG_STATE_HOME", ""), str(home / ".local/state")]
    folders = [Path(text) / NAME for text in written if text]
    return tuple(dict.fromkeys(folder for folder in folders if folder.is_absolute()))
