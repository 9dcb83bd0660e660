"""A TCP proxy on loopback that takes its time with answers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class SlowProxy:
    """Between a client and ``target``; ``delay`` is in seconds, for every piece of an answer."""

    target: int
    delay: float = 0.0
    port: int = 0
    pieces: int = 0  # that clients sent
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._open |= {writer, back}
        try:
            await asyncio.gather(self._pump(reader, back, there_to=True), self._pump(there, writer, there_to=False))
        finally:
            self._open -= {writer, back}
            writer.close()
            back.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, there_to: bool) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if there_to:
                    self.pieces += 1
                elif self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        writer.close()

    def close(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()


@asynccontextmanager
async def slow_proxy(target: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[SlowProxy]:
    """``tls`` is spoken to clients."""
    proxy = SlowProxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
        await server.wait_closed()
