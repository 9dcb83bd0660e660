"""``make chaos``: the runs at full size, and a table of what came of them. ARGS=--small takes half a minute,
ARGS=--speed measures only what an admission costs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from gateway.state.redis_store import LIFE
from tests.chaos import runs
from tests.chaos.faults import HEAL, REASONS, faults
from tests.chaos.fleet import Fleet, Limit, running_fleet
from tests.chaos.speed import Speed, speed
from tests.chaos.upstream import Upstream, running_upstream
from tests.redis_server import INSTALL, binaries, binary, redis_server

LIMIT = Limit()
ANSWER = 0.3  # seconds that an answer takes


@dataclass(frozen=True)
class Size:
    """How much is done."""

    processes: int = 8
    requests: int = 3000
    at_once: int = 64
    outage: float = 8.0  # seconds before a fault, and of it
    admissions: int = 10_000


SMALL = Size(processes=2, requests=100, at_once=16, outage=1.5, admissions=500)


@dataclass
class Table:
    """What was measured, what was wanted, and whether it is so."""

    rows: list[tuple[str, str, str, bool]] = field(default_factory=list)

    def add(self, what: str, found: str, wanted: str, good: bool) -> None:
        self.rows.append((what, found, wanted, good))
        print(self._line(self.rows[-1]), flush=True)

    def _line(self, row: tuple[str, str, str, bool]) -> str:
        what, found, wanted, good = row
        return f"{what:<52}{found:<26}{wanted:<18}{'ok' if good else 'NOT SO'}"

    @property
    def good(self) -> bool:
        return all(good for *_, good in self.rows)


async def main(size: Size, only_speed: bool = False) -> bool:
    table = Table()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {next(iter(binaries()))}")
    print(f"{'':<52}{'found':<26}wanted")
    if not only_speed:
        with tempfile.TemporaryDirectory() as folder:
            await _chaos(table, size, Path(folder))
    await _speed(table, size)
    print(f"load {os.getloadavg()[0]:.1f}")
    return table.good


async def _chaos(table: Table, size: Size, folder: Path) -> None:
    async with running_upstream(ANSWER) as upstream:
        await _limits(table, size, folder, upstream)
        for name in (*REASONS, *HEAL):
            await _outage(table, size, folder, upstream, name)


async def _limits(table: Table, size: Size, folder: Path, upstream: Upstream) -> None:
    with redis_server() as redis:
        async with running_fleet(folder / "limits", upstream, redis.url, size.processes + 1, LIMIT, killed=1) as fleet:
            kept = await runs.limits(upstream, fleet.gateways[1:], size.requests, size.at_once, LIMIT)
            most, rate = max(upstream.most.values()), LIMIT.requests // 10
            what = f"{size.processes} processes, {LIMIT.keys} keys, {kept.total} requests"
            table.add(
                f"{what}: in any 6 s",
                f"at most {kept.most} with a key",
                f"{rate} + in flight",
                kept.most <= rate + most,
            )
            table.add("  at once with a key", f"at most {most}", f"{LIMIT.concurrency}", most <= LIMIT.concurrency)
            enough = kept.utilisation >= 0.95 or size is SMALL
            table.add("  of what the limits allow", f"{kept.utilisation:.1%}", "95 %", enough)
            table.add("  gateways that called Redis away", str(sum(fleet.away)), "0", sum(fleet.away) == 0)
            table.add("  times that Redis answered late", str(await runs.stumbles(fleet)), "(the machine's)", True)
            spread = await runs.refused(upstream, fleet.gateways[1:], size.at_once, "sk-0")
            table.add(
                "a key refused: last asked after the first 401", f"{spread * 1e3:.1f} ms", "50 ms", spread <= 0.05
            )
            back = await runs.killed(upstream, fleet)
            table.add("kill -9: its slot is had by another after", f"{back:.1f} s", f"{LIFE:g} s", back <= LIFE + 1)


async def _outage(table: Table, size: Size, folder: Path, upstream: Upstream, name: str) -> None:
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server())
        fault = await stack.enter_async_context(faults(name, redis))
        place = folder / name.replace(" ", "-")
        fleet: Fleet = await stack.enter_async_context(running_fleet(place, upstream, fault.url, size.processes, LIMIT))
        found = await runs.outage(upstream, fleet, fault, size.at_once, size.outage)
    table.add(f"Redis {name}: {found.requests} requests", f"{found.failed} failed", "0 failed", found.failed == 0)
    # A process that gets no processor time is late without a fault too.
    table.add(
        "  waits for the store beyond 100 ms",
        f"{found.late}, and {found.waited} before",
        "0, or as before",
        found.late <= max(size.processes, 2 * found.waited) if found.waited else found.late == 0,
    )
    table.add("  in any 6 s", f"at most {found.most} with a key", "30 + in flight", found.most <= 30 + found.at_once)
    lost, least = sum(found.said), 0 if name in HEAL else size.processes
    wanted = f"{least}, each once" if least else "each at most once"
    table.add("  gateways that said so", f"{lost} times", wanted, lost >= least and max(found.said) <= 1)
    table.add("  all whole again after", f"{found.recovery:.1f} s", "5 s", found.recovery <= 5.0)


async def _speed(table: Table, size: Size) -> None:
    for keys in (1, 5, 50):
        with redis_server() as redis:
            found = await speed(redis, keys, size.admissions)
        for what, value in _speeds(found):
            table.add(f"{keys} key{'s' if keys > 1 else ''}: {what}", value, "", True)


def _speeds(found: Speed) -> Iterator[tuple[str, str]]:
    for what, (p50, p99) in (("PING", found.ping), ("admission", found.admit), ("settlement", found.settle)):
        yield f"{what}, p50 and p99", f"{p50:.0f} us, {p99:.0f} us"
    yield "admissions a second per Redis core", f"{found.per_core:,.0f}"
    yield "calls a second of one process", f"{found.batched:,.0f}"


if __name__ == "__main__":
    if binary() is None:
        sys.exit(INSTALL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a little of everything: shows only that it works")
    parser.add_argument("--speed", action="store_true", help="only what an admission costs, against PING")
    chosen = parser.parse_args()
    sys.exit(0 if asyncio.run(main(SMALL if chosen.small else Size(), chosen.speed)) else 1)
