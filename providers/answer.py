"""An upstream's answer whose first content is in hand, and the reading of its rest."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Protocol

from providers import classify
from providers.call import StreamReader
from providers.errors import Calendar, ErrorKind, Fault, UpstreamFailure
from providers.patience import Pace, Patience
from providers.ports import Attempt
from providers.transport import UpstreamReply

MAX_ERROR_BODY = 64 * 1024  # bytes of an upstream's error that are read
MAX_WHOLE = 64 * 1024 * 1024  # bytes of a whole answer; more is no answer of a model
CLOSING = 5.0  # seconds that an upstream may take to end its stream after it gave the reason to stop
LINGER = 0.5  # seconds for an upstream to close a finished stream, so that its connection can be used again


class Ending(Protocol):
    """The end of a stream, for whoever passes it on."""

    @property
    def ended(self) -> bool: ...

    def failed(self, fault: Fault) -> bytes: ...


class Streamed(Protocol):
    """A streamed answer with its first content in hand: ``held`` is what the client gets first.

    While it is ``resting``, nothing of it can come from an upstream yet, and ``more`` may take long.
    """

    @property
    def held(self) -> bytes: ...

    @property
    def resting(self) -> bool: ...

    @property
    def reader(self) -> Ending: ...

    @property
    def failure(self) -> UpstreamFailure | None: ...

    async def more(self) -> bytes:
        """The next bytes for the client. Raises UpstreamFailure."""

    async def linger(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """An answer that came whole, or was made of a stream."""

    body: bytes
    reply: UpstreamReply
    reader: StreamReader | None = None

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
    pace: Pace | None = None
    day: Calendar | None = None  # where the provider's days begin
    family: str = ""  # the row whose rules for errors hold
    held: bytes = b""
    resting: ClassVar[bool] = False

    @property
    def failure(self) -> UpstreamFailure | None:
        """What the reader found, by the rules of this provider."""
        found = self.reader.failure
        return found and classify.settled(found, self.family or self.attempt.provider, self.reply.headers, day=self.day)

    async def more(self) -> bytes:
        """The next bytes for the client, b"" where no event is whole yet. Raises UpstreamFailure (STALLED, CUT)."""
        data = await self._read()
        passed = self.reader.feed(data) if data else self.reader.finish()
        self.attempt.usage = self.reader.usage
        self.attempt.reads += 1
        if self.pace is not None and self.pace.crawls(len(data)) and not self.reader.closing:
            raise UpstreamFailure(ErrorKind.STALLED, "the upstream sent less than STREAM_FLOOR bytes a second")
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


async def _linger(reply: UpstreamReply, seconds: float) -> None:
    with suppress(TimeoutError, UpstreamFailure):
        async with asyncio.timeout(seconds):
            while await reply.read():
                pass


async def error_body(reply: UpstreamReply) -> bytes:
    """What comes of it: the status says enough where the connection breaks before its end."""
    parts: list[bytes] = []
    with suppress(UpstreamFailure):
        while sum(map(len, parts)) < MAX_ERROR_BODY and (data := await reply.read()):
            parts.append(data)
    return b"".join(parts)


async def whole_body(
    reply: UpstreamReply, first: bytes, most: int, deadline: asyncio.Timeout, idle: float | None
) -> bytes:
    """All of a body after its ``first`` bytes, up to ``most``; each read moves the deadline."""
    parts = [first]
    size = len(first)
    while size < most and (data := await reply.read()):
        parts.append(data)
        size += len(data)
        if idle is not None:
            deadline.reschedule(asyncio.get_running_loop().time() + idle)
    return b"".join(parts)
