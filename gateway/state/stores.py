"""Which store the settings ask for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from gateway.clients.book import Book
from gateway.clients.file_book import FileBook
from gateway.settings import Settings
from gateway.state.keeping import Keeping, KeptInFile, KeptInRedis
from gateway.state.memory import MemoryStore
from gateway.state.state_file import StateFile
from providers.ports import Time
from providers.registry import Registry

if TYPE_CHECKING:
    from gateway.state.shared_store import SharedStore, StoreObserver

Store: TypeAlias = "MemoryStore | SharedStore"


def make_store(settings: Settings, time: Time, observers: Sequence[StoreObserver]) -> Store:
    """Opens nothing. What Redis needs is loaded only where it is used: it takes as long as the rest of a start."""
    if settings.redis is None:
        return MemoryStore(time.clock, time.wall)
    from gateway.clients.redis_book import RedisBook
    from gateway.state.facts import FactBook
    from gateway.state.line import Line
    from gateway.state.mirror import Mirrors
    from gateway.state.records import Records
    from gateway.state.redis_client import redis_client
    from gateway.state.redis_store import RedisStore
    from gateway.state.redis_text import Names
    from gateway.state.shared_store import SharedStore
    from gateway.state.usage_book import UsageBook

    mirrors = Mirrors(settings.processes)
    line, names = Line(redis_client(settings.redis)), Names(settings.redis_prefix)
    redis = RedisStore(line, names, time.clock, mirrors)
    beside = Records(line, names), FactBook(line, names), RedisBook(line, names), UsageBook(line, names)
    return SharedStore(redis, mirrors, time, observers, asyncio.sleep, *beside)


def make_keeping(settings: Settings, time: Time, store: Store, registry: Registry) -> Keeping | None:
    """What outlasts the process; None where nothing does."""
    if store.book:
        return KeptInRedis(registry, store.book)
    if settings.state_file and isinstance(store, MemoryStore):
        return KeptInFile(registry, store, StateFile(settings.state_file), time)
    return None


def make_book(settings: Settings, store: Store) -> Book | None:
    """Where the client tokens are that were made; None where they would end with the process."""
    if store.clients:
        return store.clients
    return FileBook(StateFile(settings.state_file)) if settings.state_file else None


@asynccontextmanager
async def opened_book(settings: Settings) -> AsyncIterator[Book | None]:
    """The same for a command, which runs no gateway."""
    if settings.redis is None:
        yield FileBook(StateFile(settings.state_file)) if settings.state_file else None
        return
    from gateway.clients.redis_book import RedisBook
    from gateway.state.line import Line
    from gateway.state.redis_client import redis_client
    from gateway.state.redis_text import Names

    line = Line(redis_client(settings.redis))
    try:
        yield RedisBook(line, Names(settings.redis_prefix))
    finally:
        await line.aclose()


def whereabouts(settings: Settings, store: Store) -> dict[str, str | None]:
    """Where the state is, as /admin/pool says it: redis, file or process; and why a Redis is away."""
    if settings.redis:
        return {"place": "redis", "at": str(settings.redis), "away": store.away.reason if store.away else None}
    return {"place": "file", "at": str(settings.state_file)} if settings.state_file else {"place": "process"}
