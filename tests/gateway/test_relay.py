"""A call that fails before its first content: the client gets a real status, in its shape, with what to do next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway_process import ONE_ATTEMPT, upstream_env
from tests.serving import KEY, Gateway, ask, serving
from tests.upstream import (
    Cut,
    Hang,
    Head,
    Reply,
    Reset,
    Send,
    Upstream,
    blackhole,
    block_start,
    error,
    error_event,
    json_reply,
    message,
    message_start,
    ping,
    refusing,
    stream,
    text,
)

BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
START = message_start("claude-opus-4-8")

# status and type of the upstream, what the client gets: status, type, x-should-retry
TABLE: list[tuple[int, str, int, str, str | None]] = [
    (400, "invalid_request_error", 400, "invalid_request_error", None),
    (401, "authentication_error", 502, "api_error", "false"),
    (402, "billing_error", 502, "api_error", "false"),
    (403, "permission_error", 502, "api_error", "false"),
    (404, "not_found_error", 404, "not_found_error", None),
    (408, "timeout_error", 408, "api_error", None),
    (409, "conflict", 409, "api_error", None),
    (413, "request_too_large", 413, "request_too_large", None),
    (418, "teapot", 502, "api_error", None),
    (422, "invalid_request_error", 422, "invalid_request_error", None),
    (429, "rate_limit_error", 429, "rate_limit_error", None),
    (500, "api_error", 500, "api_error", None),
    (502, "api_error", 502, "api_error", None),
    (503, "api_error", 503, "api_error", None),
    (529, "overloaded_error", 529, "overloaded_error", None),
    (599, "api_error", 599, "api_error", None),
]
OWN_WORDS = (400, 404, 413, 422, 529)

# An error event inside a 200, before content.
EVENTS = [
    ("invalid_request_error", 400, "invalid_request_error"),
    ("authentication_error", 502, "api_error"),
    ("billing_error", 502, "api_error"),
    ("permission_error", 502, "api_error"),
    ("not_found_error", 404, "not_found_error"),
    ("request_too_large", 413, "request_too_large"),
    ("rate_limit_error", 429, "rate_limit_error"),
    ("overloaded_error", 529, "overloaded_error"),
    ("api_error", 502, "api_error"),
    ("brand_new_error", 502, "api_error"),
]


def shaped(reply: httpx.Response) -> Mapping[str, Any]:
    """The error of a reply in Anthropic's shape."""
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["request-id"]
    assert reply.headers["server-timing"].startswith("keyturn;dur=")
    body = reply.json()
    assert body["type"] == "error"
    assert set(body["error"]) >= {"type", "message"}
    assert body["error"]["message"]
    found: Mapping[str, Any] = body["error"]
    return found


@BOTH
@pytest.mark.parametrize(("said", "kind", "status", "shown", "retry"), TABLE, ids=[str(row[0]) for row in TABLE])
async def test_a_refusal_becomes_a_status(
    client: httpx.AsyncClient,
    upstream: Upstream,
    streamed: bool,
    said: int,
    kind: str,
    status: int,
    shown: str,
    retry: str | None,
) -> None:
    upstream.script(error(said, kind, "the upstream's own words"))
    reply = await client.post("/v1/messages", json=ask(stream=streamed))
    found = shaped(reply)
    assert (reply.status_code, found["type"]) == (status, shown)
    assert reply.headers.get("x-should-retry") == retry
    assert "the upstream's own words" in found["message"]
    assert reply.headers["x-keyturn-provider"] == "anthropic"
    assert reply.headers["x-keyturn-key"] == "anthropic-01"
    assert len(upstream.requests) == 1


@BOTH
@pytest.mark.parametrize("status", OWN_WORDS)
async def test_own_words_are_kept_byte_for_byte(
    client: httpx.AsyncClient, upstream: Upstream, streamed: bool, status: int
) -> None:
    body = (
        b' {"type" : "error", "error":{"type":"odd_error","message":"role \'system\' is not supported \\u00fc",'
        b'"details":{"a":1}}, "request_id":"req_theirs" }\n'
    )
    upstream.script(Reply((Head(status, (("content-type", "application/json"),)), Send(body))))
    reply = await client.post("/v1/messages", json=ask(stream=streamed))
    assert (reply.status_code, reply.content) == (status, body)


@pytest.mark.parametrize("status", OWN_WORDS)
@pytest.mark.parametrize(
    "body",
    [b'{"error":{"message":"their words"}}', b'{"error":"their words"}', b'{"detail":"their words"}', b"their words"],
    ids=["openai", "ollama", "fastapi", "plain"],
)
async def test_own_words_in_a_foreign_shape_are_put_into_ours(
    client: httpx.AsyncClient, upstream: Upstream, status: int, body: bytes
) -> None:
    upstream.script(Reply((Head(status), Send(body))))
    reply = await client.post("/v1/messages", json=ask())
    assert reply.status_code == status
    assert shaped(reply)["message"] == "their words"
    assert reply.json()["request_id"] == reply.headers["request-id"]


