"""One live provider: a key, a socket, and the wait for the first content of an answer."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from providers import classify
from providers.call import Call, Dialect, Operation, StreamReader, UpstreamRequest
from providers.errors import ErrorKind, UpstreamFailure
from providers.keys import Key, KeyPool
from providers.ports import Attempt, Clock
from providers.spec import ProviderConfig
from providers.transport import Transport, UpstreamReply

MAX_ERROR_BODY = 64 * 1024  # bytes of an upstream's error that are read
MAX_WHOLE = 64 * 1024 * 1024  # bytes of a whole answer; more is no answer of a model


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """An answer that came whole."""

    body: bytes


@dataclass(slots=True)
class StreamAnswer:
    """A streamed answer with its first content in hand; ``held`` is what the client gets first."""

    attempt: Attempt
    reader: StreamReader
    reply: UpstreamReply
    idle: float | None  # seconds that may pass between two reads
    held: bytes = b""

    async def more(self) -> bytes:
        """The next bytes for the client, b"" where no event is whole yet. Raises UpstreamFailure (STALLED, CUT)."""
        data = await _read(self.reply, self.idle)
        passed = self.reader.feed(data) if data else self.reader.finish()
        self.attempt.usage = self.reader.usage
        return passed

    async def linger(self, seconds: float) -> None:
        """Take the end of a finished stream off the wire, so that the connection can be used again."""
        with suppress(TimeoutError, UpstreamFailure):
            async with asyncio.timeout(seconds):
                while await self.reply.read():
                    pass


Answer = WholeAnswer | StreamAnswer


class Provider:
    """Opens calls. Everything that a call holds is entered on the caller's exit stack."""

    def __init__(
        self, config: ProviderConfig, dialect: Dialect | None, transport: Transport, pool: KeyPool, clock: Clock
    ) -> None:
        self.config = config
        self.dialect = dialect
        self.pool = pool
        self._transport = transport
        self._clock = clock

    async def open(self, call: Call, attempt: Attempt, thinking: bool, stack: AsyncExitStack) -> Answer:
        """One attempt, up to the first content (or the end, of a whole answer). Raises UpstreamFailure."""
        if self.dialect is None or self.dialect.name != call.dialect:
            raise UpstreamFailure(
                ErrorKind.MALFORMED,
                f"it speaks {self.config.spec.dialect}, and this release of Keyturn has no translation to that "
                f"from {call.dialect}; choose a model of another provider",
                provider=self.config.id,
            )
        key = await stack.enter_async_context(self.pool.lease(attempt))
        request = self.dialect.request(call, attempt.model, thinking, self.config, _value(key))
        return await self._attempt(self.dialect, call, attempt, request, stack, key)

    async def _attempt(
        self,
        dialect: Dialect,
        call: Call,
        attempt: Attempt,
        request: UpstreamRequest,
        stack: AsyncExitStack,
        key: Key,
    ) -> Answer:
        limits = self.config.timeouts
        deadline = asyncio.timeout(limits.first_token if call.stream else limits.read)
        try:
            async with deadline:
                reply = await self._send(request, attempt, stack, key)
                read = self._first_content if call.stream else self._whole
                answer = await read(dialect, call, attempt, reply, deadline)
        except TimeoutError as error:
            raise _too_late(call, limits.first_token, limits.read) from error
        attempt.first_content = self._clock()
        return answer

    async def _send(self, request: UpstreamRequest, attempt: Attempt, stack: AsyncExitStack, key: Key) -> UpstreamReply:
        reply = await self._transport.send(request)
        stack.push_async_callback(reply.aclose)
        attempt.status = reply.status
        if 200 <= reply.status < 300:
            return reply
        body = await _body(reply, MAX_ERROR_BODY)
        raise _scrubbed(classify.status_failure(reply.status, reply.headers, body), key)

    async def _first_content(
        self, dialect: Dialect, call: Call, attempt: Attempt, reply: UpstreamReply, _: asyncio.Timeout
    ) -> Answer:
        if "json" in reply.headers.get("content-type", ""):
            raise await _no_stream(reply)
        reader = dialect.stream(call.model)
        answer = StreamAnswer(attempt, reader, reply, self.config.timeouts.read)
        while not reader.begun:
            answer.held += await answer.more()
            if reader.failure:
                raise reader.failure
        return answer

    async def _whole(
        self, dialect: Dialect, call: Call, attempt: Attempt, reply: UpstreamReply, deadline: asyncio.Timeout
    ) -> Answer:
        body = await _body(reply, MAX_WHOLE, deadline, self.config.timeouts.read)
        if call.operation is Operation.COUNT_TOKENS:
            return WholeAnswer(body)
        whole = dialect.whole(body, call.model)
        attempt.usage = whole.usage
        return WholeAnswer(whole.body)

    async def aclose(self) -> None:
        await self._transport.aclose()


def _value(key: Key) -> str:
    return key.secret.reveal() if key.secret else ""


async def _read(reply: UpstreamReply, idle: float | None) -> bytes:
    try:
        async with asyncio.timeout(idle):
            return await reply.read()
    except TimeoutError as error:
        raise UpstreamFailure(ErrorKind.STALLED, f"the upstream sent nothing for {idle:g} seconds") from error


async def _body(
    reply: UpstreamReply, most: int, deadline: asyncio.Timeout | None = None, idle: float | None = None
) -> bytes:
    """All of a body, up to ``most`` bytes; each read moves the deadline."""
    parts: list[bytes] = []
    size = 0
    while size < most and (data := await reply.read()):
        parts.append(data)
        size += len(data)
        if deadline is not None and idle is not None:
            deadline.reschedule(asyncio.get_running_loop().time() + idle)
    return b"".join(parts)


async def _no_stream(reply: UpstreamReply) -> UpstreamFailure:
    body = await _body(reply, MAX_ERROR_BODY)
    failure = classify.error_inside(body)
    if failure.body is not None:
        return failure
    return UpstreamFailure(ErrorKind.MALFORMED, "it answered a streamed request with JSON", status=reply.status)


def _scrubbed(failure: UpstreamFailure, key: Key) -> UpstreamFailure:
    """An upstream may echo the key it refuses."""
    if key.secret:
        failure.words = key.secret.scrub(failure.words)
        if failure.body is not None:
            failure.body = key.secret.scrub(failure.body.decode("utf-8", "replace")).encode()
    return failure


def _too_late(call: Call, first_token: float, read: float | None) -> UpstreamFailure:
    if call.stream:
        words = f"no content came within {first_token:g} seconds (FIRST_TOKEN_TIMEOUT)"
        return UpstreamFailure(ErrorKind.FIRST_TOKEN_TIMEOUT, words)
    return UpstreamFailure(ErrorKind.STALLED, f"nothing came for {read or 0:g} seconds (HTTP_READ_TIMEOUT)")
