"""What the tests of the shared store have in common: gateways' stores on one real server, with the server's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from gateway.app import TIME
from gateway.settings.redis_address import redis_address
from gateway.state.line import DEADLINE, Line
from gateway.state.mirror import Mirrors
from gateway.state.redis_client import redis_client
from gateway.state.redis_store import LIFE, RedisStore
from gateway.state.redis_text import Names
from gateway.state.shared_store import BEAT, SharedStore
from tests.gateway.state.support import Desk, HandClock

SOON = 10.0  # seconds: a bound for what takes far less on a machine with nothing else to do
LOOKS = 5  # after which, a second apart, a store has its server again


@dataclass
class Told:
    """What observers of the store were told."""

    lost: list[str] = field(default_factory=list)
    away: list[tuple[str, str]] = field(default_factory=list)
    returned: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)

    def store_waited(self, seconds: float) -> None:
        self.waits.append(seconds)

    def store_settled(self, seconds: float) -> None:
        self.settled.append(seconds)

    def store_lost(self, reason: str) -> None:
        self.lost.append(reason)

    def store_away(self, reason: str, words: str) -> None:
        self.away.append((reason, words))

    def store_returned(self, seconds: float) -> None:
        self.returned.append(seconds)


@dataclass
class Looks:
    """When a store looks after its server: when the test says so."""

    _sleeping: asyncio.Event = field(default_factory=asyncio.Event)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, _: float) -> None:
        self._sleeping.set()
        await self._woken.wait()
        self._woken.clear()

    async def look(self, times: int = 1) -> None:
        """To the end of it."""
        for _ in range(times):
            async with asyncio.timeout(SOON):
                await self._sleeping.wait()
                self._sleeping.clear()
                self._woken.set()
                await self._sleeping.wait()


@dataclass
class Replica:
    """One process of several, as far as its store goes."""

    desk: Desk
    store: SharedStore
    line: Line
    told: Told
    looks: Looks

    async def beat(self) -> None:
        """A sign of life."""
        await self.looks.look(BEAT)

    async def is_known_to_be_away(self) -> None:
        """Where it may be that the server only stumbled, after some questions."""
        async with asyncio.timeout(SOON):
            while not self.told.away:
                await self.looks.look()

    async def comes_back(self) -> None:
        """Its server, which is there again."""
        for _ in range(LOOKS):
            await self.looks.look()
            if self.store.away is None:
                return
        raise AssertionError(self.store.away)


@asynccontextmanager
async def replica(
    url: str, prefix: str, processes: int = 1, deadline: float = DEADLINE, life: float = LIFE, ahead: float = 0.0
) -> AsyncIterator[Replica]:
    """``ahead``: by how much its clock is."""
    address = redis_address(url)
    assert address is not None
    mirrors, told, looks = Mirrors(processes), Told(), Looks()
    moments = replace(TIME, clock=lambda: time.monotonic() + ahead)
    line = Line(redis_client(address), deadline)
    redis = RedisStore(line, Names(prefix), moments.clock, mirrors, life)
    store = SharedStore(redis, mirrors, moments, (told,), looks.sleep, retry=0.0)
    async with store:
        desk = Desk(store, HandClock(), _leases=(f"{id(store)}-{number}" for number in range(10**9)))
        yield Replica(desk, store, line, told, looks)
