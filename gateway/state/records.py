"""Stories of requests, kept where every process finds them. While the server is away they are lost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from gateway.state.line import Job, Line
from gateway.state.reasons import StoreAway
from gateway.state.redis_text import Names
from gateway.state.scripts import RECALL, REMEMBER

KEPT = 1000  # of all processes together
SECONDS = 3600


class Records:
    """By the ids of requests; the last one of those that share one."""

    def __init__(self, line: Line, names: Names) -> None:
        self._line = line
        self._keys = (f"{names.prefix}{{stories}}:ids", f"{names.prefix}{{stories}}:texts")

    async def keep(self, stories: Sequence[tuple[str, str]]) -> None:
        """Ids and texts, the oldest first."""
        args = [word for pair in stories for word in pair]
        with suppress(StoreAway):
            await self._line.run(Job(REMEMBER, self._keys, [str(KEPT), str(SECONDS), *args]))

    async def find(self, request_id: str) -> str | None:
        with suppress(StoreAway):
            found: bytes | None = await self._line.run(Job(RECALL, self._keys, [request_id]))
            return found.decode() if found else None
        return None
