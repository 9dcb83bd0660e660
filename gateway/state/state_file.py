"""KEYTURN_STATE_FILE: what outlasts a restart, as JSON that only its owner reads. For one process; no key is in it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

VERSION = 1


class StateFile:
    """``problem`` is what the last reading or writing met, "" where all was well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = ""
        self.problem = ""

    def read(self) -> dict[str, Any]:
        """Empty where there is nothing that can be read."""
        try:
            found = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            self.problem = f"{self._path} cannot be read: {error.strerror}"
            return {}
        except ValueError:
            found = None
        if isinstance(found, dict) and found.get("version") == VERSION:
            return found
        self.problem = f"{self._path} holds no state of this version of Keyturn; it is begun anew"
        return {}

    def write(self, state: dict[str, Any]) -> None:
        """Whole or not at all; nothing where nothing changed."""
        text = json.dumps({"version": VERSION, **state}, sort_keys=True)
        if text == self._written:
            return
        try:
            self._replace(text)
        except OSError as error:
            self.problem = f"{self._path} cannot be written: {error.strerror}"
        else:
            self._written, self.problem = text, ""

    def _replace(self, text: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(
            "w", encoding="utf-8", dir=self._path.parent, prefix=f".{self._path.name}.", delete=False
        ) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                file.close()
                os.replace(file.name, self._path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(file.name)
                raise
