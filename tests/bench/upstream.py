"""The fake upstream, as a program: as little work per request and per delta as Python allows.

Prints its port as a line of JSON and serves until it is killed. ``bodies`` says how a request scripts its answer;
its path decides between Messages and Chat Completions.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import uvloop

from tests.bench import bodies, chat_bodies

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MODEL = re.compile(rb'"model": ?"([a-z/]+-bench-(\d+)-(\d+))"')
_CHAT = b"POST /v1/chat/completions "
_END = b"0\r\n\r\n"
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True, eq=False)
class Format:
    """The bytes of its answers: a whole one with its head, and what a stream is made of."""

    whole: Callable[[str], bytes]
    start: Callable[[str], bytes]
    delta: Callable[[int], bytes]
    end: Callable[[int], bytes]


class Connection(asyncio.Protocol):
    """Answers one request after the other; pipelining is not served."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._needed = 0  # bytes of the request that is being read, 0 before its head is whole

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._held += data
        if not self._needed:
            head = self._held.find(b"\r\n\r\n")
            if head < 0:
                return
            length = _LENGTH.search(self._held, 0, head)
            self._needed = head + 4 + (int(length[1]) if length else 0)
        if len(self._held) >= self._needed:
            form = CHAT if self._held.startswith(_CHAT) else MESSAGES
            script = _MODEL.search(bytes(self._held))
            self._held.clear()
            self._needed = 0
            self._answer(form, script)

    def _answer(self, form: Format, script: re.Match[bytes] | None) -> None:
        if script is None:
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            return
        model, chunks, milliseconds = script[1].decode(), int(script[2]), int(script[3])
        if chunks:
            Stream(self._transport, form, chunks, milliseconds / 1000).begin(model)
        else:
            self._transport.write(_whole(form, model))


class Stream:
    """One streamed answer: each delta is a write of its own, ``spacing`` seconds apart or as soon as the loop turns."""

    def __init__(self, transport: asyncio.Transport, form: Format, chunks: int, spacing: float) -> None:
        self._transport = transport
        self._form = form
        self._chunks = chunks
        self._spacing = spacing
        self._sent = 0
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    def begin(self, model: str) -> None:
        self._transport.write(_start(self._form, model))
        self._loop.call_soon(self._next)

    def _next(self) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(_chunk(self._form.delta(time.monotonic_ns())))
        self._sent += 1
        if self._sent == self._chunks:
            self._transport.write(_end(self._form, self._chunks))
        elif self._spacing:
            self._loop.call_at(self._began + self._sent * self._spacing, self._next)
        else:
            self._loop.call_soon(self._next)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@functools.cache
def _whole(form: Format, model: str) -> bytes:
    return form.whole(model)


@functools.cache
def _start(form: Format, model: str) -> bytes:
    return _STREAM + _chunk(form.start(model))


@functools.cache
def _end(form: Format, chunks: int) -> bytes:
    return _chunk(form.end(chunks)) + _END


def _message(model: str) -> bytes:
    body = bodies.message(model)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def _short_stream(model: str) -> bytes:
    """Written at once: a reader gets all of it in one read."""
    return _STREAM + b"".join(map(_chunk, chat_bodies.short(model))) + _END


MESSAGES = Format(_message, bodies.stream_start, bodies.delta, bodies.stream_end)
CHAT = Format(_short_stream, chat_bodies.stream_start, chat_bodies.delta, chat_bodies.stream_end)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    gc.disable()  # a collection is a pause that the figures would blame on the gateway
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(serve()))
