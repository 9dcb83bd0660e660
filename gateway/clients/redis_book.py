"""Made tokens in Redis: one hash, by digest. Of a token nothing else is there."""

from __future__ import annotations

import json
from typing import Any

from gateway.clients.book import BookAway, Change
from gateway.clients.table import Grants, Table, grants_of, plain
from gateway.state import redis_text
from gateway.state.line import Job, Line
from gateway.state.reasons import StoreAway
from gateway.state.redis_text import Names
from gateway.state.scripts import CLIENTS

KEPT = 400 * 86400  # seconds after the last gateway was there
RENEWED = 10_000  # readings, after which they are kept for so long again
PATIENCE = 2.0  # seconds, where a person waits
TRIES = 20  # of a change, while others make theirs


class RedisBook:
    """See Book."""

    def __init__(self, line: Line, names: Names) -> None:
        self._line = line
        self._keys = (f"{names.prefix}{{clients}}:tokens",)
        self._readings = 0

    async def read(self, known: int | None = None) -> Table | None:
        renews = self._readings % RENEWED == 0
        self._readings += 1
        version, *found = await self._run(known, str(KEPT) if renews else "", None if known is not None else PATIENCE)
        return _table(version, found[0]) if found else None

    async def change(self, change: Change, least: int = 0) -> Table:
        for _ in range(TRIES):
            there = await self.read() or Table()
            wanted = change(there.grants)
            words = [word for pair in _differences(there.grants, wanted) for word in pair]
            if not words:
                return there
            version, *others = await self._run(there.version, str(KEPT), PATIENCE, str(least), *words)
            if not others:
                return Table(version, wanted)
        raise BookAway("others change the tokens all the time")

    async def _run(
        self, known: int | None, kept: str, deadline: float | None, least: str = "0", *words: str
    ) -> tuple[int, *tuple[Any, ...]]:
        job = Job(CLIENTS, self._keys, [str(-1 if known is None else known), kept, least, *words])
        try:
            version, *found = await self._line.run(job, deadline)
        except StoreAway as error:
            raise BookAway(f"Redis is away ({error.reason.replace('_', ' ')})") from error
        return int(version), *found


def _table(version: int, flat: list[bytes]) -> Table:
    fields = ((field, text) for field, text in redis_text.pairs(flat) if field != "version")
    return Table(version, grants_of((field, _json(text)) for field, text in fields))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _differences(before: Grants, after: Grants) -> list[tuple[str, str]]:
    gone = [(key, "") for key in before if key not in after]
    return gone + [(key, json.dumps(plain(grant))) for key, grant in after.items() if before.get(key) != grant]
