"""Fixtures of the gateway's tests: a scripted upstream, a gateway in front of it, and one with nothing configured."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.gateway_process import ONE_ATTEMPT, upstream_env
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
