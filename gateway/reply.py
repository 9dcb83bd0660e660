"""The reply to a call: one task owns all that is open for it, another watches for the client leaving.

Nothing is opened before the server calls the reply. The status waits for the upstream's first content, so a failure
before it is an HTTP status; after it, what the client's dialect ends a broken stream with. A stream that waits for long
is kept alive meanwhile, and then its status has gone out. However it ends, one exit stack unwinds in the owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from gateway.clients.turnstile import Turnstile
from gateway.routing import Target
from middleware.asgi import Headers, Message, Receive, Send, respond
from middleware.context import RequestContext
from providers import policy
from providers.answer import LINGER, Ending, Streamed, WholeAnswer
from providers.call import Call, ClientDialect
from providers.errors import UpstreamFailure
from providers.ports import Handle, Time
from providers.unwinding import ShieldedStack

BETWEEN = 10.0  # seconds between two signs of life
HOLD_AFTER = 240.0  # seconds; from 300 on, Claude Code leaves a stream without events of an answer

STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
JSON: Headers = [(b"content-type", b"application/json")]


class Opener(Protocol):
    """Opens calls: the relay, or what runs web tools around it."""

    async def open(
        self, call: Call, targets: Sequence[Target], context: RequestContext, stack: AsyncExitStack
    ) -> WholeAnswer | Streamed:
        """See ``gateway.relay.Relay``."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every reply needs."""

    opener: Opener
    time: Time
    keepalive_after: float  # seconds
    turnstile: Turnstile


class Reply:
    """An ASGI response for one call."""

    def __init__(
        self, desk: Desk, call: Call, dialect: ClientDialect, targets: Sequence[Target], context: RequestContext
    ) -> None:
        self._desk = desk
        self._call = call
        self._dialect = dialect
        self._targets = targets
        self._context = context
        self._streaming = False
        self._reader: Ending | None = None  # of the answer that is passed on
        self._join: Callable[[bytes], bytes] | None = None  # makes the answer continue what kept the client alive

    async def __call__(self, receive: Receive, send: Send) -> None:
        """Raises Fault where the call failed before its first content."""
        async with ClientWatch(receive) as watch:
            await self._serve(send, watch)
        if watch.gone:
            self._context.outcome = "client_gone"

    async def _serve(self, send: Send, watch: ClientWatch) -> None:
        try:
            async with ShieldedStack() as stack:
                if place := self._desk.turnstile.place(self._call, self._context):
                    await stack.enter_async_context(place)
                answer = await self._opened(send, stack)
                if isinstance(answer, WholeAnswer):
                    watch.stop()
                    await respond(send, 200, JSON, answer.body)
                    await answer.linger(LINGER)
                else:
                    await self._stream(send, watch, answer)
        except UpstreamFailure as failure:
            fault = policy.fault(failure)
            if not self._streaming:
                raise fault from failure
            self._context.outcome = "cut"
            last = (self._reader or self._dialect.writer(self._call)).failed(fault)
            await send(_part(last, more=False))

    async def _opened(self, send: Send, stack: AsyncExitStack) -> WholeAnswer | Streamed:
        opener = self._desk.opener
        if not self._call.stream:
            return await opener.open(self._call, self._targets, self._context, stack)
        async with KeepAlive(self._desk, partial(self._keep_alive, send)):
            return await opener.open(self._call, self._targets, self._context, stack)

    async def _keep_alive(self, send: Send) -> None:
        """Bytes for a client that waits; after long, the beginning of an answer."""
        await self._start(send)
        waiting = self._dialect.waiting(self._call)
        self._join = waiting.join
        while True:
            held = self._desk.time.clock() - self._context.started >= HOLD_AFTER
            await send(_part(waiting.hold() if held else waiting.ping(), more=True))
            await self._desk.time.sleep(BETWEEN)

    async def _start(self, send: Send) -> None:
        if not self._streaming:
            self._streaming = True
            await send({"type": "http.response.start", "status": 200, "headers": STREAM})

    async def _stream(self, send: Send, watch: ClientWatch, answer: Streamed) -> None:
        await self._start(send)
        self._reader = answer.reader
        data, join = answer.held, self._join
        while not answer.reader.ended:
            if data:
                await send(_part(join(data) if join else data, more=True))
            if answer.failure:
                raise answer.failure
            data = await (self._rested(send, answer) if answer.resting else answer.more())
        watch.stop()
        await send(_part(join(data) if join else data, more=False))
        await answer.linger(LINGER)

    async def _rested(self, send: Send, answer: Streamed) -> bytes:
        """What comes next of an answer that is between two rounds."""
        async with KeepAlive(self._desk, partial(self._ping, send)):
            return await answer.more()

    async def _ping(self, send: Send) -> None:
        waiting = self._dialect.waiting(self._call)
        while True:
            await send(_part(waiting.ping(), more=True))
            await self._desk.time.sleep(BETWEEN)


def _part(data: bytes, more: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


class KeepAlive:
    """Runs ``keep_alive`` beside its body once that takes long; without the wait, a timer is all it costs."""

    def __init__(self, desk: Desk, keep_alive: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._desk = desk
        self._keep_alive = keep_alive
        self._timer: Handle | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._timer = self._desk.time.later(self._desk.keepalive_after, self._begin)

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._keep_alive())


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
