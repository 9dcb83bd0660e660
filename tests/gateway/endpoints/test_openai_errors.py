"""What an OpenAI client is told when its request is wrong, whatever the reason: always in OpenAI's shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import KEY, TOKEN, Gateway, serving
from tests.upstream import Upstream, message, text

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
each_path = pytest.mark.parametrize("path", [CHAT, RESPONSES])
BODIES: dict[str, Any] = {
    CHAT: {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    RESPONSES: {"model": "m", "input": "Hi"},
}


def error(reply: httpx.Response, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text[:300]
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["request-id"]
    body: dict[str, Any] = reply.json()
    assert set(body) == {"error"}
    found: dict[str, Any] = body["error"]
    assert set(found) == {"message", "type", "param", "code"}
    assert "Traceback" not in reply.text
    return found


@each_path
async def test_without_a_token(gateway: Gateway, path: str) -> None:
    async with gateway.client(token=None) as client:
        assert error(await client.post(path, json=BODIES[path]), 401)["code"] == "invalid_api_key"
    async with gateway.client(token="wrong") as client:
        error(await client.post(path, json=BODIES[path]), 401)


async def test_a_path_that_is_not_served(client: httpx.AsyncClient) -> None:
    words = error(await client.get("/v1/responses/resp_1"), 404)["message"]
    assert "POST /v1/responses" in words
    assert "POST /v1/chat/completions" in words


@each_path
async def test_another_method(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.get(path)
    error(reply, 405)
    assert reply.headers["allow"] == "POST, HEAD, OPTIONS"


@each_path
async def test_a_body_that_is_too_large(upstream: Upstream, tmp_path: Path, path: str) -> None:
    environ = {
        "ANTHROPIC_UPSTREAM_API_KEY": KEY,
        "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url,
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "BODY_LIMIT_MB": "1",
    }
    async with serving(tmp_path, environ) as small, small.client() as client:
        found = error(await client.post(path, content=b" " * 1_100_000), 413)
    assert "BODY_LIMIT_MB" in found["message"]


@each_path
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"model": "m"', b"null"])
async def test_a_body_that_is_no_json_object(client: httpx.AsyncClient, path: str, body: bytes) -> None:
    assert error(await client.post(path, content=body), 400)["message"].startswith("body: ")


@pytest.mark.parametrize(
    ("path", "change", "param"),
    [
        (CHAT, {"model": None}, "model"),
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        (CHAT, {"messages": [{"role": "human", "content": "x"}]}, "messages[0].role"),
        (CHAT, {"n": 2}, "n"),
        (CHAT, {"tools": [{"type": "function", "function": 5}]}, "tools[0].function"),
        (CHAT, {"stream": "yes"}, "stream"),
        (RESPONSES, {"input": None}, "input"),
        (RESPONSES, {"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        (RESPONSES, {"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        (RESPONSES, {"store": True}, "store"),
        (RESPONSES, {"background": True, "stream": True}, "background"),
        (RESPONSES, {"previous_response_id": "resp_nobody_knows"}, "previous_response_id"),
        (RESPONSES, {"conversation": {"id": "conv_1"}}, "conversation"),
        (RESPONSES, {"tools": [{"type": "function", "parameters": {}}]}, "tools[0].name"),
        (RESPONSES, {"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        (CHAT, {"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (CHAT, {"stop": [1]}, "stop"),
    ],
)
async def test_a_wrong_field_is_named(
    client: httpx.AsyncClient, upstream: Upstream, path: str, change: dict[str, Any], param: str
) -> None:
    found = error(await client.post(path, json={**BODIES[path], **change}), 400)
    assert (found["param"], found["type"]) == (param, "invalid_request_error")
    assert found["message"].startswith(f"{param}: ")
    assert upstream.requests == []


@each_path
async def test_a_provider_that_is_misspelt_or_without_a_key(client: httpx.AsyncClient, path: str) -> None:
    assert (
        "Did you mean groq" in error(await client.post(path, json={**BODIES[path], "model": "grok/x"}), 400)["message"]
    )
    assert "GROQ_API_KEY" in error(await client.post(path, json={**BODIES[path], "model": "groq/x"}), 503)["message"]


@each_path
async def test_a_small_body_is_enough(client: httpx.AsyncClient, upstream: Upstream, path: str) -> None:
    upstream.script(message(text("Hello")), message(text("Hello")))
    whole = await client.post(path, json=BODIES[path])
    assert (whole.status_code, "Hello" in whole.text) == (200, True)
    streamed = await client.post(path, json={**BODIES[path], "stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    last = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")][-1]
    assert last.get("type") == "response.completed" or last["choices"][0]["finish_reason"] == "stop"


@each_path
async def test_the_demo_answers_too(demo: Gateway, path: str) -> None:
    async with demo.client() as client:
        assert (await client.post(path, json=BODIES[path])).status_code == 200
