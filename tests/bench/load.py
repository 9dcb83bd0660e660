"""The load generator, as a program: orders in on stdin, results out on stdout (``jobs``), until stdin ends."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Sequence

import msgspec
import uvloop

from tests.bench import bodies
from tests.bench.client import Connection, Samples
from tests.bench.jobs import Job, Order, Result, Warm, spread

_QUIET = 5.0  # seconds that opening the connections may take


class Phase:
    """Some requests over connections that are open. Sees to it that it ends."""

    def __init__(self, request: bytes, count: int, seconds: float) -> None:
        self.samples = Samples()
        self.done = 0
        self.failures: list[str] = []
        self._request = request
        self._left = count
        self._seconds = seconds
        self._busy: set[Connection] = set()
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        self._until = 0.0
        self.seconds = 0.0

    async def run(self, connections: Sequence[Connection], limit: float, starts: Sequence[float] = ()) -> None:
        """``starts`` are the seconds after which each connection begins, at once where there are none."""
        timer = time.perf_counter()  # uvloop's own clock counts milliseconds
        began = self._loop.time()
        self._until = began + self._seconds
        self._busy.update(connections)
        for connection, start in zip(connections, starts or [0.0] * len(connections), strict=True):
            self._loop.call_at(began + start, self._next, connection)
        try:
            async with asyncio.timeout(limit):
                await self._over
        except TimeoutError:
            self.failures += [f"there was no whole answer after {limit:g} s"] * len(self._busy)
            for connection in self._busy:
                connection.abort()
        self.seconds = time.perf_counter() - timer

    def answered(self, connection: Connection) -> None:
        self.done += 1
        self._next(connection)

    def failed(self, connection: Connection, why: str) -> None:
        self.failures.append(why)
        self._leave(connection)

    def _next(self, connection: Connection) -> None:
        if self._left and self._loop.time() < self._until:
            self._left -= 1
            connection.send(self, self.samples, self._request)
        else:
            self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if not self._busy and not self._over.done():
            self._over.set_result(None)


async def perform(order: Order) -> Result:
    """Opens the connections, warms up, waits for a line on stdin, measures, closes."""
    job = order.job
    connections = await _connect(order.port, job)
    warm = Phase(_request(order.port, job, spacing=0), job.warm, job.seconds)
    await warm.run(connections, job.limit)
    _say(Warm(len(warm.failures)))
    sys.stdin.buffer.readline()
    phase = Phase(_request(order.port, job, job.spacing), job.count, job.seconds)
    if not warm.failures:
        await phase.run(connections, job.limit, job.starts)
    for connection in connections:
        connection.abort()
    return _result(phase, warm)


async def _connect(port: int, job: Job) -> list[Connection]:
    loop = asyncio.get_running_loop()
    connections: list[Connection] = []
    async with asyncio.timeout(_QUIET):
        for _ in range(job.connections):
            _, connection = await loop.create_connection(
                lambda: Connection(job.chunks, spaced=bool(job.spacing)), "127.0.0.1", port
            )
            connections.append(connection)
    return connections


def _request(port: int, job: Job, spacing: int) -> bytes:
    model = bodies.model(job.chunks, spacing, job.translated)
    return bodies.request(port, model, stream=job.chunks > 0, big=job.big)


def _result(phase: Phase, warm: Phase) -> Result:
    failures = warm.failures + phase.failures
    samples = phase.samples
    return Result(
        done=phase.done,
        failed=len(failures),
        failure=failures[0] if failures else "",
        seconds=phase.seconds,
        chunks=samples.chunks,
        latency=spread(samples.latency),
        first=spread(samples.first),
        transit=spread(samples.transit),
    )


def _say(what: Warm | Result) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    gc.disable()  # a collection is a pause that the figures would blame on the target
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in iter(sys.stdin.buffer.readline, b""):
            _say(runner.run(perform(msgspec.json.decode(line, type=Order))))


if __name__ == "__main__":
    main()
