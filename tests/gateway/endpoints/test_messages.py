"""POST /v1/messages, passed through: what the upstream received and what the client got, byte for byte."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from tests.gateway_process import upstream_env
from tests.serving import KEY, TOKEN, Gateway, ask, post, serving
from tests.upstream import (
    Head,
    Pause,
    Reply,
    Request,
    Send,
    Signal,
    Upstream,
    block,
    frames,
    json_reply,
    message,
    message_delta,
    message_start,
    message_stop,
    redacted_thinking,
    stream,
    text,
    thinking,
    tool_use,
)
from tests.upstream.bare_client import connected

ODD = (
    b'\n{ "messages":[ {"role":"user","content":"caf\\u00e9 \\/ \xc3\xbc \\ud83d\\ude00"} ],\t"model" : '
    b'"claude-opus-4-8" , "max_tokens":64,\r\n "brand_new":{"z":1,"a":[1.0,1e2,-0]}, "stream":%b }\n '
)
BLOCKS = [
    thinking("Let me see: \u00fc.", "c2lnbmVk"),
    redacted_thinking("b3BhcXVl"),
    text("It is \u4e94."),
    tool_use("Bash", {"command": "echo 'a\nb'"}, "toolu_1"),
]


def named(body: bytes, model: bytes) -> bytes:
    """The same bytes with another model's name in the place of the first one."""
    return body.replace(b'"claude-opus-4-8"', b'"' + model + b'"', 1)


async def roundtrip(gateway: Gateway, sent: bytes, size: int | None = None) -> tuple[bytes, bytes]:
    """Head and body of the answer; the request goes out in writes of ``size`` bytes."""
    async with connected(gateway.port) as client:
        for start in range(0, len(sent), size or len(sent)):
            client.write(sent[start : start + (size or len(sent))])
            await client.writer.drain()
        return await client.answer()


