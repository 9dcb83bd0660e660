"""Fixtures of the gateway's tests: a scripted upstream, a gateway before it or with nothing configured, real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.gateway_process import ONE_ATTEMPT, upstream_env
from tests.redis_server import INSTALL, NONE, VERSIONS, RedisServer, binaries, redis_server
from tests.serving import KEY, TOKEN, Gateway, serving
from tests.upstream import Upstream


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as scripted:
        yield scripted


@pytest.fixture
async def gateway(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Gateway]:
    """Its one provider is the scripted upstream, which it asks once a call; its one client token is ``freecc``."""
    async with serving(tmp_path, upstream_env(upstream.url, TOKEN, KEY) | ONE_ATTEMPT) as running:
        yield running


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway.client() as connected:
        yield connected


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with nothing configured."""
    async with serving(tmp_path, {}) as running:
        yield running


@pytest.fixture(scope="session")
def servers_by_version() -> Iterator[dict[str, RedisServer]]:
    """One server of each version for all tests; each has a prefix of its own."""
    with ExitStack() as stack:
        yield {version: stack.enter_context(redis_server(version=version)) for version in binaries()}


@pytest.fixture(params=VERSIONS)
def real_redis(request: pytest.FixtureRequest, servers_by_version: dict[str, RedisServer]) -> RedisServer:
    """A server that many tests use."""
    if request.param == NONE:
        pytest.skip(INSTALL)
    return servers_by_version[request.param]


@pytest.fixture(params=VERSIONS)
def own_redis(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server that a test may break."""
    if request.param == NONE:
        pytest.skip(INSTALL)
    with redis_server(version=request.param) as server:
        yield server


@pytest.fixture(scope="session")
def one_redis(servers_by_version: dict[str, RedisServer]) -> RedisServer:
    """The newest version's, which many tests use."""
    if not servers_by_version:
        pytest.skip(INSTALL)
    return next(iter(servers_by_version.values()))
