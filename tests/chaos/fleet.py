"""Gateway processes that share a Redis and the keys of one upstream, and clients that use them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from tests.chaos.upstream import Upstream
from tests.gateway_process import GatewayProcess, running_gateway

STARTED = 60.0  # seconds in which all processes are up
PATIENCE = 60.0  # seconds of a client
HELD = "sk-held"  # the one key of the provider "held"


@dataclass(frozen=True)
class Limit:
    """What each of ``keys`` keys may be asked."""

    keys: int = 5
    requests: int = 300  # a minute
    concurrency: int = 10


@dataclass
class Fleet:
    """All gateways. Their providers are ``acme``, with the keys sk-0 and on, and ``held``, with one slot."""

    gateways: list[GatewayProcess]

    @property
    def away(self) -> list[int]:
        """How often each gateway said that Redis is away."""
        return [gateway.stderr.count("redis is away") for gateway in self.gateways]

    @property
    def living(self) -> list[GatewayProcess]:
        return [gateway for gateway in self.gateways if gateway.process.poll() is None]

    def kill(self, number: int) -> None:
        """Gives it no time to say anything."""
        self.gateways[number].process.kill()
        self.gateways[number].process.wait()


@asynccontextmanager
async def running_fleet(
    home: Path, upstream: Upstream, redis_url: str, count: int, limit: Limit, killed: int = 0
) -> AsyncIterator[Fleet]:
    """``killed``: how many of them, the first ones, do not live to its end."""
    config = await asyncio.to_thread(_written, home, _toml(upstream, limit))
    env = {
        "KEYTURN_CONFIG": str(config),
        "MODEL": "acme/m",
        "REDIS_URL": redis_url,
        "KEYTURN_PROCESSES": str(count),
        "QUEUE_LIMIT": "1000",
        "LOG_LEVEL": "WARNING",
    }
    async with AsyncExitStack() as stack:
        runs = [asyncio.to_thread(_entered, home / str(number), env, number < killed, stack) for number in range(count)]
        yield Fleet(await asyncio.gather(*runs))


def _entered(home: Path, env: dict[str, str], killed: bool, stack: AsyncExitStack) -> GatewayProcess:
    """In a thread: programs start at once, as far as the machine lets them."""
    return stack.enter_context(running_gateway(home, env, dies=killed, ready_within=STARTED))


def _written(home: Path, text: str) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    (home / "keyturn.toml").write_text(text)
    return home / "keyturn.toml"


def _toml(upstream: Upstream, limit: Limit) -> str:
    lines = _provider("acme", upstream)
    for number in range(limit.keys):
        lines += _key(f"sk-{number}", limit.concurrency)
        lines.append(f"requests_per_minute = {limit.requests}")
    lines += [*_provider("held", upstream), *_key(HELD, 1)]
    return "\n".join(lines) + "\n"


def _provider(name: str, upstream: Upstream) -> list[str]:
    return ["[[providers]]", f'name = "{name}"', 'type = "anthropic"', f'base_url = "{upstream.url}"']


def _key(secret: str, concurrency: int) -> list[str]:
    return ["[[providers.keys]]", f'api_key = "{secret}"', f"max_concurrency = {concurrency}"]


@dataclass
class Served:
    """What clients met."""

    statuses: Counter[int] = field(default_factory=Counter)  # 0: no answer at all
    seconds: list[tuple[float, float]] = field(default_factory=list)  # when each request began, and how long it took

    @property
    def failed(self) -> int:
        return self.statuses.total() - self.statuses[200]

    def took(self, since: float = 0.0) -> list[float]:
        """Seconds of each request that began after a moment."""
        return [took for began, took in self.seconds if began >= since]


@asynccontextmanager
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(PATIENCE)) as session:
        yield session


async def ask(session: ClientSession, gateway: GatewayProcess, served: Served, model: str = "m") -> int:
    """The status of one request; 0 where there was none."""
    body = {"model": model, "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
    began, status = time.monotonic(), 0
    try:
        async with session.post(f"{gateway.url}/v1/messages", json=body) as reply:
            await reply.read()
            status = reply.status
    except (ClientError, TimeoutError, ConnectionError):
        pass
    served.statuses[status] += 1
    served.seconds.append((began, time.monotonic() - began))
    return status


async def requests(gateways: list[GatewayProcess], total: int, at_once: int) -> Served:
    """So many requests, each gateway in its turn, never more than ``at_once`` open."""
    served, left, turns = Served(), iter(range(total)), itertools.cycle(gateways)
    async with client() as session:

        async def worker() -> None:
            for _ in left:
                await ask(session, next(turns), served)

        await asyncio.gather(*(worker() for _ in range(at_once)))
    return served


@asynccontextmanager
async def traffic(gateways: list[GatewayProcess], at_once: int) -> AsyncIterator[Served]:
    """Requests for as long as the block takes."""
    served, over, turns = Served(), asyncio.Event(), itertools.cycle(gateways)
    async with client() as session:

        async def worker() -> None:
            while not over.is_set():
                await ask(session, next(turns), served)

        workers = [asyncio.create_task(worker()) for _ in range(at_once)]
        try:
            yield served
        finally:
            over.set()
            await asyncio.gather(*workers)
