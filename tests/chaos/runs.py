"""What is done to a fleet, and what came of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.chaos.faults import Fault
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
    late: int  # waits of gateways for their store beyond 100 ms
    most: int  # requests with a key in any 6 seconds
    at_once: int  # with a key
    lost: int  # gateways that said so
    recovery: float  # seconds from the mending until the last gateway was whole again


async def outage(upstream: Upstream, fleet: Fleet, fault: Fault, at_once: int, seconds: float) -> Outage:
    """Traffic, a fault in the middle of it, and its end."""
    upstream.begin_again()
    async with traffic(fleet.gateways, at_once) as served:
        await asyncio.sleep(seconds)
        await fault.breaks()
        await asyncio.sleep(seconds)
        lost = fleet.lost
        await fault.mends()
        recovery = await _until_whole(fleet)
    late = sum([await _late(gateway) for gateway in fleet.gateways])
    most = max(busiest(sorted(times), 6.0) for times in upstream.arrivals.values())
    at_once = max(upstream.most.values())
    return Outage(len(served.seconds), served.failed, late, most, at_once, lost, recovery)


async def _late(gateway: GatewayProcess) -> int:
    """Waits for the store beyond 100 ms, as the gateway's own metrics have them."""
    async with client() as session, session.get(f"{gateway.url}/metrics") as reply:
        lines = [line.split() for line in (await reply.text()).splitlines()]
    found = {name: float(value) for name, value, *_ in (line for line in lines if len(line) == 2)}
    within = found['keyturn_store_wait_seconds_bucket{le="0.1"}']
    return int(found["keyturn_store_wait_seconds_count"] - within)


async def _until_whole(fleet: Fleet) -> float:
    began = time.monotonic()
    async with client() as session:
        for gateway in fleet.gateways:
            while time.monotonic() - began < LONG:
                async with session.get(f"{gateway.url}/readyz") as reply:
                    if (await reply.json())["status"] == "ready":
                        break
                await asyncio.sleep(LOOK)
    return time.monotonic() - began
