"""Every way in which Redis can be away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError

from tests.redis_server import RedisServer
from tests.slow_proxy import slow_proxy

REASONS = {
    "killed": "unreachable",
    "hung": "slow",
    "slow": "slow",
    "read only": "read_only",
    "out of memory": "out_of_memory",
    "password": "refused",
}
SLOW = 0.2  # seconds


@dataclass(frozen=True)
class Fault:
    """``url`` is the one to use."""

    name: str
    url: str
    breaks: Callable[[], Awaitable[None]]
    mends: Callable[[], Awaitable[None]]


@asynccontextmanager
async def faults(name: str, server: RedisServer) -> AsyncIterator[Fault]:
    """One of REASONS."""
    if name != "slow":
        yield Fault(name, server.url, lambda: _break(name, server), lambda: _mend(name, server))
        return
    async with slow_proxy(server.port) as proxy:

        async def delay(seconds: float) -> None:
            proxy.delay = seconds

        yield Fault(name, f"redis://127.0.0.1:{proxy.port}", lambda: delay(SLOW), lambda: delay(0.0))


async def _break(name: str, server: RedisServer) -> None:
    match name:
        case "killed":
            server.kill()
        case "hung":
            server.freeze()
        case "read only":
            await _say(server, "REPLICAOF", "127.0.0.1", "1")
        case "out of memory":
            await _say(server, "CONFIG", "SET", "maxmemory", "1")
        case "password":
            await _say(server, "CONFIG", "SET", "requirepass", "another")
            await _say(server, "CLIENT", "KILL", "TYPE", "normal", password="another")


async def _mend(name: str, server: RedisServer) -> None:
    match name:
        case "killed":
            server.start()
        case "hung":
            server.thaw()
        case "read only":
            await _say(server, "REPLICAOF", "NO", "ONE")
        case "out of memory":
            await _say(server, "CONFIG", "SET", "maxmemory", "0")
        case "password":
            await _say(server, "CONFIG", "SET", "requirepass", "", password="another")


async def _say(server: RedisServer, *words: str, password: str | None = None) -> None:
    async with plain(server.port, password) as client:
        with suppress(ConnectionError):
            await say(client, *words)


@asynccontextmanager
async def plain(port: int, password: str | None = None) -> AsyncIterator[Redis]:
    """A client of a test's own."""
    client = Redis(port=port, password=password)
    try:
        yield client
    finally:
        await client.aclose()


async def say(client: Redis, *words: str | int) -> Any:
    """Any command."""
    return await client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py's own
