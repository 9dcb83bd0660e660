"""Every way in which Redis can be away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError

from tests.eventually import eventually
from tests.redis_server import RedisServer, redis_server
from tests.slow_proxy import slow_proxy

REASONS = {
    "killed": "unreachable",
    "hung": "slow",
    "slow": "slow",
    "read only": "read_only",
    "out of memory": "out_of_memory",
    "password": "refused",
}
HEAL = ("restarted empty", "failed over")  # these end without anybody's doing
SLOW = 0.2  # seconds
WATCH = ("down-after-milliseconds mymaster 300", "failover-timeout mymaster 3000")


@dataclass(frozen=True)
class Fault:
    """``url`` is the one to use."""

    name: str
    url: str
    breaks: Callable[[], Awaitable[None]]
    mends: Callable[[], Awaitable[None]]


@asynccontextmanager
async def faults(name: str, server: RedisServer) -> AsyncIterator[Fault]:
    """One of REASONS or HEAL."""
    match name:
        case "slow":
            async with _slowed(server) as fault:
                yield fault
        case "failed over":
            async with watched(server) as (url, _):
                yield Fault(name, url, lambda: _break("killed", server), _nothing)
        case _:
            yield Fault(name, server.url, lambda: _break(name, server), lambda: _mend(name, server))


@asynccontextmanager
async def _slowed(server: RedisServer) -> AsyncIterator[Fault]:
    async with slow_proxy(server.port) as proxy:

        async def delay(seconds: float) -> None:
            proxy.delay = seconds

        yield Fault("slow", f"redis://127.0.0.1:{proxy.port}", lambda: delay(SLOW), lambda: delay(0.0))


@asynccontextmanager
async def watched(master: RedisServer) -> AsyncIterator[tuple[str, RedisServer]]:
    """A Sentinel watches over it: its URL, and the replica that it puts in its place."""
    monitor = f"monitor mymaster 127.0.0.1 {master.port} 1"
    with (
        redis_server(("replicaof", f"127.0.0.1 {master.port}")) as second,
        redis_server(sentinel=(monitor, *WATCH)) as sentinel,
    ):
        async with plain(sentinel.port) as watcher:

            async def knows_a_replica() -> bool:
                return bool(await say(watcher, "SENTINEL", "REPLICAS", "mymaster"))

            await eventually(knows_a_replica)
        yield f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster", second


async def _nothing() -> None:
    return


async def _break(name: str, server: RedisServer) -> None:
    match name:
        case "killed":
            server.kill()
        case "restarted empty":
            server.kill()
            server.start()
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
