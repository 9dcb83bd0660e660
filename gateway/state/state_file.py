"""KEYTURN_STATE_FILE: what outlasts a restart, as JSON that only its owner reads. For one process; no key is in it."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from gateway.state.file_lock import locked

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
            self.problem = ""
            return {}
        except OSError as error:
            self.problem = f"{self._path} cannot be read: {error.strerror}"
            return {}
        except ValueError:
            found = None
        if isinstance(found, dict) and found.get("version") == VERSION:
            self.problem = ""
            return found
        self.problem = f"{self._path} holds no state of this version of Keyturn; it is begun anew"
        return {}

    def write(self, state: dict[str, Any]) -> None:
        """These members, whole or not at all; the others stay. Nothing where nothing changed."""
        text = json.dumps(state, sort_keys=True)
        if text == self._written:
            return
        try:
            with self.lock():
                there = self.read()
                if self.problem:  # somebody may still want what it holds
                    os.replace(self._path, f"{self._path}.unreadable")
                self.replace({**there, **state})
        except OSError as error:
            self.problem = f"{self._path} cannot be written: {error.strerror}"
        else:
            self._written, self.problem = text, ""

    @property
    def path(self) -> Path:
        return self._path

    def lock(self) -> AbstractContextManager[None]:
        """Whoever reads and then writes holds it: the gateway, and ``keyturn token``. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return locked(self._path.with_name(f".{self._path.name}.lock"))

    def replace(self, state: dict[str, Any]) -> None:
        """All of it. Raises OSError."""
        self._replace(json.dumps({**state, "version": VERSION}, sort_keys=True))

    def _replace(self, text: str) -> None:
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