@BOTH
@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_refused_key_is_named_and_not_the_clients_fault(
    client: httpx.AsyncClient, upstream: Upstream, streamed: bool, status: int
) -> None:
    upstream.script(error(status, "authentication_error", f"invalid X-API-Key {KEY}; send x-api-key"))
    reply = await client.post("/v1/messages", json=ask(stream=streamed))
    words = shaped(reply)["message"]
    assert (reply.status_code, reply.headers["x-should-retry"]) == (502, "false")
    for named in ("anthropic", "anthropic-01", "ANTHROPIC_UPSTREAM_API_KEY", str(status)):
        assert named in words
    assert "x-api-key" not in reply.text.lower()
    assert KEY not in reply.text


@pytest.mark.parametrize(("sent", "given"), [("7", "7"), ("3.7", "4"), ("soon", "1"), ("", "1")])
async def test_retry_after_travels_in_whole_seconds(
    client: httpx.AsyncClient, upstream: Upstream, sent: str, given: str
) -> None:
    """Where the upstream gives none, it is the time for which the key rests."""
    upstream.script(error(429, "rate_limit_error", "slow down", [("retry-after", sent)]))
    reply = await client.post("/v1/messages", json=ask())
    assert reply.headers["retry-after"] == given
    assert "slow down" in reply.json()["error"]["message"]


@pytest.mark.parametrize("status", [600, 799, 999])
async def test_a_status_that_http_does_not_know_is_a_bad_gateway(
    client: httpx.AsyncClient, upstream: Upstream, status: int
) -> None:
    upstream.script(Reply((Head(status), Send(b"request denied"))))
    reply = await client.post("/v1/messages", json=ask())
    assert reply.status_code == 502
    assert "request denied" in shaped(reply)["message"]


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_a_redirect_is_not_followed(client: httpx.AsyncClient, upstream: Upstream, status: int) -> None:
    upstream.script(Reply((Head(status, (("location", "/elsewhere"), ("content-length", "0"))),)))
    reply = await client.post("/v1/messages", json=ask())
    assert reply.status_code == 502
    assert shaped(reply)["type"] == "api_error"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(("kind", "status", "shown"), EVENTS)
@pytest.mark.parametrize("before", [(), (START,), (START, ping())], ids=["first", "after start", "after ping"])
async def test_an_error_event_before_content_becomes_a_status(
    client: httpx.AsyncClient, upstream: Upstream, kind: str, status: int, shown: str, before: tuple[bytes, ...]
) -> None:
    upstream.script(stream(*before, error_event(kind, "their words")))
    reply = await client.post("/v1/messages", json=ask(stream=True))
    assert reply.status_code == status
    assert shaped(reply)["type"] == shown
    assert "their words" in reply.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["overloaded_error", "authentication_error"])
@BOTH
async def test_an_error_body_with_status_200_becomes_a_status(
    client: httpx.AsyncClient, upstream: Upstream, streamed: bool, kind: str
) -> None:
    upstream.script(json_reply({"type": "error", "error": {"type": kind, "message": "their words"}}))
    reply = await client.post("/v1/messages", json=ask(stream=streamed))
    assert reply.status_code == {"overloaded_error": 529, "authentication_error": 502}[kind]


EARLY_ENDS: dict[str, Reply] = {
    "empty stream": stream(),
    "only a ping": stream(ping()),
    "message_start and FIN": stream(START, Cut()),
    "an opened block and FIN": stream(START, block_start(0, text("x")), Cut()),
    "an opened block and a clean end": stream(START, block_start(0, text("x"))),
    "half a frame and FIN": stream(START[:40], Cut()),
    "head and FIN": Reply((Head(200, (("content-type", "text/event-stream"),)), Cut())),
    "FIN": Reply((Cut(),)),
    "RST": Reply((Reset(),)),
    "no HTTP": Reply((Send(b"SSH-2.0-OpenSSH_9.6\r\n"), Cut())),
    "HTML": Reply((Head(200, (("content-type", "text/html"),)), Send(b"<title>Log in</title>"))),
    "JSON for a stream": json_reply({"type": "message", "model": "m", "content": []}),
    "content before message_start": stream(block_start(0, text("x")), b"event: content_block_delta\ndata: {}\n\n"),
    "message_start that is no JSON": stream(b"event: message_start\ndata: {\n\n"),
}


@pytest.mark.parametrize("end", EARLY_ENDS.values(), ids=EARLY_ENDS)
async def test_an_answer_that_ends_before_content_is_a_bad_gateway(
    client: httpx.AsyncClient, upstream: Upstream, end: Reply
) -> None:
    upstream.script(end)
    reply = await client.post("/v1/messages", json=ask(stream=True))
    assert reply.status_code == 502
    assert "Provider anthropic" in shaped(reply)["message"]


