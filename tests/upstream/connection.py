"""One TCP connection of the scripted upstream: h11 reads the requests, the reply's steps are written by hand."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11

from tests.upstream.reply import Cut, Drip, Hang, Head, Pause, Raw, Reply, Reset, Send, Step
from tests.upstream.request import Request
from tests.upstream.signals import Signal

if TYPE_CHECKING:
    from tests.upstream.server import ScriptedServer

_BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
_LINGER_ZERO = struct.pack("ii", 1, 0)
_MAX_HEAD = 1 << 20


class Connection(asyncio.Protocol):
    """Reads a request, has the server record it and choose a reply, performs the reply; then the next request."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._number = 0
        self._request: Request | None = None
        self._reply: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._we_closed = False
        self._write_size: int | None = None
        self._chunked = False
        self._start_cycle()

    def _start_cycle(self, unread: bytes = b"") -> None:
        self._reader = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)
        self._head: h11.Request | None = None
        self._body = bytearray()
        if unread:
            self.data_received(unread)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._writable.set()
        self._number = self._server.accepted
        self._server.accepted += 1
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.receive_data(data)
            while self._next_event():
                pass
        except h11.RemoteProtocolError as malformed:
            self._server.failures.append(malformed)
            self.abort()

    def _next_event(self) -> bool:
        match self._reader.next_event():
            case h11.Request() as head:
                self._head = head
            case h11.Data(data=piece):
                self._body += piece
            case h11.EndOfMessage():
                self._request = self._arrived()
                self._reply = asyncio.ensure_future(self._perform_all(self._request))
                self._reply.add_done_callback(self._settled)
            case _:
                return False
        return True

    def _arrived(self) -> Request:
        assert self._head is not None
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._head.headers.raw_items()]
        method, target = self._head.method.decode(), self._head.target.decode()
        return Request(method, target, headers, bytes(self._body), self._number)

    def _settled(self, reply: asyncio.Task[None]) -> None:
        """Keep what a test's own script raised, for the server to raise again where it is left."""
        if not reply.cancelled() and (broken := reply.exception()) is not None:
            self._server.failures.append(broken)
            self.abort()

    def eof_received(self) -> None:
        self._client_left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._client_left()
        self._server.connections.discard(self)
        if self._reply is not None:
            self._reply.cancel()

    def _client_left(self) -> None:
        if self._we_closed or self._request is None or self._request.gone.is_set():
            return
        self._request.gone_at = time.monotonic()
        self._request.gone.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        self._we_closed = True
        self._chunked = False
        self._transport.abort()

    def hang_up(self, reset: bool) -> None:
        if reset:
            self._reset()
        else:
            self._close()

    def _close(self) -> None:
        self._we_closed = True
        self._chunked = False
        self._transport.close()

    async def _perform_all(self, request: Request) -> None:
        reply = self._server.reply_to(request)
        self._write_size = reply.write_size
        for step in reply.steps:
            await self._perform(step, request)
        if self._chunked:
            await self._write(b"0\r\n\r\n")
        request.answered.set()
        if _ends_with_connection(reply):
            self._close()
        if not self._we_closed:
            self._start_cycle(self._reader.trailing_data[0])

    async def _perform(self, step: Step, request: Request) -> None:
        match step:
            case Head():
                await self._write(self._head_bytes(step, request))
            case Send(data=data):
                await self._write(self._framed(data))
            case Drip(data=data):
                for byte in data:
                    await self._write(self._framed(bytes((byte,))))
            case Raw(data=data):
                await self._write(data)
            case Pause(until=until):
                await _pause(until)
            case Hang():
                await _pause(request.release)
            case _:
                self._break_off(step)

    def _break_off(self, step: Cut | Reset) -> None:
        match step:
            case Cut():
                self._close()
            case Reset():
                self._reset()

    def _reset(self) -> None:
        connection: socket.socket = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.abort()

    def _head_bytes(self, head: Head, request: Request) -> bytes:
        bodiless = request.method == "HEAD" or head.status in _BODILESS
        self._chunked = head.chunked and not bodiless and not _has_length(head)
        headers = [*head.headers, ("transfer-encoding", "chunked")] if self._chunked else list(head.headers)
        lines = [f"HTTP/1.1 {head.status} {_phrase(head.status)}", *(f"{key}: {value}" for key, value in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data

    async def _write(self, data: bytes) -> None:
        size = self._write_size or max(len(data), 1)
        for start in range(0, len(data), size):
            self._transport.write(data[start : start + size])
            await self._writable.wait()
            await asyncio.sleep(0)  # one turn of the loop between writes, so that the reader may see each


async def _pause(until: Signal | float) -> None:
    if isinstance(until, Signal):
        await until.wait(None)
    else:
        await asyncio.sleep(until)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unnamed"


def _has_length(head: Head) -> bool:
    return any(name.lower() == "content-length" for name, _ in head.headers)


def _ends_with_connection(reply: Reply) -> bool:
    heads = [step for step in reply.steps if isinstance(step, Head)]
    return any(not head.chunked and not _has_length(head) for head in heads)
