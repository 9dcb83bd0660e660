"""Bounds a request's body in size and in time."""

from __future__ import annotations

import asyncio

from middleware.asgi import App, Message, Receive, Scope, Send, header
from providers.errors import Fault


class BodyLimit:
    """413 above ``limit`` bytes, at once where the client announces them; 408 where a body takes ``seconds``."""

    def __init__(self, app: App, limit: int, seconds: float) -> None:
        self.app = app
        self.limit = limit
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = header(scope, b"content-length")
        if announced.isdigit() and int(announced) > self.limit:
            raise _too_large(self.limit)
        await self.app(scope, _Bounded(receive, self.limit, self.seconds), send)


class _Bounded:
    """A ``receive`` that counts until the body is whole, and then only waits for the client to leave."""

    __slots__ = ("_deadline", "_left", "_limit", "_receive", "_seconds", "_whole")

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._left = limit
        self._seconds = seconds
        self._deadline: float | None = None
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        message = await self._in_time()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _too_large(self._limit)
        self._whole = not message.get("more_body", False)
        return message

    async def _in_time(self) -> Message:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError as error:
            raise Fault(
                408,
                "timeout_error",
                f"The request body was not complete after {self._seconds:g} seconds (BODY_READ_TIMEOUT). Send it anew.",
                headers=((b"connection", b"close"),),
            ) from error


def _too_large(limit: int) -> Fault:
    return Fault(
        413,
        "request_too_large",
        f"The request body is larger than {limit / 1048576:g} MB (BODY_LIMIT_MB). Send less, or raise the limit.",
    )
