"""What became of the last requests to models, and what is becoming of those under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from itertools import chain

from middleware.context import RequestContext
from providers.ports import Clock

KEPT = 1000  # requests that are over


class Stories:
    """Keeps their contexts: told of every request, as it begins and as it ends, by the access middleware."""

    def __init__(self, clock: Clock, routes: Container[str]) -> None:
        """``routes`` are those whose requests are kept."""
        self._clock = clock
        self._routes = routes
        self._running: dict[int, RequestContext] = {}
        self._over: deque[RequestContext] = deque(maxlen=KEPT)

    def began(self, context: RequestContext) -> None:
        if context.route in self._routes:
            self._running[id(context)] = context

    def ended(self, context: RequestContext) -> None:
        if self._running.pop(id(context), None):
            context.ended = self._clock()
            self._over.append(context)

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