@pytest.mark.parametrize("size", [None, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("pin", ["", ":anthropic/claude-other"], ids=["kept model", "pinned model"])
async def test_a_stream_passes_through(gateway: Gateway, upstream: Upstream, size: int | None, pin: str) -> None:
    odd = b'event: new_thing\ndata: {"a" :  1}\n\n: a comment\n\n'
    written = [*frames("claude-other", BLOCKS)[:-2], odd, message_delta("tool_use"), message_stop()]
    reply = stream(*written)
    upstream.script(reply.split_every(size) if size else reply)
    body = ODD % b"true"
    # The last header of a field counts for h11 and httptools alike, so the token is sent once, with its suffix.
    sent = post(body).replace(TOKEN.encode(), (TOKEN + pin).encode(), 1)

    head, answer = await roundtrip(gateway, sent, size)

    assert upstream.requests[0].body == (named(body, b"claude-other") if pin else body)
    assert answer == b"".join(written).replace(b'"claude-other"', b'"claude-opus-4-8"', 1)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\ncontent-type: text/event-stream; charset=utf-8\r\n" in head
    assert b"\r\ncache-control: no-cache\r\n" in head


@pytest.mark.parametrize("size", [None, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("pin", ["", ":anthropic/claude-other"], ids=["kept model", "pinned model"])
async def test_a_whole_answer_passes_through(gateway: Gateway, upstream: Upstream, size: int | None, pin: str) -> None:
    raw = (
        b' {"id":"msg_1","type":"message", "model" :"claude-other", "content":'
        b'[{"type":"text","text":"\\u00fc \xc3\xbc"}],'
        b'"new":{"model":"claude-other"},"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":1}}\n'
    )
    head = Head(200, (("content-type", "application/json"), ("content-length", str(len(raw)))))
    reply = Reply((head, Send(raw)))
    upstream.script(reply.split_every(size) if size else reply)
    body = ODD % b"false"
    sent = post(body).replace(TOKEN.encode(), (TOKEN + pin).encode(), 1)

    got, answer = await roundtrip(gateway, sent, size)

    assert upstream.requests[0].body == (named(body, b"claude-other") if pin else body)
    assert answer == raw.replace(b'"claude-other"', b'"claude-opus-4-8"', 1)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert b"\r\ncontent-type: application/json\r\n" in got


async def test_an_event_does_not_wait_for_the_next(gateway: Gateway, upstream: Upstream) -> None:
    more = Signal()
    written = frames("claude-opus-4-8", [text("one two", pieces=2)])
    upstream.script(stream(*written[:4], Pause(more), *written[4:]))
    async with connected(gateway.port) as client:
        client.write(post(json.dumps(ask(stream=True)).encode()))
        assert (await client.until(written[3])).startswith(b"HTTP/1.1 200 ")
        assert not more.is_set()
        more.set()
        assert b"content_block_delta" in await client.until(written[-1])


async def test_what_travels_to_the_upstream_and_what_stays(gateway: Gateway, upstream: Upstream) -> None:
    travelling = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,brand-new-2027-01-01",
        "anthropic-new-thing": "1",
        "x-app": "cli",
        "x-claude-code-session-id": "s-1",
        "x-claude-code-agent-id": "a-1",
        "x-anthropic-additional-protection": "true",
        "traceparent": "00-1-2-01",
    }
    staying = {
        "authorization": f"Bearer {TOKEN}",
        "anthropic-auth-token": TOKEN,
        "anthropic-dangerous-direct-browser-access": "true",
        "cookie": "a=b",
        "user-agent": "claude-cli/2.1.197",
        "x-stainless-lang": "js",
        "accept-encoding": "gzip",
        "x-forwarded-for": "10.0.0.1",
        "request-id": "mine",
    }
    upstream.script(message(text("Hello")))
    async with gateway.client() as client:
        reply = await client.post("/v1/messages?beta=true", json=ask(), headers=travelling | staying)
    assert reply.status_code == 200
    [request] = upstream.requests
    assert request.target == "/v1/messages"
    assert {name: request.header(name) for name in travelling} == travelling
    assert request.header("x-api-key") == KEY
    assert request.header("accept-encoding") == "identity"
    assert (request.header("user-agent") or "").startswith("keyturn/")
    kept_back = [name for name in staying if name not in ("user-agent", "accept-encoding") and request.header(name)]
    assert kept_back == []
    assert not [value for _, value in request.headers if TOKEN in value]


async def test_a_version_is_sent_where_the_client_sends_none(client: httpx.AsyncClient, upstream: Upstream) -> None:
    upstream.script(message(text("Hello")))
    assert (await client.post("/v1/messages", json=ask())).status_code == 200
    assert upstream.requests[0].header("anthropic-version") == "2023-06-01"


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_success_tells_its_story_in_headers(
    client: httpx.AsyncClient, upstream: Upstream, streamed: bool
) -> None:
    upstream.script(message(text("Hello"), model="claude-new"))
    reply = await client.post("/v1/messages", json=ask(stream=streamed), headers={"request-id": "mine-1"})
    assert reply.status_code == 200
    assert reply.headers["request-id"] == "mine-1"
    assert reply.headers["x-keyturn-provider"] == "anthropic"
    assert reply.headers["x-keyturn-model"] == "claude-opus-4-8"
    assert reply.headers["x-keyturn-key"] == "anthropic-01"
    assert reply.headers["x-keyturn-attempts"] == "1"
    name, _, duration = reply.headers["server-timing"].partition(";dur=")
    assert name == "keyturn"
    assert 0 <= float(duration) < 10_000
    assert "x-keyturn-lost" not in reply.headers


async def test_the_time_of_the_upstream_is_not_the_gateways(client: httpx.AsyncClient, upstream: Upstream) -> None:
    upstream.script(stream(Pause(0.3), *frames("claude-opus-4-8", [text("Late")])))
    reply = await client.post("/v1/messages", json=ask(stream=True))
    assert float(reply.headers["server-timing"].removeprefix("keyturn;dur=")) < 250


async def test_the_upstreams_own_headers_stay_behind(client: httpx.AsyncClient, upstream: Upstream) -> None:
    upstream.script(stream(*frames("m", [text("Hello")]), headers=[("set-cookie", "a=b"), ("x-secret", "1")]))
    reply = await client.post("/v1/messages", json=ask(stream=True))
    assert not {"set-cookie", "x-secret"} & set(reply.headers)


@pytest.mark.parametrize(
    ("sent", "allowed"), [("A.b_c-1", True), ("a b", False), ("x" * 65, False), ("caf\u00e9", False), ("a/b", False)]
)
async def test_a_request_id_is_taken_where_it_is_plain(
    client: httpx.AsyncClient, upstream: Upstream, sent: str, allowed: bool
) -> None:
    upstream.script(message(text("Hello")))
    reply = await client.post("/v1/messages", json=ask(), headers={b"x-request-id": sent.encode()})
    given = reply.headers["request-id"]
    assert (given == sent) is allowed
    assert allowed or given.startswith("req_")


async def test_switching_thinking_off_keeps_every_other_member(upstream: Upstream, tmp_path: Path) -> None:
    """The one edit of a body beside the model: the parsed body again, in its order."""
    edits = [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "clear_tool_uses_20250919"}]
    body = ask(thinking={"type": "adaptive"}, context_management={"edits": edits}, zebra={"b": 1, "a": [2.50]})
    upstream.always(message(text("Hello")))
    environ = upstream_env(upstream.url) | {"ENABLE_OPUS_THINKING": "false"}
    async with serving(tmp_path, environ) as gateway, gateway.client() as client:
        assert (await client.post("/v1/messages", json=body)).status_code == 200
        assert (await client.post("/v1/messages", json=body | {"model": "claude-sonnet-5"})).status_code == 200
    switched, untouched = (request.json for request in upstream.requests)
    assert switched == body | {"thinking": {"type": "disabled"}, "context_management": {"edits": edits[1:]}}
    assert list(switched) == list(body)
    assert untouched == body | {"model": "claude-sonnet-5"}


async def test_an_answer_without_event_names_gets_them(client: httpx.AsyncClient, upstream: Upstream) -> None:
    """Clients read the ``event:`` line; some upstreams leave it out."""
    written = b"".join(frames("claude-opus-4-8", [text("Hello")]))
    bare = b"\n".join(line for line in written.split(b"\n") if not line.startswith(b"event:"))
    upstream.script(stream(bare))
    reply = await client.post("/v1/messages", json=ask(stream=True))
    assert reply.content == written


async def test_a_stop_that_the_upstream_forgot_is_added(client: httpx.AsyncClient, upstream: Upstream) -> None:
    written = frames("claude-opus-4-8", [text("Hello")])
    upstream.script(stream(*written[:-1]))
    reply = await client.post("/v1/messages", json=ask(stream=True))
    assert reply.content == b"".join(written[:-1]) + b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


async def test_both_ends_keep_their_connections(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(message(text("Hello")))
    async with connected(gateway.port) as client:
        for streamed in (True, False, True):
            client.write(post(json.dumps(ask(stream=streamed)).encode()))
            head, _ = await client.answer()
            assert head.startswith(b"HTTP/1.1 200 ")
    assert gateway.server.server_state.total_requests == 3
    assert upstream.accepted == 1


async def test_many_at_once_get_their_own_answers(client: httpx.AsyncClient, upstream: Upstream) -> None:
    def mirrored(request: Request) -> Reply:
        return message(text(request.json["messages"][0]["content"]))(request)

    upstream.always(mirrored)
    replies = await asyncio.gather(*(client.post("/v1/messages", json=ask(f"n{n}")) for n in range(60)))
    assert [reply.json()["content"][0]["text"] for reply in replies] == [f"n{n}" for n in range(60)]


async def test_a_first_block_alone_is_no_content_yet(client: httpx.AsyncClient, upstream: Upstream) -> None:
    """message_start and an opened block may still become a real status."""
    written = [message_start("m"), block(0, text("Hello"))[0]]
    upstream.script(
        stream(
            *written,
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        )
    )
    reply = await client.post("/v1/messages", json=ask(stream=True))
    assert reply.status_code == 529


async def test_an_unknown_shape_of_200_is_no_answer(client: httpx.AsyncClient, upstream: Upstream) -> None:
    upstream.script(json_reply({"choices": []}))
    reply = await client.post("/v1/messages", json=ask())
    assert reply.status_code == 502
    assert reply.json()["error"]["type"] == "api_error"
