"""What outlasts a process: rests, counts and what was found out about models. In Redis, which has the first two, or in
a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from gateway.state.memory import MemoryStore
from gateway.state.plain import Clocks, plain, restore
from gateway.state.state_file import StateFile
from providers.keys import KeyPool
from providers.ports import Time
from providers.registry import Registry

if TYPE_CHECKING:
    from gateway.state.facts import FactBook

EVERY = 5.0  # seconds


class Keeping(Protocol):
    """Where it is kept."""

    async def begin(self) -> None:
        """Takes in what was kept."""

    async def keep(self) -> None:
        """What is new is kept."""

    async def follow(self, registry: Registry) -> None:
        """After a reload: what is kept is that of ``registry``, and what was kept of those that are new is taken in."""


async def keep_on(keeping: Keeping, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
    """For as long as the process lives."""
    while True:
        await sleep(EVERY)
        await keeping.keep()


class KeptInRedis:
    """Facts, and other processes' too."""

    def __init__(self, registry: Registry, book: FactBook) -> None:
        self._registry = registry
        self._book = book

    async def begin(self) -> None:
        self._registry.remember(await self._book.exchange(list(self._registry.pools), {}))

    async def keep(self) -> None:
        found = await self._book.exchange(list(self._registry.live), self._registry.facts())
        self._registry.remember(found)

    async def follow(self, registry: Registry) -> None:
        self._registry = registry
        await self.begin()


class KeptInFile:
    """All of it."""

    def __init__(self, registry: Registry, store: MemoryStore, file: StateFile, time: Time) -> None:
        self._registry = registry
        self._store = store
        self._file = file
        self._time = time
        self._kept: dict[str, Any] = {}  # of providers that are not configured now, and facts of those not yet live
        self._said = ""
        self._log: FilteringBoundLogger = structlog.get_logger("keyturn")

    async def begin(self) -> None:
        state = await asyncio.to_thread(self._file.read)
        self._complain()
        providers = state.get("providers")
        self._kept = providers if isinstance(providers, dict) else {}
        self._take_in(self._registry.pools)

    async def follow(self, registry: Registry) -> None:
        self._note()
        new = registry.pools.keys() - self._registry.pools.keys()
        self._registry = registry
        self._take_in({name: registry.pools[name] for name in new})

    def _note(self) -> None:
        facts, clocks = self._registry.facts(), self._clocks()
        for name, pool in self._registry.pools.items():
            known = facts.get(name) or _of(self._kept, name, "facts")
            self._kept[name] = {"state": plain(self._store.ledger(name), pool.candidates, clocks), "facts": known}

    def _take_in(self, pools: Mapping[str, KeyPool]) -> None:
        for name, pool in pools.items():
            restore(_of(self._kept, name, "state"), self._store.ledger(name), pool.candidates, self._clocks())
        self._registry.remember({name: _of(self._kept, name, "facts") for name in pools})

    async def keep(self) -> None:
        self._note()
        await asyncio.to_thread(self._file.write, {"providers": self._kept})
        self._complain()

    def _clocks(self) -> Clocks:
        return Clocks(self._time.clock(), self._time.wall())

    def _complain(self) -> None:
        """Once for each problem."""
        if self._file.problem != self._said:
            self._said = self._file.problem
            if self._said:
                self._log.warning("KEYTURN_STATE_FILE: " + self._said)


def _of(kept: dict[str, Any], provider: str, what: str) -> dict[str, Any]:
    entry = kept.get(provider)
    found = entry.get(what) if isinstance(entry, dict) else None
    return found if isinstance(found, dict) else {}
