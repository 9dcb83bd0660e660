"""The file that the log is copied to: JSON lines, rotated by size, added to and never cut short."""

from __future__ import annotations

import io
import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from typing import Any

from gateway.settings.model import LogFile
from providers.errors import ConfigError, Problem

OWNER_ONLY = 0o600


class LogFileHandler(RotatingFileHandler):
    """Only its owner reads the file. One that cannot be written any more is told once; the gateway serves on."""

    def __init__(self, file: LogFile) -> None:
        """Raises ConfigError where the file cannot be opened."""
        self._told = False
        try:
            super().__init__(file.path, maxBytes=file.size, backupCount=file.kept, encoding="utf-8")
        except OSError as error:
            raise ConfigError([_unwritable(file, error)]) from error
        self.setLevel(file.level)

    def _open(self) -> io.TextIOWrapper[Any]:
        opened = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, OWNER_ONLY)
        return io.TextIOWrapper(open(opened, "ab"), encoding=self.encoding, errors=self.errors)

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            if not self._told:
                self._told = True
                sys.stderr.write(f"LOG_FILE: {self.baseFilename} cannot be written any more: {error.strerror}.\n")
        else:
            super().handleError(record)


def _unwritable(file: LogFile, error: OSError) -> Problem:
    return Problem(
        "LOG_FILE",
        f"{file.path} cannot be written: {error.strerror or error}",
        "Correct its rights, write another path, or leave LOG_FILE blank: the log is on stderr too.",
    )
