"""What is done to a fleet, and what came of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from aiohttp import ClientSession

from tests.chaos.faults import HEAL, Fault
from tests.chaos.fleet import HELD, Fleet, Limit, Served, ask, client, requests, traffic
from tests.chaos.measure import Kept, busiest, kept
from tests.chaos.upstream import Upstream
from tests.gateway_process import GatewayProcess

LOOK = 0.05  # seconds
LONG = 30.0  # seconds that a recovery may take before it is none


async def limits(upstream: Upstream, gateways: list[GatewayProcess], total: int, at_once: int, limit: Limit) -> Kept:
    """Requests as fast as the limits let them through; how well these were kept in any 6 seconds."""
    upstream.begin_again()
    served = await requests(gateways, total, at_once)
    assert served.statuses == {200: total}, served.statuses
    return kept({key: times for key, times in upstream.arrivals.items() if key != HELD}, limit.requests // 10, 6.0)


async def killed(upstream: Upstream, fleet: Fleet) -> float:
    """Gateway 0 has the only slot and is killed: seconds until the next gateway has it."""
    upstream.held.add(HELD)
    async with client() as session:
        lost = asyncio.create_task(ask(session, fleet.gateways[0], Served(), "held/m"))
        await upstream.until_under_way(HELD, 1)
        upstream.held.clear()
        fleet.kill(0)
        began = time.monotonic()
        await lost
        status = await ask(session, fleet.gateways[1], Served(), "held/m")
        assert status == 200, status
        return time.monotonic() - began


async def refused(upstream: Upstream, gateways: list[GatewayProcess], at_once: int, key: str) -> float:
    """A key is refused in full traffic: seconds from the first 401 to the last time that it was asked."""
    upstream.begin_again()
    async with traffic(gateways, at_once) as served:
        await asyncio.sleep(1.0)
        upstream.refused.add(key)
        await asyncio.sleep(3.0)
        upstream.refused.clear()
    assert served.failed == 0, served.statuses
    return upstream.refusals[-1] - upstream.refusals[0]


@dataclass(frozen=True)
class Outage:
    """What a fault of Redis did to the traffic."""

    requests: int
    failed: int
    waited: int  # waits of gateways for their store beyond 100 ms, before the fault
    late: int  # the same, from then on
    most: int  # requests with a key in any 6 seconds
    at_once: int  # with a key
    said: list[int]  # how often each gateway said so
    recovery: float  # seconds from the mending until the last gateway was whole again


async def outage(upstream: Upstream, fleet: Fleet, fault: Fault, at_once: int, seconds: float) -> Outage:
    """Traffic, a fault in the middle of it, and its end."""
    upstream.begin_again()
    async with traffic(fleet.gateways, at_once) as served:
        await asyncio.sleep(seconds)
        before, said = await late(fleet), fleet.away
        await fault.breaks()
        if fault.name in HEAL:
            recovery = await _until_whole(fleet, seconds)
        else:
            await asyncio.sleep(seconds)
            await fault.mends()
            recovery = await _until_whole(fleet)
    most = max(busiest(sorted(times), 6.0) for times in upstream.arrivals.values())
    return Outage(
        len(served.seconds),
        served.failed,
        before,
        await late(fleet) - before,
        most,
        max(upstream.most.values()),
        [after - earlier for after, earlier in zip(fleet.away, said, strict=True)],
        recovery,
    )


async def late(fleet: Fleet) -> int:
    """Waits for the store beyond 100 ms."""
    pages = [_values(page) for page in await _pages(fleet)]
    every = 'keyturn_redis_seconds_count{op="admit"}'
    in_time = 'keyturn_redis_seconds_bucket{le="0.1",op="admit"}'
    return int(sum(page[every] - page[in_time] for page in pages))


async def stumbles(fleet: Fleet) -> int:
    """How often a gateway went on without Redis, and be it for a fifth of a second."""
    series = "keyturn_redis_lost_total{"
    pages = [_values(page) for page in await _pages(fleet)]
    return int(sum(value for page in pages for name, value in page.items() if name.startswith(series)))


async def _pages(fleet: Fleet) -> list[str]:
    """The metrics of each gateway that lives."""
    async with client() as session:
        replies = [await session.get(f"{gateway.url}/metrics") for gateway in fleet.living]
        return [await reply.text() for reply in replies]


def _values(page: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


async def _until_whole(fleet: Fleet, least: float = 0.0) -> float:
    """Seconds until no gateway was degraded any more; looks for ``least`` seconds, before which one may become it."""
    began = whole = time.monotonic()
    async with client() as session:
        while time.monotonic() - began < LONG:
            ready = [await _is_ready(session, gateway) for gateway in fleet.living]
            if not all(ready):
                whole = time.monotonic()
            elif time.monotonic() - began >= least:
                break
            await asyncio.sleep(LOOK)
    return whole - began


async def _is_ready(session: ClientSession, gateway: GatewayProcess) -> bool:
    async with session.get(f"{gateway.url}/readyz") as reply:
        return bool((await reply.json())["status"] == "ready")
