"""The store of many processes, whether its server is there or not: no request fails or waits because it is away.

While it is, each process keeps to its share of all limits, by a ledger of its own. What came to be meanwhile is told to
the server when it is back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from gateway.clients.redis_book import RedisBook
from gateway.state.facts import FactBook
from gateway.state.mirror import Mirrors
from gateway.state.reasons import SLOW, StoreAway
from gateway.state.records import Records
from gateway.state.redis_store import RedisStore
from gateway.state.usage_book import UsageBook
from providers.ports import Time
from providers.state import Admission, Ask, Candidate, RestOrder, Settlement, Snapshot

LOOK = 0.2  # seconds between two looks at how things are
RETRY = 1.0  # seconds, about, between two questions to a server that is away
CALM = 10.0  # seconds after which the first question comes with the next look: most servers only stumbled
BEAT = 25  # looks between two signs of life
CONNECTING = 2.0  # seconds that a connection may take when no request waits for it
DOUBT = 0.5  # seconds in which a server that answered late is asked at every look, and nobody is told that it is away


class StoreObserver(Protocol):
    """Whoever wants to know of the store. Every method returns at once and never raises."""

    def store_waited(self, seconds: float) -> None:
        """For so long an attempt waited to be admitted by the server, or to find out that it is away."""

    def store_settled(self, seconds: float) -> None:
        """So long it took to tell the server of an attempt's end."""

    def store_lost(self, reason: str) -> None:
        """From now on nobody waits for it. ``reason`` is one of reasons.REASONS."""

    def store_away(self, reason: str, words: str) -> None:
        """It was no stumble; ``words`` are the server's, or the system's."""

    def store_returned(self, seconds: float) -> None:
        """It was lost for so long."""


class SharedStore:
    """See StateStore. Enter it to keep its leases alive; without that it asks a server that was away no more."""

    keeps_traffic = True

    def __init__(
        self,
        redis: RedisStore,
        mirrors: Mirrors,
        time: Time,
        observers: Sequence[StoreObserver] = (),
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        records: Records | None = None,
        book: FactBook | None = None,
        clients: RedisBook | None = None,
        usage: UsageBook | None = None,
        retry: float = RETRY,
    ) -> None:
        """``records``, ``book``, ``clients`` and ``usage`` are what else is at its server."""
        self.records = records
        self.book = book
        self.clients = clients
        self.usage = usage
        self.away: StoreAway | None = None
        self._redis = redis
        self._mirrors = mirrors
        self._time = time
        self._observers = observers
        self._sleep = sleep
        self._retry = retry
        self._told = False  # that it is away
        self._since = 0.0  # when it went away
        self._back = float("-inf")  # when it came back
        self._next = 0.0  # when it is asked again
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SharedStore:
        try:
            await self._redis.alive(CONNECTING)
        except StoreAway as error:
            self._lost(error)
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._redis.aclose()

    # -- the verbs

    async def admit(self, ask: Ask) -> Admission:
        if self.away is None:
            began = self._time.clock()
            try:
                return await self._redis.admit(ask)
            except StoreAway as error:
                self._lost(error)
            finally:
                for each in self._observers:
                    each.store_waited(self._time.clock() - began)
        return self._mirrors[ask.provider].admit(ask, self._time.clock(), self._time.wall())

    async def proved(self, provider: str, lease: str) -> None:
        if self._redis.has(provider, lease):
            await self._tell(self._redis.proved(provider, lease, later=self._later))
        else:
            self._mirrors[provider].proved(lease, self._time.clock())

    async def settle(self, provider: str, lease: str, settlement: Settlement) -> None:
        if self._redis.has(provider, lease):
            began, there = self._time.clock(), self.away is None
            await self._tell(self._redis.settle(provider, lease, settlement, later=self._later))
            for each in self._observers if there else ():
                each.store_settled(self._time.clock() - began)
        else:
            self._mirrors[provider].settle(lease, settlement, self._time.clock())

    async def rest(self, provider: str, candidate: Candidate | None, model: str, order: RestOrder) -> None:
        if self.away is None:
            await self._tell(self._redis.rest(provider, candidate, model, order))
        else:
            self._mirrors[provider].rest(candidate, model, order, self._time.clock())

    async def wake(self, provider: str, candidate: Candidate | None) -> None:
        await self._tell(self._redis.wake(provider, candidate, later=self._later))

    async def snapshot(self, provider: str, candidates: Sequence[Candidate]) -> Snapshot:
        if self.away is None:
            try:
                return await self._redis.snapshot(provider, candidates)
            except StoreAway as error:
                self._lost(error)
        return self._mirrors[provider].snapshot(candidates, self._time.clock())

    # -- there and away

    @property
    def _later(self) -> bool:
        return self.away is not None

    async def _tell(self, telling: Awaitable[None]) -> None:
        try:
            await telling
        except StoreAway as error:
            self._lost(error)

    def _lost(self, error: StoreAway) -> None:
        if self.away is None:
            now = self._time.clock()
            calm = now - self._back > CALM
            self.away, self._since, self._told = error, now, False
            self._next = now if calm else now + self._pause()
            for each in self._observers:
                each.store_lost(error.reason)
            if error.reason != SLOW:
                self._tell_away(error)

    def _tell_away(self, error: StoreAway) -> None:
        self._told = True
        for each in self._observers:
            each.store_away(error.reason, str(error))

    def _pause(self) -> float:
        """Not the same for all processes, or they would all come at one moment."""
        return self._retry * (0.8 + 0.4 * random.random())  # noqa: S311 - no secret

    async def _keep(self) -> None:
        """Gives signs of life to a server that is there, and looks for one that is not."""
        look = 0
        while True:
            await self._sleep(LOOK)
            look += 1
            if self.away is not None:
                if self._time.clock() >= self._next:
                    await self._try_again()
            elif look % BEAT == 0:
                await self._tell(self._redis.beat())

    async def _try_again(self) -> None:
        try:
            await self._redis.reconnect(CONNECTING if self._told else DOUBT / 2)
            await self._redis.return_from(self._since)
        except StoreAway as error:
            now = self._time.clock()
            if not self._told and now - self._since >= DOUBT:
                self._tell_away(error)
            self._next = now + self._pause() if self._told else now
            return
        self.away, self._back = None, self._time.clock()
        for each in self._observers:
            each.store_returned(self._back - self._since)
