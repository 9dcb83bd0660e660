"""What the tests of the transport share: both ways out, and one exchange over either."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from providers.call import UpstreamRequest
from providers.errors import UpstreamFailure
from providers.secret import Secret
from providers.spec import Timeouts
from providers.transport import AiohttpTransport, Transport, UpstreamReply, http_transport
from tests.providers.socks import socks_proxy
from tests.providers.support import BOUND, config, quick

HEADERS = (("content-type", "application/json"), ("accept", "application/json"), ("accept-encoding", "identity"))
WAYS = ["direct", "socks"]
each_way = pytest.mark.parametrize("way", WAYS)


@asynccontextmanager
async def reaching(way: str) -> AsyncIterator[Transport]:
    """A transport as the settings would make it."""
    async with socks_proxy() as proxy:
        through = Secret(f"socks5://127.0.0.1:{proxy.port}") if way == "socks" else None
        transport = http_transport(config("http://127.0.0.1", proxy=through))
        assert isinstance(transport, AiohttpTransport)
        try:
            async with asyncio.timeout(BOUND):
                yield transport
        finally:
            await transport.aclose()


def post(
    base: str, body: bytes = b"{}", timeouts: Timeouts | None = None, headers: tuple[tuple[str, str], ...] = HEADERS
) -> UpstreamRequest:
    return UpstreamRequest(f"{base}/v1/messages", headers, body, timeouts or quick())


async def all_of(reply: UpstreamReply) -> bytes:
    """The whole body; the reply is closed whatever happens."""
    parts = []
    try:
        while part := await reply.read():
            parts.append(part)
    finally:
        await reply.aclose()
    return b"".join(parts)


async def failure_of(transport: Transport, request: UpstreamRequest) -> UpstreamFailure:
    with pytest.raises(UpstreamFailure) as raised:
        await all_of(await transport.send(request))
    return raised.value
