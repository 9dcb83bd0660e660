"""Which store the settings ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from gateway.settings import Settings
from gateway.state.memory import MemoryStore
from providers.ports import Time

if TYPE_CHECKING:
    from gateway.state.shared_store import SharedStore, StoreObserver

Store: TypeAlias = "MemoryStore | SharedStore"


def make_store(settings: Settings, time: Time, observers: Sequence[StoreObserver]) -> Store:
    """Opens nothing. What Redis needs is loaded only where it is used: it takes as long as the rest of a start."""
    if settings.redis is None:
        return MemoryStore(time.clock, time.wall)
    from gateway.state.line import Line
    from gateway.state.mirror import Mirrors
    from gateway.state.records import Records
    from gateway.state.redis_client import redis_client
    from gateway.state.redis_store import RedisStore
    from gateway.state.redis_text import Names
    from gateway.state.shared_store import SharedStore

    mirrors = Mirrors(settings.processes)
    line, names = Line(redis_client(settings.redis)), Names(settings.redis_prefix)
    redis = RedisStore(line, names, time.clock, mirrors)
    return SharedStore(redis, mirrors, time, observers, records=Records(line, names))
