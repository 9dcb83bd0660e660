"""A relay before the gateway that listens to what the gateway sends its client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.upstream import Signal


@dataclass
class Tap:
    """``heard`` is set once ``word`` has passed on its way to the client, in one piece."""

    target: int  # a port of 127.0.0.1
    word: bytes
    port: int = 0
    heard: Signal = field(default_factory=Signal)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, listening: Signal, stop: Signal) -> None:
        connections: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.add(asyncio.ensure_future(self._relay(reader, writer)))

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        await stop.wait(None)
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            with suppress(ConnectionError):
                await asyncio.gather(self._pump(reader, far_writer, b""), self._pump(far_reader, writer, self.word))
        finally:
            far_writer.transport.abort()
            writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, word: bytes) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
            if word and word in data:
                self.heard.set()
        sink.write_eof()


@contextmanager
def tapped(port: int, word: bytes) -> Iterator[Tap]:
    """A tap before this port of 127.0.0.1, on a thread of its own."""
    tap, listening, stop = Tap(port, word), Signal(), Signal()
    with ThreadPoolExecutor(1, "tap") as pool:
        served = pool.submit(asyncio.run, tap.serve(listening, stop))
        try:
            listening.wait_in_thread()
            yield tap
        finally:
            stop.set()
            served.result(10)
