"""Upstreams that break or are not there: a kind for each, and words that name no address."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest

from providers.errors import ErrorKind
from providers.transport import AiohttpTransport
from tests.providers.support import quick
from tests.providers.wire import HEADERS, all_of, each_way, failure_of, post, reaching
from tests.upstream import (
    Cut,
    Head,
    Raw,
    Reply,
    Reset,
    ScriptedServer,
    Send,
    blackhole,
    json_reply,
    refusing,
)

CUT, MALFORMED, UNREACHABLE = ErrorKind.CUT, ErrorKind.MALFORMED, ErrorKind.UNREACHABLE
FAULTS = {
    "reset before the status": (Reply((Reset(),)), {CUT}),
    "cut before the status": (Reply((Cut(),)), {CUT}),
    "cut in the status": (Reply((Raw(b"HTTP/1.1 20"), Cut())), {CUT, MALFORMED}),
    "cut in the headers": (Reply((Raw(b"HTTP/1.1 200 OK\r\ncontent-ty"), Cut())), {CUT, MALFORMED}),
    "cut before the body": (Reply((Head(), Cut())), {CUT}),
    "cut in the body": (Reply((Head(), Send(b"one"), Cut())), {CUT}),
    "cut in a chunk": (Reply((Head(), Raw(b"9\r\none"), Cut())), {CUT}),
    "reset in the body": (Reply((Head(), Send(b"one"), Reset())), {CUT}),
    "short of its length": (Reply((Head(200, (("content-length", "9"),)), Send(b"one"), Cut())), {CUT}),
    "a chunk without a size": (Reply((Head(), Raw(b"zzz\r\none\r\n"), Cut())), {CUT, MALFORMED}),
    "a chunk of another size": (Reply((Head(), Raw(b"1\r\none\r\n"), Cut())), {CUT, MALFORMED}),
    "another protocol": (Reply((Raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), Cut())), {CUT, MALFORMED}),
    "binary": (Reply((Raw(bytes(range(128, 256)) * 9), Cut())), {CUT, MALFORMED}),
    "endless headers": (Reply((Head(200, (("x-long", "y" * 200_000),)),)), {CUT, MALFORMED}),
}


@each_way
@pytest.mark.parametrize(("reply", "kinds"), FAULTS.values(), ids=FAULTS.keys())
async def test_a_broken_answer_is_a_failure_with_words(way: str, reply: Reply, kinds: set[ErrorKind]) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(reply, json_reply("well again"))
        failure = await failure_of(transport, post(upstream.url))
        assert failure.kind in kinds
        assert failure.words
        assert str(upstream.port) not in failure.words
        assert failure.status is None
        assert await all_of(await transport.send(post(upstream.url))) == b'"well again"'


async def test_a_refused_connection() -> None:
    with refusing() as base:
        async with reaching("direct") as transport:
            failure = await failure_of(transport, post(base))
    assert (failure.kind, failure.words) == (UNREACHABLE, "the connection was refused")


async def test_a_connection_that_is_never_made() -> None:
    with blackhole() as base:
        async with reaching("direct") as transport:
            failure = await failure_of(transport, post(base, timeouts=quick(connect=0.05)))
    assert (failure.kind, failure.words) == (UNREACHABLE, "connecting took too long")


async def test_a_host_without_an_address() -> None:
    # Longer than a name may be, so that nobody is asked for it.
    base = "http://" + ".".join(["a" * 60] * 6)
    async with reaching("direct") as transport:
        failure = await failure_of(transport, post(base))
    assert (failure.kind, failure.words) == (UNREACHABLE, "its host name cannot be resolved")


@pytest.mark.parametrize("base", ["http://", "http://[::1", "http://127.0.0.1:99999", "http://a..b"])
async def test_a_base_url_that_is_none(base: str) -> None:
    async with reaching("direct") as transport:
        assert (await failure_of(transport, post(base))).kind is UNREACHABLE


@each_way
@pytest.mark.parametrize("value", ["a\nb", "a\r\nx-api-key: b", "a\0b"])
async def test_a_header_that_breaks_out_is_never_sent(way: str, value: str) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        await failure_of(transport, post(upstream.url, headers=(*HEADERS, ("x-app", value))))
    assert upstream.requests == []


async def test_tls_to_a_server_that_speaks_none() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server, reaching("direct") as transport:
        port = server.sockets[0].getsockname()[1]
        failure = await failure_of(transport, post(f"https://127.0.0.1:{port}"))
    assert (failure.kind, failure.words) == (UNREACHABLE, "the TLS handshake failed")


@each_way
async def test_an_upstream_that_takes_no_body_is_given_up(way: str) -> None:
    with closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        base = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with reaching(way) as transport:
            # More than the buffers of the sockets in between can hold.
            failure = await failure_of(transport, post(base, b"x" * (64 << 20), quick(write=0.1)))
    assert (failure.kind, failure.words) == (UNREACHABLE, "it did not take the request in time")


async def test_closing_an_unused_transport_is_fine() -> None:
    await AiohttpTransport().aclose()
    await AiohttpTransport("socks5://127.0.0.1:9").aclose()
