"""Bytes to an upstream and back over real sockets, directly and through a SOCKS proxy."""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from pathlib import Path

import pytest

from providers.errors import ErrorKind, UpstreamFailure
from providers.transport import UpstreamReply
from tests.providers.wire import HEADERS, all_of, each_way, failure_of, post, reaching
from tests.upstream import (
    Hang,
    Head,
    Pause,
    Reply,
    ScriptedServer,
    Send,
    Signal,
    json_reply,
    refusing,
)


@each_way
async def test_sends_what_it_is_given_and_nothing_of_its_own(way: str) -> None:
    headers = (
        *HEADERS,
        ("user-agent", "keyturn"),
        ("anthropic-beta", "a"),
        ("anthropic-beta", "b"),
        ("x-api-key", "k"),
    )
    body = b'{ "model" : "m" , "x":"\xc3\xa9" }'
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(json_reply({"ok": 1}, headers=[("Request-Id", "req_7")]))
        reply = await transport.send(post(upstream.url, body, headers=headers))
        assert (reply.status, reply.headers["request-id"]) == (200, "req_7")
        assert reply.headers["content-type"] == "application/json"
        assert await all_of(reply) == b'{"ok": 1}'
    [request] = upstream.requests
    assert (request.method, request.target, request.body) == ("POST", "/v1/messages", body)
    sent = [(name.lower(), value) for name, value in request.headers]
    assert [pair for pair in sent if pair[0] not in ("host", "content-length", "connection")] == list(headers)
    assert dict(sent)["host"] == f"127.0.0.1:{upstream.port}"
    assert dict(sent)["content-length"] == str(len(body))


@each_way
async def test_a_header_beyond_ascii_is_sent_or_refused_as_a_failure(way: str) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(json_reply({}))
        try:
            reply = await transport.send(post(upstream.url, headers=(*HEADERS, ("x-app", "caf\xe9"))))
        except UpstreamFailure as failure:
            assert failure.kind is ErrorKind.UNREACHABLE  # noqa: PT017 - either end of it is fine
        else:
            await all_of(reply)


@each_way
async def test_reads_what_has_come(way: str) -> None:
    go = Signal()
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(Reply((Head(), Send(b"one"), Pause(go), Send(b"two"))))
        reply = await transport.send(post(upstream.url))
        assert await reply.read() == b"one"
        go.set()
        assert (await reply.read(), await reply.read(), await reply.read()) == (b"two", b"", b"")
        await reply.aclose()


@each_way
async def test_a_body_may_come_in_single_bytes(way: str) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(json_reply("x" * 500).split_every(1))
        assert await all_of(await transport.send(post(upstream.url))) == b'"%s"' % (b"x" * 500)


@each_way
async def test_a_large_body_goes_up_and_down(way: str) -> None:
    large = b"x" * (8 << 20)
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(lambda request: Reply((Head(), Send(request.body))))
        assert await all_of(await transport.send(post(upstream.url, large))) == large


@each_way
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_keeps_no_cookies(way: str, host: str) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.always(json_reply({}, headers=[("set-cookie", "session=1; Path=/"), ("set-cookie", "b=2")]))
        for _ in range(2):
            await all_of(await transport.send(post(f"http://{host}:{upstream.port}")))
    assert [request.header("cookie") for request in upstream.requests] == [None, None]


@each_way
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_follows_no_redirect(way: str, status: int) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.always(json_reply({}, status, [("location", f"{upstream.url}/elsewhere")]))
        reply = await transport.send(post(upstream.url))
        assert reply.status == status
        await all_of(reply)
    assert [request.path for request in upstream.requests] == ["/v1/messages"]


@each_way
async def test_reads_no_netrc_and_no_proxy_variables(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password netrc-secret\ndefault login me password netrc-secret\n")
    with refusing() as nowhere:
        monkeypatch.setenv("NETRC", os.fspath(netrc))
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, nowhere)
        async with ScriptedServer() as upstream, reaching(way) as transport:
            upstream.script(json_reply({}))
            await all_of(await transport.send(post(upstream.url)))
    assert upstream.requests[0].header("authorization") is None


# Connections


@each_way
async def test_a_finished_reply_leaves_its_connection_for_the_next(way: str) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.always(Reply((Head(), Send(b"one"), Send(b"two"))))
        for _ in range(3):
            await all_of(await transport.send(post(upstream.url)))
    assert upstream.accepted == 1


@each_way
async def test_closing_early_drops_the_connection_at_once(way: str) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(Reply((Head(), Send(b"one"), Hang())), json_reply({}))
        reply = await transport.send(post(upstream.url))
        assert await reply.read() == b"one"
        await reply.aclose()
        await upstream.requests[0].gone.wait()
        await all_of(await transport.send(post(upstream.url)))
    assert upstream.accepted == 2


@each_way
async def test_cancelling_a_read_and_closing_drops_the_connection(way: str) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(Reply((Head(), Hang())))
        reply = await transport.send(post(upstream.url))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reply.read(), 0.05)
        await reply.aclose()
        await upstream.requests[0].gone.wait()


@each_way
async def test_cancelling_before_the_status_drops_the_connection(way: str) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(Reply((Hang(),)))
        sending = asyncio.ensure_future(transport.send(post(upstream.url)))
        request = await upstream.request()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await request.gone.wait()


@each_way
async def test_more_than_a_hundred_at_a_time(way: str) -> None:
    count, go = 110, Signal()
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.always(Reply((Head(), Send(b"one"), Pause(go))))
        replies: list[UpstreamReply] = []
        for _ in range(5):  # a listener's backlog is shorter than all of them
            replies += await asyncio.gather(*(transport.send(post(upstream.url)) for _ in range(count // 5)))
        assert upstream.accepted == count
        go.set()
        assert await asyncio.gather(*map(all_of, replies)) == [b"one"] * count


# Compressed, although identity was asked for


def encoded(encoding: str, body: bytes) -> Reply:
    return Reply((Head(200, (("content-encoding", encoding),)), Send(body)))


@each_way
@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_answer_is_unpacked(way: str, encoding: str, pack: object) -> None:
    assert callable(pack)
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(encoded(encoding, pack(b'{"model":"m"}' * 50)))
        assert await all_of(await transport.send(post(upstream.url))) == b'{"model":"m"}' * 50


@each_way
async def test_what_cannot_be_unpacked_is_a_failure(way: str) -> None:
    async with ScriptedServer() as upstream, reaching(way) as transport:
        upstream.script(encoded("gzip", b"this is no gzip"))
        assert (await failure_of(transport, post(upstream.url))).kind in (ErrorKind.CUT, ErrorKind.MALFORMED)
