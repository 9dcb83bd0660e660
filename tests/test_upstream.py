"""The test seam itself: the scripted upstream records what it is sent, and each fault is what it says."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from contextlib import suppress

import h11
import pytest

from tests.upstream import (
    Cut,
    Drip,
    Hang,
    Head,
    Pause,
    Raw,
    Reply,
    Request,
    Reset,
    Send,
    Signal,
    Upstream,
    blackhole,
    count_tokens,
    free_port,
    json_reply,
    message,
    refusing,
    text,
)
from tests.upstream.bare_client import BOUND, connected


async def leave_after(upstream: Upstream, sent: bytes) -> None:
    """Send these bytes, wait for an answer or the end of the connection, and leave the server."""
    async with upstream, connected(upstream.port) as client:
        client.write(sent)
        with suppress(ConnectionResetError):
            await client.reader.read(1)


async def test_records_line_headers_in_order_and_raw_body() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(json_reply({"ok": True}))
        client.write(
            b"POST /v1/messages?beta=true HTTP/1.1\r\n"
            b'Host: h\r\nX-B: 1\r\nx-a: 2\r\nX-b: 3\r\nContent-Length: 13\r\n\r\n{"model": 1 }'
        )
        assert (await client.answer())[1] == b'{"ok": true}'

        [request] = upstream.requests
        assert (request.method, request.target) == ("POST", "/v1/messages?beta=true")
        assert (request.path, request.query) == ("/v1/messages", {"beta": "true"})
        expected = [("Host", "h"), ("X-B", "1"), ("x-a", "2"), ("X-b", "3"), ("Content-Length", "13")]
        assert request.headers == expected
        assert request.header("x-b") == "1"
        assert request.header("x-none") is None
        assert request.body == b'{"model": 1 }'
        assert request.json == {"model": 1}


async def test_records_a_chunked_body_joined() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(json_reply({}))
        client.write(
            b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        await client.answer()
        assert upstream.requests[0].body == b"abcde"


async def test_keeps_order_of_arrival_and_the_connection_alive() -> None:
    async with Upstream() as upstream, connected(upstream.port) as one, connected(upstream.port) as other:
        upstream.always(json_reply({}))
        for client, path in ((one, "/a"), (other, "/b"), (one, "/c")):
            client.post({}, path)
            await client.answer()
        assert [request.path for request in upstream.requests] == ["/a", "/b", "/c"]
        connections = [request.connection for request in upstream.requests]
        assert connections[0] == connections[2] != connections[1]
        assert upstream.accepted == 2


async def test_answers_pipelined_requests_one_after_the_other() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(json_reply(1), json_reply(2))
        client.write(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n")
        assert [(await client.answer())[1], (await client.answer())[1]] == [b"1", b"2"]


async def test_request_waits_for_its_arrival() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.always(json_reply({}))
        waiting = asyncio.ensure_future(upstream.request(1))
        client.post({}, "/first")
        await client.answer()
        assert not waiting.done()
        client.post({}, "/second")
        assert (await waiting).path == "/second"


async def test_path_beats_queue_and_queue_beats_standing_answer() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.always(json_reply("standing"))
        upstream.script(json_reply("queued"))
        for path in ("/v1/messages/count_tokens?beta=true", "/v1/messages", "/v1/messages"):
            client.post({}, path)
        bodies = [json.loads((await client.answer())[1]) for _ in range(3)]
        assert bodies == [{"input_tokens": 321}, "queued", "standing"]
        upstream.on("/v1/messages/count_tokens", count_tokens(5))
        client.post({}, "/v1/messages/count_tokens")
        assert json.loads((await client.answer())[1]) == {"input_tokens": 5}


async def test_head_needs_no_script() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        client.write(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert upstream.requests[0].method == "HEAD"


async def test_an_unscripted_request_fails_the_test_that_made_it() -> None:
    with pytest.raises(AssertionError, match="GET /surprise"):
        await leave_after(Upstream(), b"GET /surprise HTTP/1.1\r\nHost: h\r\n\r\n")


async def test_a_script_that_raises_fails_the_test_that_wrote_it() -> None:
    def broken(request: Request) -> Reply:
        raise LookupError(request.path)

    upstream = Upstream()
    upstream.always(broken)
    with pytest.raises(LookupError, match="/x"):
        await leave_after(upstream, b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")


async def test_a_request_that_is_not_http_fails_the_test() -> None:
    with pytest.raises(h11.RemoteProtocolError):
        await leave_after(Upstream(), b"nonsense\r\n\r\n")


def test_serves_a_sync_test_from_a_thread() -> None:
    with Upstream() as upstream:
        upstream.script(message(text("Hello")))
        body = json.dumps({"model": "m"}).encode()
        with urllib.request.urlopen(f"{upstream.url}/v1/messages", body, timeout=BOUND) as answer:  # noqa: S310
            assert json.load(answer)["content"] == [{"type": "text", "text": "Hello"}]
        upstream.arrival(1).wait_in_thread()
        upstream.requests[0].gone.wait_in_thread()


async def test_a_whole_stream_ends_properly() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(Reply((Head(), Send(b"one"), Send(b"two"))))
        client.post({})
        await client.until(b"\r\n\r\n")
        assert [chunk async for chunk in client.chunks()] == [b"one", b"two"]
        await upstream.requests[0].answered.wait()


async def test_cut_is_a_fin_before_the_last_chunk() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(Reply((Head(), Send(b"one"), Cut())))
        client.post({})
        await client.until(b"\r\n\r\n")
        assert await client.rest() == b"3\r\none\r\n"
        assert not upstream.requests[0].gone.is_set()


async def test_cut_leaves_a_promised_length_unmet() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(Reply((Head(200, (("content-length", "9"),)), Send(b"one"), Cut())))
        client.post({})
        with pytest.raises(asyncio.IncompleteReadError):
            await client.answer()


async def test_a_body_without_framing_ends_with_the_connection() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(Reply((Head(chunked=False), Send(b"one"), Send(b"two"))))
        client.post({})
        await client.until(b"\r\n\r\n")
        assert await client.rest() == b"onetwo"


@pytest.mark.parametrize("before", [(), (Head(), Send(b"one"))])
async def test_reset_is_econnreset_after_what_was_sent(before: tuple[Head | Send, ...]) -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(Reply((*before, Reset())))
        client.post({})
        if before:
            assert (await client.until(b"one\r\n")).endswith(b"3\r\none\r\n")
        with pytest.raises(ConnectionResetError):
            await client.rest()


async def test_hang_is_silence_until_released() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(Reply((Head(), Hang(), Send(b"late"))))
        client.post({})
        await client.until(b"\r\n\r\n")
        more = asyncio.ensure_future(client.until(b"late\r\n"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(more), 0.05)
        upstream.requests[0].release.set()
        assert await more == b"4\r\nlate\r\n"


async def test_pause_waits_for_a_signal_or_for_a_time() -> None:
    go = Signal()
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(Reply((Head(), Pause(0.01), Send(b"one"), Pause(go), Send(b"two"))))
        client.post({})
        await client.until(b"one\r\n")
        assert not upstream.requests[0].answered.is_set()
        go.set()
        await client.until(b"two\r\n0\r\n\r\n")


async def test_drip_sends_each_byte_in_a_chunk_of_its_own() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(Reply((Head(), Drip(b"abc"))))
        client.post({})
        await client.until(b"\r\n\r\n")
        assert [chunk async for chunk in client.chunks()] == [b"a", b"b", b"c"]


async def test_raw_bytes_wear_no_framing() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(Reply((Raw(b"garbage"), Cut())))
        client.post({})
        assert await client.rest() == b"garbage"


async def test_split_writes_carry_the_same_bytes() -> None:
    plain = Reply((Head(200, (("x-a", "1"),)), Send(b"one"), Send(b"two")))
    wires = []
    for reply in (plain, plain.split_every(1), plain.split_every(7)):
        async with Upstream() as upstream, connected(upstream.port) as client:
            upstream.script(reply)
            client.post({})
            wires.append(await client.until(b"0\r\n\r\n"))
    assert wires[0] == wires[1] == wires[2]


async def test_split_writes_arrive_apart() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(Reply((Send(b"x" * 4096),)).split_every(64))
        client.post({})
        sizes: list[int] = []
        while sum(sizes) < 4096:
            sizes.append(len(await client.reader.read(4096)))
        assert len(sizes) > 1


async def test_sees_the_client_leave_in_mid_reply() -> None:
    async with Upstream() as upstream:
        upstream.script(Reply((Head(), Send(b"one"), Hang())))
        async with connected(upstream.port) as client:
            client.post({})
            await client.until(b"one\r\n")
            request = await upstream.request()
            assert not request.gone.is_set()
        await request.gone.wait()
        assert request.gone_at is not None
        assert request.gone_at >= request.arrived_at
        assert not request.answered.is_set()


async def test_a_slow_reader_holds_the_reply_back() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(Reply((Head(), *[Send(b"x" * (1 << 20))] * 32)))
        client.post({})
        request = await upstream.request()
        with pytest.raises(TimeoutError):
            await request.answered.wait(0.05)
        assert len((await client.answer())[1]) == 32 << 20


async def test_refusing_refuses() -> None:
    with refusing() as url, pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))


async def test_blackhole_never_completes_a_connection() -> None:
    with blackhole() as url, pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1])), 0.1)


async def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", port)
    async with server:
        assert server.sockets[0].getsockname()[1] == port
