"""One live provider: a key, a socket, and the wait for the first content of an answer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from providers import classify
from providers.call import Call, Dialect, StreamReader
from providers.chat.sse import begins_stream
from providers.errors import ErrorKind, UpstreamFailure
from providers.exchange import Exchange, arrange
from providers.keys import Key, KeyPool
from providers.patience import Patience
from providers.ports import Attempt, Clock
from providers.spec import ProviderConfig
from providers.transport import Transport, UpstreamReply

MAX_ERROR_BODY = 64 * 1024  # bytes of an upstream's error that are read
MAX_WHOLE = 64 * 1024 * 1024  # bytes of a whole answer; more is no answer of a model
CLOSING = 5.0  # seconds that an upstream may take to end its stream after it gave the reason to stop
_JSON = (b"{", b"[")


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """An answer that came whole, or was made of a stream."""

    body: bytes
    reply: UpstreamReply

    async def linger(self, seconds: float) -> None:
        """See StreamAnswer."""
        await _linger(self.reply, seconds)


@dataclass(slots=True)
class StreamAnswer:
    """A streamed answer with its first content in hand; ``held`` is what the client gets first."""

    attempt: Attempt
    reader: StreamReader
    reply: UpstreamReply
    idle: float | None  # seconds that may pass between two reads
    patience: Patience
    held: bytes = b""

    @property
    def failure(self) -> UpstreamFailure | None:
        """What the reader found, by the rules of this provider."""
        found = self.reader.failure
        return found and classify.settled(found, self.attempt.provider, self.reply.headers)

    async def more(self) -> bytes:
        """The next bytes for the client, b"" where no event is whole yet. Raises UpstreamFailure (STALLED, CUT)."""
        data = await self._read()
        passed = self.reader.feed(data) if data else self.reader.finish()
        self.attempt.usage = self.reader.usage
        return passed

    async def _read(self) -> bytes:
        """What is missing once the reason to stop has come is not worth a failure."""
        if not self.reader.closing:
            try:
                with self.patience:
                    return await self.reply.read()
            except TimeoutError as error:
                words = f"the upstream sent nothing for {self.idle or 0:g} seconds"
                raise UpstreamFailure(ErrorKind.STALLED, words) from error
        try:
            async with asyncio.timeout(CLOSING if self.idle is None else min(self.idle, CLOSING)):
                return await self.reply.read()
        except (TimeoutError, UpstreamFailure):
            return b""

    async def linger(self, seconds: float) -> None:
        """Take the end of a finished stream off the wire, so that the connection can be used again."""
        await _linger(self.reply, seconds)


Answer = WholeAnswer | StreamAnswer


class Provider:
    """Opens calls. Everything that a call holds is entered on the caller's exit stack."""

    def __init__(
        self,
        config: ProviderConfig,
        dialects: Mapping[str, Dialect],
        transport: Transport,
        pool: KeyPool,
        clock: Clock,
    ) -> None:
        self.config = config
        self.pool = pool
        self._dialects = dialects
        self._transport = transport
        self._clock = clock

    async def open(self, call: Call, attempt: Attempt, thinking: bool, stack: AsyncExitStack) -> Answer:
        """One attempt, up to the first content (or the end, of a whole answer). Raises UpstreamFailure."""
        key = await stack.enter_async_context(self.pool.lease(attempt))
        client, upstream = self._dialects[call.dialect], self._dialects[self.config.spec.dialect]
        token = secrets.token_hex(12)
        exchange = arrange(client, upstream, call, attempt.model, thinking, self.config, _value(key), token)
        attempt.lost = exchange.lost
        limits = self.config.timeouts
        deadline = asyncio.timeout(limits.first_token if exchange.streamed else limits.read)
        try:
            async with deadline:
                reply = await self._send(exchange, attempt, stack)
                patience = Patience(limits.read)
                stack.callback(patience.close)
                answer = await self._answer(exchange, call, attempt, reply, deadline, patience)
        except TimeoutError as error:
            raise _too_late(exchange, self.config) from error
        attempt.first_content = self._clock()
        return answer

    async def _send(self, exchange: Exchange, attempt: Attempt, stack: AsyncExitStack) -> UpstreamReply:
        reply = await self._transport.send(exchange.request)
        stack.push_async_callback(reply.aclose)
        attempt.status = reply.status
        if 200 <= reply.status < 300:
            return reply
        body = await _error_body(reply)
        raise classify.status_failure(reply.status, reply.headers, body, self.config.id)

    async def _answer(
        self,
        exchange: Exchange,
        call: Call,
        attempt: Attempt,
        reply: UpstreamReply,
        deadline: asyncio.Timeout,
        patience: Patience,
    ) -> Answer:
        reader = exchange.reader
        answer = StreamAnswer(attempt, reader, reply, self.config.timeouts.read, patience)
        first = await reply.read()
        if exchange.streamed and begins_stream(first):
            await self._stream(answer, first, call, deadline)
        else:
            most = MAX_WHOLE if first.lstrip().startswith(_JSON) else MAX_ERROR_BODY
            body = await _body(reply, first, most, deadline, answer.idle)
            answer.held = reader.take_whole(body)
        if answer.failure:
            raise answer.failure
        attempt.usage = reader.usage
        return answer if call.stream else WholeAnswer(answer.held, reply)

    async def _stream(self, answer: StreamAnswer, first: bytes, call: Call, deadline: asyncio.Timeout) -> None:
        """Up to the first content, or for a client that wants the answer whole, to its end."""
        reader = answer.reader
        answer.held = reader.feed(first) if first else reader.finish()
        while not (reader.failure or reader.ended or (reader.begun and call.stream)):
            if reader.begun:
                deadline.reschedule(None)
            answer.held += await answer.more()

    async def aclose(self) -> None:
        await self._transport.aclose()


def _value(key: Key) -> str:
    return key.secret.reveal() if key.secret else ""


async def _linger(reply: UpstreamReply, seconds: float) -> None:
    with suppress(TimeoutError, UpstreamFailure):
        async with asyncio.timeout(seconds):
            while await reply.read():
                pass


async def _error_body(reply: UpstreamReply) -> bytes:
    """What comes of it: the status says enough where the connection breaks before its end."""
    parts: list[bytes] = []
    with suppress(UpstreamFailure):
        while sum(map(len, parts)) < MAX_ERROR_BODY and (data := await reply.read()):
            parts.append(data)
    return b"".join(parts)


async def _body(
    reply: UpstreamReply,
    first: bytes,
    most: int,
    deadline: asyncio.Timeout | None = None,
    idle: float | None = None,
) -> bytes:
    """All of a body after its ``first`` bytes, up to ``most``; each read moves the deadline."""
    parts = [first]
    size = len(first)
    while size < most and (data := await reply.read()):
        parts.append(data)
        size += len(data)
        if deadline is not None and idle is not None:
            deadline.reschedule(asyncio.get_running_loop().time() + idle)
    return b"".join(parts)


def _too_late(exchange: Exchange, config: ProviderConfig) -> UpstreamFailure:
    limits = config.timeouts
    if exchange.streamed and not exchange.reader.begun:
        words = f"no content came within {limits.first_token:g} seconds (FIRST_TOKEN_TIMEOUT)"
        return UpstreamFailure(ErrorKind.FIRST_TOKEN_TIMEOUT, words)
    return UpstreamFailure(ErrorKind.STALLED, f"nothing came for {limits.read or 0:g} seconds (HTTP_READ_TIMEOUT)")
