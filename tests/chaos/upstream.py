"""An upstream that notes when each key was used, and how often at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Good."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}


@dataclass
class Upstream:
    """Anthropic-shaped. An answer takes ``seconds``; of keys in ``held``, until the client leaves."""

    seconds: float = 0.3
    port: int = 0
    held: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  # keys that get 401
    arrivals: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by key
    refusals: list[float] = field(default_factory=list)
    most: Counter[str] = field(default_factory=Counter)  # by key: requests under way at once
    under_way: Counter[str] = field(default_factory=Counter)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def begin_again(self) -> None:
        """Forgets what it noted."""
        self.arrivals.clear()
        self.most.clear()
        self.refusals.clear()

    async def until_under_way(self, key: str, count: int) -> None:
        while self.under_way[key] != count:
            self._changed.clear()
            await self._changed.wait()

    async def answer(self, request: web.Request) -> web.Response:
        key = request.headers.get("x-api-key", "")
        self.arrivals[key].append(time.monotonic())
        self._count(key, 1)
        try:
            if key in self.refused:
                self.refusals.append(time.monotonic())
                return web.json_response({"type": "error", "error": {"type": "authentication_error"}}, status=401)
            if key in self.held:
                await asyncio.Event().wait()
            await asyncio.sleep(self.seconds)
            return web.json_response(ANSWER)
        finally:
            self._count(key, -1)

    def _count(self, key: str, change: int) -> None:
        self.under_way[key] += change
        self.most[key] = max(self.most[key], self.under_way[key])
        self._changed.set()


@asynccontextmanager
async def running_upstream(seconds: float) -> AsyncIterator[Upstream]:
    upstream = Upstream(seconds)
    app = web.Application()
    app.router.add_post("/v1/messages", upstream.answer)
    # Whoever hung up no longer uses the key.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream.port = runner.addresses[0][1]
    try:
        yield upstream
    finally:
        await runner.cleanup()
