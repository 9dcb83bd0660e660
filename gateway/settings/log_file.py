"""The file that the log is copied to."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.settings.layers import Layers, resolve
from gateway.settings.report import Report


def find_log_file(layers: Layers, cwd: Path, home: Path, report: Report) -> Path | None:
    """Where LOG_FILE is, None where there is none. One that cannot be written is reported; nothing is made."""
    value = layers.find("LOG_FILE")
    if value is None or not value.text.strip():
        return None
    path = resolve(value.text.strip(), cwd, home)
    if path.is_dir():
        value.reject(report, f"{path} is a folder", "Write the path of a file in it.")
    elif not path.parent.is_dir():
        value.reject(report, f"there is no folder {path.parent}", "Make it, or write another path.")
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        value.reject(report, f"{path} cannot be written", "Correct its rights, or write another path.")
    return path
