"""The load generator's side of one keep-alive connection, and just enough HTTP/1.1 and SSE to judge an answer."""

from __future__ import annotations

import asyncio
import re
import time
from array import array
from typing import Protocol, cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STAMP = re.compile(rb'"text_delta","text":"(\d{20})"')
_OK = b"HTTP/1.1 200"


class Owner(Protocol):
    """Whoever hears what became of a request."""

    def answered(self, connection: Connection) -> None: ...

    def failed(self, connection: Connection, why: str) -> None: ...


class Samples:
    """Times in nanoseconds."""

    __slots__ = ("chunks", "first", "latency", "transit")

    def __init__(self) -> None:
        self.chunks = 0
        self.latency = array("q")
        self.first = array("q")
        self.transit = array("q")


class SizedBody:
    """A body whose length was announced."""

    __slots__ = ("_left", "ended")

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = not length

    def feed(self, data: bytes) -> bytes:
        self._left -= len(data)
        self.ended = self._left <= 0
        return data


class ChunkedBody:
    """A body in chunks without extensions; only whole chunks are given out."""

    __slots__ = ("_held", "ended")

    def __init__(self) -> None:
        self._held = b""
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        data = self._held + data if self._held else data
        parts: list[bytes] = []
        at = 0
        while (line := data.find(b"\r\n", at)) >= 0:
            start = line + 2
            end = start + int(data[at:line], 16)
            if len(data) < end + 2:
                break
            at = end + 2
            if end == start:
                self.ended = True
                break
            parts.append(data[start:end])
        self._held = data[at:]
        return b"".join(parts)


class Connection(asyncio.Protocol):
    """Sends a request when told to and judges the answer: 200, all of it, and every delta of a stream."""

    def __init__(self, chunks: int, spaced: bool) -> None:
        """``chunks`` that an answer must have; ``spaced`` takes the time that each one travelled."""
        self.owner: Owner | None = None
        self.samples = Samples()
        self._chunks = chunks
        self._spaced = spaced
        self._sent = 0  # when the request was sent
        self._seen = 0  # deltas of its answer that have come
        self._held = b""  # of a head that is not whole
        self._status = b""  # the status line
        self._body: SizedBody | ChunkedBody | None = None
        self._rest = b""  # of an event that is not whole
        self._tail = b""  # the end of what has come of the body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection was lost: {exc}" if exc else "the connection was closed before the answer's end")

    def send(self, owner: Owner, samples: Samples, request: bytes) -> None:
        self._clear()
        self.owner = owner
        self.samples = samples
        if self._transport.is_closing():
            self._fail("the connection was closed while it was idle")
            return
        self._sent = time.monotonic_ns()
        self._transport.write(request)

    def abort(self) -> None:
        self.owner = None
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._body is None:
            head, blank, data = (self._held + data).partition(b"\r\n\r\n")
            if not blank:
                self._held = head
                return
            self._status = head[: head.find(b"\r\n")]
            length = _LENGTH.search(head)
            self._body = SizedBody(int(length[1])) if length else ChunkedBody()
        payload = self._body.feed(data)
        if payload:
            self._take(payload)
        if self._body.ended:
            self._judge()

    def _clear(self) -> None:
        self._held = self._status = self._rest = self._tail = b""
        self._body = None
        self._seen = self._sent = 0

    def _take(self, payload: bytes) -> None:
        self._tail = payload[-300:]
        if not self._chunks:
            return
        events, _, self._rest = (self._rest + payload).rpartition(b"\n\n")
        stamps = _STAMP.findall(events)
        if not stamps:
            return
        now = time.monotonic_ns()
        if not self._seen:
            self.samples.first.append(now - self._sent)
        self._seen += len(stamps)
        if self._spaced:
            self.samples.transit.extend([now - int(stamp) for stamp in stamps])

    def _judge(self) -> None:
        owner, self.owner = self.owner, None
        if owner is None:
            return
        if why := self._wrong():
            owner.failed(self, why)
            return
        self.samples.chunks += self._seen
        self.samples.latency.append(time.monotonic_ns() - self._sent)
        owner.answered(self)

    def _wrong(self) -> str:
        if not self._status.startswith(_OK):
            wrong = self._status.decode("latin-1")
        elif self._seen != self._chunks:
            wrong = f"{self._seen} of {self._chunks} chunks came"
        elif self._chunks and b'"message_stop"' not in self._tail:
            wrong = "the stream ended without message_stop"
        else:
            return ""
        return f"{wrong}: ...{' '.join(self._tail.decode('latin-1').split())}"

    def _fail(self, why: str) -> None:
        owner, self.owner = self.owner, None
        if owner is not None:
            owner.failed(self, why)
