"""Upstreams that break or are not there: a kind for each, and words that name no address."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing

import aiohttp
import pytest

from providers.errors import ErrorKind
from providers.transport import AiohttpTransport
from tests.providers.support import Rig, config, quick, rig
from tests.providers.wire import HEADERS, all_of, each_way, failure_of, post, reaching
from tests.serving import leave
from tests.upstream import (
    Cut,
    Head,
    Pause,
    Raw,
    Reply,
    Request,
    Reset,
    ScriptedServer,
    Send,
    Step,
    Upstream,
    blackhole,
    json_reply,
    message,
    refusing,
    text,
)

CUT, MALFORMED, UNREACHABLE = ErrorKind.CUT, ErrorKind.MALFORMED, ErrorKind.UNREACHABLE
DISCONNECTED = ErrorKind.DISCONNECTED
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


def readers() -> int:
    gc.collect()
    return sum(isinstance(each, aiohttp.StreamReader) for each in gc.get_objects())


async def test_a_connection_keeps_none_of_the_answers_that_it_served() -> None:
    before = readers()
    async with ScriptedServer() as upstream, reaching("direct") as transport:
        upstream.always(Reply((Head(), Send(b"one"), Pause(0.0), Send(b"two"))))
        for _ in range(20):
            assert await all_of(await transport.send(post(upstream.url))) == b"onetwo"
        assert upstream.accepted == 1
        assert readers() - before < 10


async def test_a_reset_of_an_idle_connection_is_nobodys_business(caplog: pytest.LogCaptureFixture) -> None:
    async with ScriptedServer() as upstream, reaching("direct") as transport:
        upstream.always(Reply((Head(), Send(b"one"), Pause(0.0), Send(b"two"))))
        await all_of(await transport.send(post(upstream.url)))
        upstream.hang_up(reset=True)
        for _ in range(100):  # turns of the loop, in which both ends hear of it
            await asyncio.sleep(0)
        assert await all_of(await transport.send(post(upstream.url))) == b"onetwo"
        assert upstream.accepted == 2
    gc.collect()
    assert caplog.records == []


async def test_closing_an_unused_transport_is_fine() -> None:
    await AiohttpTransport().aclose()
    await AiohttpTransport("socks5://127.0.0.1:9").aclose()


@each_way
@pytest.mark.parametrize("end", [Cut(), Reset()], ids=["fin", "rst"])
async def test_a_connection_that_was_closed_before_its_second_request(way: str, end: Step) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(json_reply("one"), Reply((end,)), json_reply("well again"))
        await all_of(await transport.send(post(upstream.url)))
        failure = await failure_of(transport, post(upstream.url))
        assert (failure.kind, failure.words) == (DISCONNECTED, "it had closed a connection that was to be used again")
        assert await all_of(await transport.send(post(upstream.url))) == b'"well again"'
        assert [request.connection for request in upstream.requests] == [0, 0, 1]


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
async def test_a_connection_that_is_closed_while_its_second_request_is_on_its_way(reset: bool) -> None:
    async with ScriptedServer() as upstream, reaching("direct") as transport:
        upstream.script(json_reply("one"), json_reply("well again"))
        await all_of(await transport.send(post(upstream.url)))
        upstream.hang_up(reset)
        assert (await failure_of(transport, post(upstream.url))).kind is DISCONNECTED
        assert await all_of(await transport.send(post(upstream.url))) == b'"well again"'
        assert upstream.accepted == 2


@each_way
async def test_a_large_body_on_a_connection_that_is_reset_meanwhile(way: str) -> None:
    async with deaf_to_the_second() as base, reaching(way) as transport:
        assert await all_of(await transport.send(post(base))) == b"one"
        assert (await failure_of(transport, post(base, b"x" * (8 << 20)))).kind is DISCONNECTED


@asynccontextmanager
async def deaf_to_the_second() -> AsyncIterator[str]:
    """A server that answers each connection's first request, and resets it when the second begins."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none")
        await reader.read(1)
        leave(writer, reset=True)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@each_way
async def test_a_fresh_connection_that_is_closed_at_once_is_cut(way: str) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(Reply((Head(200, (("connection", "close"),)),)), Reply((Reset(),)))
        await all_of(await transport.send(post(upstream.url)))
        assert (await failure_of(transport, post(upstream.url))).kind is CUT
        assert upstream.accepted == 2


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\ncontent-ty"])
async def test_a_connection_that_began_to_answer_was_not_dead(begun: bytes) -> None:
    async with ScriptedServer() as upstream, reaching("direct") as transport:
        upstream.script(json_reply("one"), Reply((Raw(begun), Cut())))
        await all_of(await transport.send(post(upstream.url)))
        assert (await failure_of(transport, post(upstream.url))).kind is CUT


@each_way
async def test_one_dead_connection_spoils_the_trust_in_the_idle_ones(way: str) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.always(well_on_new_connections(3))
        for reply in await asyncio.gather(*(transport.send(post(upstream.url)) for _ in range(3))):
            await all_of(reply)
        assert (await failure_of(transport, post(upstream.url))).kind is DISCONNECTED
        for _ in range(3):
            assert await all_of(await transport.send(post(upstream.url))) == b'"well"'
        assert [request.connection for request in upstream.requests[4:]] == [3, 3, 3]


def well_on_new_connections(stale: int) -> Callable[[Request], Reply]:
    """Each connection serves one answer, as if it were idle for too long then; those from ``stale`` on live."""
    served: set[int] = set()

    def answer(request: Request) -> Reply:
        dead = request.connection < stale and request.connection in served
        served.add(request.connection)
        return Reply((Reset(),)) if dead else json_reply("well")

    return answer


@pytest.mark.parametrize("end", [Cut(), Reset()], ids=["fin", "rst"])
async def test_a_call_on_a_dead_connection_is_sent_again_at_once(end: Step) -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(message(text("One", pieces=1)), Reply((end,)), message(text("Two", pieces=1)))
        await live.ask(once=False)
        assert b"Two" in await live.ask(once=False)
        assert len(upstream.requests) == 3
        assert await unharmed(live)
        assert [(each.outcome, each.reason) for each in live.trail.attempts] == [
            ("ok", ""),
            ("failed", "disconnected"),
            ("ok", ""),
        ]


async def test_a_call_that_meets_a_second_dead_connection_goes_on_as_after_any_cut() -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(
            message(text("One", pieces=1)), Reply((Cut(),)), Reply((Cut(),)), message(text("Two", pieces=1))
        )
        await live.ask(once=False)
        assert b"Two" in await live.ask(once=False)
        assert [each.reason for each in live.trail.attempts] == ["", "disconnected", "cut", ""]
        assert len(live.moments.slept) == 1


async def unharmed(live: Rig) -> bool:
    return live.moments.slept == [] and await live.pool.states() == {"acme-01": "ready"}
