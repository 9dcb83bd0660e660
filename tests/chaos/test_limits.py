"""Eight gateways, one Redis, five keys: the limits hold across them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.state.redis_store import LIFE
from tests.chaos.fleet import Limit, running_fleet
from tests.chaos.measure import busiest
from tests.chaos.runs import killed, limits, stumbles
from tests.chaos.upstream import running_upstream
from tests.redis_server import INSTALL, binary, redis_server

PROCESSES = 8
WINDOW, RATE = 6.0, 30
REQUESTS = 600


@pytest.mark.parametrize(
    ("times", "most"), [([], 0), ([1.0], 1), ([0.0, 5.9, 6.0, 6.1], 3), ([0.0, 6.0, 12.0], 1), ([1.0] * 5, 5)]
)
def test_the_measure(times: list[float], most: int) -> None:
    assert busiest(times, WINDOW) == most


async def test_limits_hold_across_eight_processes_and_a_dead_ones_slots_come_back(tmp_path: Path) -> None:
    if binary() is None:
        pytest.skip(INSTALL)
    limit = Limit(keys=5, requests=300, concurrency=10)
    async with running_upstream(0.3) as upstream:
        with redis_server() as redis:
            async with running_fleet(tmp_path, upstream, redis.url, PROCESSES + 1, limit, killed=1) as fleet:
                found, back = await asyncio.gather(
                    limits(upstream, fleet.gateways[1:], REQUESTS, 64, limit), killed(upstream, fleet)
                )
                lost = await stumbles(fleet)
    assert back <= LIFE + 2.0
    # Where the machine was so busy that Redis was late, processes kept to their part for a while.
    slots = 10 + (PROCESSES if lost else 0)
    assert max(upstream.most.values()) <= slots
    # What was let through before a window and arrives in it had a slot all the while.
    assert found.most <= RATE + slots, (found, lost)
    assert max(busiest(sorted(times), 60.0) for times in upstream.arrivals.values()) <= 300
    assert found.utilisation >= (0.8 if lost else 0.95), (found, lost)
