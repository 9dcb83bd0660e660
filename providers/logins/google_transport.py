"""What Google's logins ask of servers, over our own transport: proxies, time limits and TLS as everywhere.

google-auth knows no event loop: it asks from a thread, and waits there for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import urlsplit

from providers.call import UpstreamRequest
from providers.errors import ErrorKind, UpstreamFailure
from providers.spec import Timeouts
from providers.transport import Transport

PATIENCE = 20.0  # seconds for one answer of a server that gives tokens
MOST = 1_000_000  # bytes of it
PASSING = (408, 429)

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """As google-auth reads it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


Ask = Callable[..., Answer]
"""Called as google-auth calls its transports: with url, method, body and headers."""


class TokenRequests:
    """Owns ``transport``."""

    def __init__(self, transport: Transport, timeouts: Timeouts) -> None:
        self._transport = transport
        self._timeouts = timeouts
        self._asking: set[Future[Answer]] = set()

    async def aclose(self) -> None:
        for future in tuple(self._asking):
            future.cancel()  # or its thread would wait for ever
        await self._transport.aclose()

    def asker(self, loop: asyncio.AbstractEventLoop) -> Ask:
        """What google-auth calls for each request, from its thread; ``loop`` is this object's."""

        def ask(
            url: str,
            method: str = "GET",
            body: bytes | None = None,
            headers: Mapping[str, str] | None = None,
            **_: object,
        ) -> Answer:
            asked = self.ask(url, method, body or b"", tuple((headers or {}).items()))
            future = asyncio.run_coroutine_threadsafe(asked, loop)
            self._asking.add(future)
            future.add_done_callback(self._asking.discard)
            return future.result()

        return ask

    async def ask(self, url: str, method: str, body: bytes, headers: Headers) -> Answer:
        """Raises UpstreamFailure, also where the server may do better in a while."""
        request = UpstreamRequest(url, headers, body, self._timeouts, method=method)
        who = f"the server that gives its tokens ({urlsplit(url).hostname})"
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._answer(request)
        except TimeoutError:
            raise UpstreamFailure(ErrorKind.UNREACHABLE, f"{who} did not answer in {PATIENCE:g} seconds") from None
        except UpstreamFailure as failure:
            raise UpstreamFailure(failure.kind, f"{who}: {failure.words}") from failure
        if answer.status >= 500 or answer.status in PASSING:
            raise UpstreamFailure(ErrorKind.SERVER_ERROR, f"{who} answered with HTTP {answer.status}")
        return answer

    async def _answer(self, request: UpstreamRequest) -> Answer:
        reply = await self._transport.send(request)
        try:
            data = b""
            while len(data) < MOST and (piece := await reply.read()):
                data += piece
            return Answer(reply.status, reply.headers, data)
        finally:
            await reply.aclose()
