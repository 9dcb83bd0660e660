"""A scripted SOCKS5 proxy on 127.0.0.1: it relays, or fails in one of the ways that proxies fail."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

from tests.upstream import Signal


class Mood(Enum):
    """What the proxy does with those who connect."""

    RELAY = "relay"
    REFUSE = "refuse"  # the target cannot be reached (RFC 1928 reply 5)
    FORBID = "forbid"  # no password, or a wrong one (RFC 1929)
    CUT = "cut"  # closes the connection at once
    GARBAGE = "garbage"  # is no SOCKS proxy at all
    SILENT = "silent"


@dataclass
class Socks:
    """``targets`` are the (host, port) pairs it was asked for, ``logins`` the user names and passwords."""

    mood: Mood
    port: int = 0
    targets: list[tuple[str, int]] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    greeted: Signal = field(default_factory=Signal)  # someone has come
    left: Signal = field(default_factory=Signal)  # one that was sent away has closed its connection

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda _: writer.close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mood is Mood.CUT:
            await reader.readexactly(1)
        elif target := await self._greeted(reader, writer):
            await _relay(target, reader, writer)
        else:
            await reader.read()
            self.left.set()

    async def _greeted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        """Where to, or None for those who are sent away: they must close the connection themselves."""
        _, methods = await reader.readexactly(2)
        offered = await reader.readexactly(methods)
        self.greeted.set()
        if self.mood is Mood.SILENT:
            return None
        if self.mood is Mood.GARBAGE:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return None
        if not await self._login(2 in offered, reader, writer):
            return None
        target = await self._asked(reader)
        if self.mood is Mood.REFUSE:
            writer.write(b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00")
            return None
        return target

    async def _login(self, with_password: bool, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if not with_password:
            writer.write(b"\x05\xff" if self.mood is Mood.FORBID else b"\x05\x00")
            return self.mood is not Mood.FORBID
        writer.write(b"\x05\x02")
        await reader.readexactly(1)
        user, password = [(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)]
        self.logins.append((user, password))
        writer.write(b"\x01\x01" if self.mood is Mood.FORBID else b"\x01\x00")
        return self.mood is not Mood.FORBID

    async def _asked(self, reader: asyncio.StreamReader) -> tuple[str, int]:
        kind = (await reader.readexactly(4))[3]
        size = 4 if kind == 1 else (await reader.readexactly(1))[0]
        raw = await reader.readexactly(size)
        host = ".".join(map(str, raw)) if kind == 1 else raw.decode()
        (port,) = struct.unpack(">H", await reader.readexactly(2))
        self.targets.append((host, port))
        return host, port


async def _relay(target: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Both ways, until either end closes."""
    far_reader, far_writer = await asyncio.open_connection(*target)
    writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    ways = [asyncio.ensure_future(_pump(reader, far_writer)), asyncio.ensure_future(_pump(far_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        far_writer.close()
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()


@asynccontextmanager
async def socks_proxy(mood: Mood = Mood.RELAY) -> AsyncIterator[Socks]:
    """A proxy that listens until the block is left."""
    proxy = Socks(mood)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in list(proxy.tasks):
            task.cancel()
        await asyncio.gather(*proxy.tasks, return_exceptions=True)
        await server.wait_closed()
