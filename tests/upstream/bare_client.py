"""A bare HTTP/1.1 client for tests that care which bytes went over the wire, and when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

BOUND = 10


class Client:
    """One connection. Every read is bounded by ten seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def get(self, path: str) -> None:
        self.write(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())

    def post(self, body: Any, path: str = "/v1/messages") -> None:
        raw = json.dumps(body).encode()
        self.write(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(raw), raw))

    async def until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(BOUND):
            return await self.reader.readuntil(mark)

    async def rest(self) -> bytes:
        """All bytes up to the upstream's FIN."""
        async with asyncio.timeout(BOUND):
            return await self.reader.read(-1)

    async def answer(self) -> tuple[bytes, bytes]:
        """The head and the body of one answer with a proper end, chunks joined."""
        head = await self.until(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head:
            return head, b"".join([chunk async for chunk in self.chunks()])
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return head, await self.reader.readexactly(length)

    async def chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.until(b"\r\n"), 16):
            yield (await self.reader.readexactly(size + 2))[:-2]
        assert await self.until(b"\r\n") == b"\r\n"


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    """A client on a connection of its own to 127.0.0.1."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