WHOLE_ENDS: dict[str, Reply] = {
    "empty": Reply((Head(200, (("content-length", "0"),)),)),
    "HTML": Reply((Head(200), Send(b"<html><title>Log in</title></html>"))),
    "half a body": Reply((Head(200, (("content-length", "90"),)), Send(b'{"type":"message",'), Cut())),
    "half a chunked body": Reply((Head(200), Send(b'{"type":"message",'), Cut())),
    "a list": json_reply([]),
    "content is no list": json_reply({"type": "message", "model": "m", "content": "text"}),
}


@pytest.mark.parametrize("end", WHOLE_ENDS.values(), ids=WHOLE_ENDS)
async def test_a_whole_answer_that_is_none_is_a_bad_gateway(
    client: httpx.AsyncClient, upstream: Upstream, end: Reply
) -> None:
    upstream.script(end)
    reply = await client.post("/v1/messages", json=ask())
    assert reply.status_code == 502
    assert "Provider anthropic" in shaped(reply)["message"]


@BOTH
async def test_a_refused_connection(tmp_path: Path, streamed: bool) -> None:
    with refusing() as url:
        async with serving(tmp_path, upstream_env(url) | ONE_ATTEMPT) as gateway, gateway.client() as client:
            reply = await client.post("/v1/messages", json=ask(stream=streamed))
            assert await gateway.metric("keyturn_attempts_total", reason="unreachable", outcome="failed") == 1
    assert reply.status_code == 502
    assert "refused" in shaped(reply)["message"]


@BOTH
async def test_a_connection_that_never_completes(tmp_path: Path, streamed: bool) -> None:
    with blackhole() as url:
        environ = upstream_env(url) | ONE_ATTEMPT | {"HTTP_CONNECT_TIMEOUT": "0.1"}
        async with serving(tmp_path, environ) as gateway, gateway.client() as client:
            reply = await client.post("/v1/messages", json=ask(stream=streamed))
    assert reply.status_code == 502
    assert "took too long" in shaped(reply)["message"]


HANGS = {
    "before the head": Reply((Hang(),)),
    "after the head": stream(Hang()),
    "after message_start": stream(START, Hang()),
    "while only pings come": stream(START, *[ping()] * 20, Hang()),
}


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
async def test_no_content_in_time(tmp_path: Path, upstream: Upstream, hang: Reply) -> None:
    upstream.script(hang)
    environ = upstream_env(upstream.url) | {"REQUEST_DEADLINE": "0.2"}
    async with serving(tmp_path, environ) as gateway, gateway.client() as client:
        reply = await client.post("/v1/messages", json=ask(stream=True))
        await upstream.requests[0].gone.wait()
        assert await gateway.metric("keyturn_inflight", provider="anthropic") == 0
    assert reply.status_code == 504
    found = shaped(reply)
    assert found["type"] == "timeout_error"
    assert "REQUEST_DEADLINE" in found["message"]


WHOLE_HANGS = {
    "before the head": Reply((Hang(),)),
    "after the head": Reply((Head(200), Hang())),
    "in the body": Reply((Head(200), Send(b'{"type":'), Hang())),
}


@pytest.mark.parametrize("hang", WHOLE_HANGS.values(), ids=WHOLE_HANGS)
async def test_silence_in_a_whole_call(tmp_path: Path, upstream: Upstream, hang: Reply) -> None:
    upstream.script(hang)
    environ = upstream_env(upstream.url) | ONE_ATTEMPT | {"HTTP_READ_TIMEOUT": "0.1"}
    async with serving(tmp_path, environ) as gateway, gateway.client() as client:
        reply = await client.post("/v1/messages", json=ask())
        await upstream.requests[0].gone.wait()
    assert reply.status_code == 504
    assert "HTTP_READ_TIMEOUT" in shaped(reply)["message"]


@pytest.mark.parametrize("hang", [Reply((Head(400), Hang())), Reply((Head(500), Send(b"{"), Hang()))])
async def test_an_error_whose_body_never_comes(tmp_path: Path, upstream: Upstream, hang: Reply) -> None:
    upstream.script(hang)
    environ = upstream_env(upstream.url) | {"REQUEST_DEADLINE": "0.2"}
    async with serving(tmp_path, environ) as gateway, gateway.client() as client:
        reply = await client.post("/v1/messages", json=ask(stream=True))
    assert reply.status_code == 504


async def test_the_next_call_is_served_after_a_failed_one(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(error(500, "api_error", "oops"), stream(START, Cut()), message(text("Hello")))
    async with gateway.client() as client:
        statuses = [(await client.post("/v1/messages", json=ask(stream=True))).status_code for _ in range(3)]
    assert statuses == [500, 502, 200]


async def test_a_huge_error_body_is_read_in_part_only(client: httpx.AsyncClient, upstream: Upstream) -> None:
    upstream.script(Reply((Head(400), *[Send(b"a" * 65536)] * 64)))
    reply = await client.post("/v1/messages", json=ask())
    assert reply.status_code == 400
    assert len(reply.content) < 10_000
    assert json.loads(reply.content)["error"]["message"].startswith("aaaa")
