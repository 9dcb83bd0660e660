"""The stores that fulfil the port. Each test that asks for a ``desk`` runs with each of them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import fakeredis
import pytest
from redis.asyncio import Redis

from gateway.state.line import Client, Line
from gateway.state.memory import MemoryStore
from gateway.state.mirror import Mirrors
from gateway.state.redis_store import RedisStore
from gateway.state.redis_text import Names
from tests.gateway.state.support import Desk, HandClock
from tests.redis_server import INSTALL, NONE, VERSIONS, RedisServer

YEARS = 1e9  # seconds: a lease outlives whatever a test does to the clock
_numbers = itertools.count()


def unique_prefix() -> str:
    return f"test-{next(_numbers)}:"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@asynccontextmanager
async def shared_desk(client: Client, clock: HandClock, most: int) -> AsyncIterator[Desk]:
    line = Line(client, deadline=10.0)
    names = Names(unique_prefix())
    try:
        store = RedisStore(line, names, lambda: clock.now, Mirrors(), YEARS, lambda: (clock.now, clock.wall))
        yield Desk(store, clock, most=most)
    finally:
        await line.aclose()


@pytest.fixture(params=["memory", "fakeredis", *VERSIONS])
async def desk(request: pytest.FixtureRequest, clock: HandClock) -> AsyncIterator[Desk]:
    match request.param:
        case "memory":
            yield Desk(MemoryStore(lambda: clock.now, lambda: clock.wall), clock)
        case "fakeredis":
            async with shared_desk(fakeredis.FakeAsyncRedis(), clock, 100) as desk:
                yield desk
        case _ if request.param == NONE:
            pytest.skip(INSTALL)
        case version:
            servers: dict[str, RedisServer] = request.getfixturevalue("servers_by_version")
            async with shared_desk(Redis(port=servers[version].port), clock, 1000) as desk:
                yield desk
