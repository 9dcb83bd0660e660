"""What became of the last requests to models, and what is becoming of those under way: here, or in any process."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Container, Iterator, Sequence
from itertools import chain
from typing import Any, Protocol

from gateway.explain import story
from middleware.context import RequestContext
from providers.ports import Clock

KEPT = 1000  # requests that are over
EVERY, AT_ONCE = 1.0, 100  # seconds, and how many stories in that time: each costs as much as a short request


class Records(Protocol):
    """Where stories are kept for other processes."""

    async def keep(self, stories: Sequence[tuple[str, str]]) -> None: ...

    async def find(self, request_id: str) -> str | None: ...


class Stories:
    """Keeps their contexts: told of every request, as it begins and as it ends, by the access middleware."""

    def __init__(self, clock: Clock, routes: Container[str], records: Records | None = None) -> None:
        """``routes`` are those whose requests are kept; ``records``, where other processes find them."""
        self._clock = clock
        self._routes = routes
        self._running: dict[int, RequestContext] = {}
        self._over: deque[RequestContext] = deque(maxlen=KEPT)
        self._records = records
        self._untold: deque[RequestContext] = deque(maxlen=AT_ONCE)

    def began(self, context: RequestContext) -> None:
        if context.route in self._routes:
            self._running[id(context)] = context

    def ended(self, context: RequestContext) -> None:
        if self._running.pop(id(context), None):
            context.ended = self._clock()
            self._over.append(context)
            if self._records:
                self._untold.append(context)

    def running(self) -> list[RequestContext]:
        """Those under way, the oldest first."""
        return list(self._running.values())

    def over(self) -> Iterator[RequestContext]:
        """Those that are over, the latest first."""
        return reversed(self._over)

    def find(self, request_id: str) -> RequestContext | None:
        """The latest one with this id; clients may use one twice."""
        latest_first = chain(reversed(self._running.values()), reversed(self._over))
        return next((context for context in latest_first if context.request_id == request_id), None)

    async def told(self, request_id: str) -> dict[str, Any] | None:
        """The story of a request of this process, else of one that is over in another."""
        if context := self.find(request_id):
            return story(context, self._clock())
        text = await self._records.find(request_id) if self._records else None
        return None if text is None else json.loads(text)

    async def keep_telling(self) -> None:
        """Now and then the others; where there are very many, the last ones."""
        while self._records:
            await asyncio.sleep(EVERY)
            told = [(each.request_id, json.dumps(story(each, self._clock()))) for each in self._untold]
            self._untold.clear()
            if told:
                await self._records.keep(told)
