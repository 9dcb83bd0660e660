"""The reply to a call: one task owns all that is open for it, another watches for the client leaving.

Nothing is opened before the server calls the reply. The status waits for the upstream's first content, so a failure
before it is an HTTP status; after it, an ``error`` event. However it ends, one exit stack unwinds in the owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any

from gateway.relay import Relay
from gateway.routing import Target
from middleware.asgi import Headers, Message, Receive, Send, respond
from middleware.context import RequestContext
from providers import policy
from providers.call import Call, StreamReader
from providers.errors import UpstreamFailure
from providers.provider import StreamAnswer, WholeAnswer

LINGER = 0.5  # seconds for an upstream to close a finished stream, so that its connection can be used again

_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_JSON: Headers = [(b"content-type", b"application/json")]


class Reply:
    """An ASGI response for one call."""

    def __init__(self, relay: Relay, call: Call, targets: Sequence[Target], context: RequestContext) -> None:
        self._relay = relay
        self._call = call
        self._targets = targets
        self._context = context
        self._reader: StreamReader | None = None  # of the stream that has begun

    async def __call__(self, receive: Receive, send: Send) -> None:
        """Raises Fault where the call failed before its first content."""
        async with ClientWatch(receive) as watch:
            await self._serve(send, watch)
        if watch.gone:
            self._context.outcome = "client_gone"

    async def _serve(self, send: Send, watch: ClientWatch) -> None:
        try:
            async with ShieldedStack() as stack:
                answer = await self._relay.open(self._call, self._targets, self._context, stack)
                if isinstance(answer, WholeAnswer):
                    watch.stop()
                    await respond(send, 200, _JSON, answer.body)
                    await answer.linger(LINGER)
                else:
                    await self._stream(send, watch, answer)
        except UpstreamFailure as failure:
            fault = policy.fault(failure)
            if self._reader is None:
                raise fault from failure
            self._context.outcome = "cut"
            await send(_part(self._reader.failed(fault), more=False))

    async def _stream(self, send: Send, watch: ClientWatch, answer: StreamAnswer) -> None:
        self._reader = answer.reader
        await send({"type": "http.response.start", "status": 200, "headers": _STREAM})
        data = answer.held
        while not answer.reader.ended:
            if data:
                await send(_part(data, more=True))
            if answer.failure:
                raise answer.failure
            data = await answer.more()
        watch.stop()
        await send(_part(data, more=False))
        await answer.linger(LINGER)


def _part(data: bytes, more: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


class ShieldedStack(AsyncExitStack):
    """An exit stack that is unwound to its end even while its task is being cancelled."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        unwinding = asyncio.ensure_future(super().__aexit__(kind, error, trace))
        cancelled: asyncio.CancelledError | None = None
        while not unwinding.done():
            try:
                await asyncio.wait([unwinding])
            except asyncio.CancelledError as again:
                cancelled = again
        if cancelled is not None and unwinding.exception() is None:
            raise cancelled
        return bool(unwinding.result())


class ClientWatch:
    """Cancels the task that entered it as soon as the client is gone; leaving it then is no error."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._owner: asyncio.Task[Any] | None = None
        self._watch: asyncio.Task[None] | None = None
        self.gone = False

    async def __aenter__(self) -> ClientWatch:
        self._owner = asyncio.current_task()
        self._watch = asyncio.ensure_future(self._until_gone())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        owner = self._owner
        self.stop()
        self._owner = self._watch = None  # a cycle through the watcher's traceback would wait for the collector
        if not self.gone or owner is None or kind is not asyncio.CancelledError:
            return False
        return owner.uncancel() == 0

    def stop(self) -> None:
        """The reply is whole: a server says "disconnect" after that too."""
        if self._watch is not None:
            self._watch.cancel()

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._owner is not None:
            self._owner.cancel()
