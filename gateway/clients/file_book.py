"""Made tokens in the state file, beside what the gateway keeps there."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from gateway.clients.book import BookAway, Change
from gateway.clients.table import Table, grants_of, plain
from gateway.state.state_file import StateFile

MEMBER = "tokens"


class FileBook:
    """See Book. The file is read again only when it is another one."""

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self._seen: tuple[int, int, int] | None = None

    async def read(self, known: int | None = None) -> Table | None:
        seen = self._stamp()
        if known is not None and seen == self._seen:
            return None
        table = _table(await asyncio.to_thread(self._read))
        self._seen = seen
        return None if table.version == known else table

    async def change(self, change: Change, least: int = 0) -> Table:
        return await asyncio.to_thread(self._change, change, least)

    def _change(self, change: Change, least: int) -> Table:
        try:
            with self._file.lock():
                state = self._read()
                there = _table(state)
                wanted = change(there.grants)
                if wanted == there.grants:
                    return there
                table = Table(max(there.version, least) + 1, wanted)
                self._file.replace({**state, MEMBER: _plain(table)})
        except OSError as error:
            raise BookAway(f"{self._file.path} cannot be written: {error.strerror}") from error
        return table

    def _read(self) -> dict[str, Any]:
        state = self._file.read()
        if self._file.problem:
            raise BookAway(self._file.problem)
        return state

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._file.path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns


def _plain(table: Table) -> dict[str, Any]:
    return {"version": table.version, "by_digest": {key: plain(grant) for key, grant in table.grants.items()}}


def _table(state: dict[str, Any]) -> Table:
    match state.get(MEMBER):
        case {"version": int(version), "by_digest": dict(kept)}:
            return Table(version, grants_of(kept.items()))
    return Table()
