"""What an admission costs: against PING, and on the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from redis.asyncio import Redis

from gateway.state.line import Line
from gateway.state.mirror import Mirrors
from gateway.state.redis_store import RedisStore
from gateway.state.redis_text import Names
from providers.spec import Limits
from providers.state import Ask, Candidate, Settlement
from tests.chaos.faults import plain
from tests.chaos.measure import quantile
from tests.redis_server import RedisServer

PATIENT = 10.0  # seconds


@dataclass(frozen=True)
class Speed:
    """Microseconds, one after the other over one connection; and what one core of the server could do."""

    ping: tuple[float, float]  # p50, p99
    admit: tuple[float, float]
    settle: tuple[float, float]
    server_admit: float  # microseconds of the server's own
    server_settle: float
    per_core: float  # admissions a second, without their settlements
    batched: float  # admissions and settlements a second of one process, 100 at once


async def speed(server: RedisServer, keys: int, count: int) -> Speed:
    """Every key has all three limits, far away."""
    limits = Limits(requests=10**8, tokens=10**9, concurrency=10**6)
    pool = [Candidate(f"k{number}", f"acme-{number}", f"a{number}", limits) for number in range(keys)]
    async with plain(server.port) as client:
        store = RedisStore(Line(Redis(port=server.port), PATIENT), Names("speed:"), time.monotonic, Mirrors())
        names = iter(range(10**9))

        async def admit() -> str:
            lease = f"0123456789abcdef-{next(names)}"
            admission = await store.admit(Ask(lease, "acme", "m", pool, 1000))
            assert admission.candidate
            return lease

        async def both() -> None:
            await store.settle("acme", await admit(), Settlement("ok", 900))

        await _each(count // 10, both)
        ping = await _each(count, client.ping)
        start = await _cpu(client)
        leases: list[str] = []

        async def keeping() -> None:
            leases.append(await admit())

        admits = await _each(count, keeping)
        between = await _cpu(client)
        left = iter(leases)
        settles = await _each(count, lambda: store.settle("acme", next(left), Settlement("ok", 900)))
        over = await _cpu(client)
        began = time.perf_counter()
        for _ in range(count // 100):
            await asyncio.gather(*(both() for _ in range(100)))
        batched = count // 100 * 100 / (time.perf_counter() - began)
        before = await _cpu(client)
        for _ in range(count // 100):
            leases = await asyncio.gather(*(admit() for _ in range(100)))
        spent = await _cpu(client) - before
        await store.aclose()
    on_admit, on_settle = (between - start) / count, (over - between) / count
    return Speed(_p(ping), _p(admits), _p(settles), on_admit, on_settle, count * 1e6 / spent, batched)


async def _each(count: int, work: Callable[[], Awaitable[object]]) -> list[float]:
    took = []
    for _ in range(count):
        began = time.perf_counter()
        await work()
        took.append((time.perf_counter() - began) * 1e6)
    return took


async def _cpu(client: Redis) -> float:
    """Microseconds that the server computed."""
    used = await client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"]) * 1e6


def _p(values: list[float]) -> tuple[float, float]:
    return quantile(values, 0.5), quantile(values, 0.99)
