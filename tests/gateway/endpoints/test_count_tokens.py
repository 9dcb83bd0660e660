"""POST /v1/messages/count_tokens: the upstream's own counter where there is one, else an estimate."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from gateway.tokens import Estimate
from providers.json_object import JsonObject
from tests.gateway_process import upstream_env
from tests.serving import KEY, Gateway, Json, ask, serving
from tests.upstream import (
    Cut,
    Hang,
    Head,
    Reply,
    Reset,
    Send,
    Upstream,
    count_tokens,
    error,
    json_reply,
    refusing,
)

PATH = "/v1/messages/count_tokens"


def body() -> Json:
    """What the client sends to it: no max_tokens."""
    return {"model": "claude-opus-4-8", "messages": [{"role": "user", "content": "Hello " * 40}], "tools": []}


def estimated(model: str = "claude-opus-4-8") -> Json:
    return {"input_tokens": Estimate(JsonObject(json.dumps(body()).encode()))(model)}


async def test_the_upstreams_counter_is_asked(client: httpx.AsyncClient, upstream: Upstream) -> None:
    upstream.on(PATH, count_tokens(765))
    headers = {"anthropic-beta": "token-counting-2024-11-01"}
    reply = await client.post(f"{PATH}?beta=true", json=body(), headers=headers)
    assert (reply.status_code, reply.json()) == (200, {"input_tokens": 765})
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-keyturn-provider"] == "anthropic"
    [request] = upstream.requests
    assert request.target == PATH
    assert request.json == body()
    assert request.header("x-api-key") == KEY
    assert request.header("anthropic-beta") == "token-counting-2024-11-01"


async def test_its_bytes_pass_through(client: httpx.AsyncClient, upstream: Upstream) -> None:
    raw = b'{ "input_tokens" : 7, "new": {"a": 1} }'
    upstream.on(PATH, Reply((Head(200, (("content-type", "application/json"),)), Send(raw))))
    assert (await client.post(PATH, json=body())).content == raw


async def test_a_pin_counts_at_the_pinned_model(gateway: Gateway, upstream: Upstream) -> None:
    async with gateway.client("freecc:anthropic/some-model:free") as client:
        assert (await client.post(PATH, json=body())).json() == {"input_tokens": 321}
    assert upstream.requests[0].json == body() | {"model": "some-model:free"}


FAILURES = {
    **{str(status): error(status, "api_error", "no") for status in (401, 403, 404, 405, 413, 429, 500, 501, 503, 529)},
    "FIN": Reply((Cut(),)),
    "RST": Reply((Reset(),)),
    "half a body": Reply((Head(200, (("content-length", "90"),)), Send(b'{"input_'), Cut())),
    "HTML": Reply((Head(200, (("content-type", "text/html"),)), Send(b"<title>Log in</title>"))),
    "another object": json_reply({"type": "message", "content": []}),
    "an error with status 200": json_reply({"type": "error", "error": {"type": "api_error", "message": "no"}}),
    "no number": json_reply({"input_tokens": None}),
    "empty": Reply((Head(200, (("content-length", "0"),)),)),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_counter_that_fails_is_replaced_by_the_estimate(
    client: httpx.AsyncClient, upstream: Upstream, failure: Reply
) -> None:
    upstream.on(PATH, failure)
    reply = await client.post(PATH, json=body())
    assert (reply.status_code, reply.json()) == (200, estimated())
    assert len(upstream.requests) == 1


async def test_a_counter_that_hangs_is_replaced_by_the_estimate(upstream: Upstream, tmp_path: Path) -> None:
    upstream.on(PATH, Reply((Hang(),)))
    environ = upstream_env(upstream.url) | {"HTTP_READ_TIMEOUT": "0.1"}
    async with serving(tmp_path, environ) as gateway, gateway.client() as client:
        assert (await client.post(PATH, json=body())).json() == estimated()
        await upstream.requests[0].gone.wait()


async def test_a_counter_that_cannot_be_reached_is_replaced_by_the_estimate(tmp_path: Path) -> None:
    with refusing() as url:
        async with serving(tmp_path, upstream_env(url)) as gateway, gateway.client() as client:
            assert (await client.post(PATH, json=body())).json() == estimated()


@pytest.mark.parametrize("status", [400, 422])
async def test_what_is_wrong_with_the_request_is_told(
    client: httpx.AsyncClient, upstream: Upstream, status: int
) -> None:
    refusal = error(status, "invalid_request_error", "messages.0: tool_use without a result")
    upstream.on(PATH, refusal)
    reply = await client.post(PATH, json=body())
    assert reply.status_code == status
    assert reply.json()["error"]["message"] == "messages.0: tool_use without a result"


async def test_without_a_counter_nobody_is_asked(upstream: Upstream, tmp_path: Path) -> None:
    environ = {"OLLAMA_BASE_URL": upstream.url, "MODEL": "ollama/qwen3-coder"}
    async with serving(tmp_path, environ) as gateway, gateway.client(token=None) as client:
        reply = await client.post(PATH, json=body())
        assert (reply.status_code, reply.json()) == (200, estimated("qwen3-coder"))
        assert await gateway.metric("keyturn_requests_total", route=PATH, outcome="ok") == 1
    assert upstream.requests == []
    assert "x-keyturn-provider" not in reply.headers


async def test_the_demo_counts(demo: Gateway) -> None:
    async with demo.client() as client:
        assert (await client.post(PATH, json=body())).json() == estimated()
        assert (await client.post(PATH, json=ask(""))).json()["input_tokens"] >= 1


async def test_a_provider_without_a_key_is_503_here_too(client: httpx.AsyncClient) -> None:
    reply = await client.post(PATH, json=body() | {"model": "groq/llama"})
    assert reply.status_code == 503
    assert "GROQ_API_KEY" in reply.json()["error"]["message"]


async def test_stream_is_of_no_account(client: httpx.AsyncClient, upstream: Upstream) -> None:
    reply = await client.post(PATH, json=body() | {"stream": True})
    assert reply.json() == {"input_tokens": 321}
    assert upstream.requests[0].json["stream"] is True


async def test_the_gauge_is_back_at_zero_after_every_kind_of_count(gateway: Gateway, upstream: Upstream) -> None:
    async with gateway.client() as client:
        for answer in (count_tokens(1), error(500, "api_error", "no"), error(400, "invalid_request_error", "no")):
            upstream.on(PATH, answer)
            await client.post(PATH, json=body())
    assert await gateway.metric("keyturn_inflight", provider="anthropic") == 0
    assert await gateway.metric("keyturn_attempts_total", outcome="failed") == 2
    assert await gateway.metric("keyturn_requests_total", route=PATH, outcome="ok") == 2
    assert await gateway.metric("keyturn_requests_total", route=PATH, outcome="error") == 1
