"""One line per request, one per failed attempt, and nothing in them that must not be seen."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import structlog

from providers.secret import Secret
from tests.gateway_process import ONE_ATTEMPT, upstream_env
from tests.providers.socks import socks_proxy
from tests.serving import Gateway, Json, ask, captured_log, leave, post, serving
from tests.upstream import (
    Cut,
    Hang,
    Head,
    Reply,
    Request,
    Reset,
    Send,
    Upstream,
    block,
    error,
    error_event,
    json_reply,
    message,
    message_start,
    refusing,
    stream,
    text,
    tool_use,
)
from tests.upstream.bare_client import connected


async def test_a_success_is_one_line(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(message(text("Hello"), usage={"input_tokens": 12}, late_usage={"output_tokens": 34}))
    async with gateway.client() as client:
        reply = await client.post("/v1/messages", json=ask(stream=True))
    await gateway.settled()
    [line] = gateway.log.events("request")
    expected = {
        "level": "info",
        "request_id": reply.headers["request-id"],
        "route": "/v1/messages",
        "principal": "shared",
        "entry": "anthropic",
        "display_model": "claude-opus-4-8",
        "backend_model": "claude-opus-4-8",
        "provider": "anthropic",
        "stream": True,
        "key": "anthropic-01",
        "attempts": 1,
        "status": 200,
        "outcome": "ok",
        "input_tokens": 12,
        "output_tokens": 34,
    }
    assert line.items() >= expected.items()
    assert 0 < line["own_seconds"] <= line["seconds"] < 10
    assert line["timestamp"].endswith("Z")
    assert gateway.log.events("attempt failed") == []


async def test_a_failure_is_a_line_and_the_attempts_warning(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(error(429, "rate_limit_error", "slow down"))
    async with gateway.client() as client:
        reply = await client.post("/v1/messages", json=ask())
    [warning] = gateway.log.events("attempt failed")
    [line] = gateway.log.events("request")
    assert (
        warning.items()
        >= {
            "level": "warning",
            "request_id": reply.headers["request-id"],
            "provider": "anthropic",
            "model": "claude-opus-4-8",
            "key": "anthropic-01",
            "reason": "rate_limited",
            "upstream_status": 429,
        }.items()
    )
    assert (line["status"], line["outcome"]) == (429, "error")
    assert line["request_id"] == warning["request_id"]


async def test_what_never_reached_a_provider_is_a_line_too(gateway: Gateway) -> None:
    async with gateway.client("wrong") as client:
        await client.post("/v1/messages", json=ask())
        await client.get("/nonsense")
    lines = gateway.log.events("request")
    assert [(line["status"], line["provider"], line["principal"]) for line in lines] == [(401, None, None)] * 2


async def test_a_long_model_name_is_cut_short(gateway: Gateway) -> None:
    async with gateway.client() as client:
        await client.post("/v1/messages", json=ask(model="groq/" + "a" * 5000))
    [line] = gateway.log.events("request")
    assert len(line["display_model"]) == 200


async def test_the_level_and_the_style_are_kept_to(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(error(500, "api_error", "no"))
    environ = upstream_env(upstream.url) | ONE_ATTEMPT
    async with serving(tmp_path, environ, level="WARNING") as gateway, gateway.client() as client:
        await client.post("/v1/messages", json=ask())
        assert gateway.log.events("request") == []
        assert len(gateway.log.events("attempt failed")) == 1


def test_the_console_style_is_for_people() -> None:
    with captured_log(style="console") as log:
        structlog.get_logger("keyturn").info("hello", number=4)
        logging.getLogger("some.library").warning("from a library")
    assert "hello" in log.text
    assert "number=4" in log.text
    assert "from a library" in log.text
    with pytest.raises(json.JSONDecodeError):
        json.loads(log.text.splitlines()[0])


def test_libraries_write_the_same_lines() -> None:
    words = "inside"
    with captured_log() as log:
        logging.getLogger("some.library").warning("from %s", "a library")
        try:
            raise ValueError(words)
        except ValueError:
            logging.getLogger("some.library").exception("it failed")
    [line] = log.events("from a library")
    assert line["level"] == "warning"
    [failed] = log.events("it failed")
    assert failed["exception"].endswith("raise ValueError(words)\nValueError")


def test_a_secret_in_an_event_is_masked() -> None:
    with captured_log() as log:
        structlog.get_logger("keyturn").info("hello", key=Secret("sk-live-1234"), nested=[Secret("sk-live-1234")])
    assert "sk-live" not in log.text
    assert log.events("hello")[0]["key"] == "Secret('***')"


# Every canary has a shape of its own, so that a hit says what leaked.
A_DAY = 86400.0  # seconds; whatever rests is back by then
CANARIES = {
    "prompt": "canary-prompt-7f3a",
    "system": "canary-system-91bc",
    "tool description": "canary-tool-2d8e",
    "tool input": "canary-input-5c44",
    "tool result": "canary-result-e07d",
    "answer": "canary-answer-44f1",
    "client token": "canary-token-b6a9",
    "wrong token": "canary-wrong-0e1f",
    "upstream key": "sk-canary-key-83d2",
    "proxy password": "canary-proxy-c5e8",
    "cookie": "canary-cookie-77aa",
    "query": "canary-query-19db",
}


def talk(**more: object) -> Json:
    """A request that holds a canary wherever a client's words can stand."""
    turns = [
        {"role": "user", "content": CANARIES["prompt"]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "a", "name": "b", "input": {"c": CANARIES["tool input"]}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": CANARIES["tool result"]}]},
    ]
    tool = {"name": "b", "description": CANARIES["tool description"], "input_schema": {"type": "object"}}
    return ask(system=CANARIES["system"], tools=[tool]) | {"messages": turns} | more


def echoing(status: int) -> Reply:
    """A refusal that repeats the key it was sent."""
    return error(status, "authentication_error", f"no such key: {CANARIES['upstream key']}")


def failures() -> Iterator[Reply]:
    start = message_start("claude-opus-4-8")
    half = [start, *block(0, text("half"))[:-1]]
    yield from (echoing(status) for status in (400, 401, 402, 403, 404, 413, 422, 429, 500, 503, 529))
    yield Reply((Head(500), Send(CANARIES["upstream key"].encode())))
    yield Reply((Head(200, (("content-type", "text/html"),)), Send(b"<title>Log in</title>")))
    yield stream()
    yield stream(start, Cut())
    yield stream(*half, Cut())
    yield stream(*half, error_event("api_error", CANARIES["upstream key"]))
    yield stream(start, error_event("overloaded_error", CANARIES["upstream key"]))
    yield json_reply({"type": "error", "error": {"type": "api_error", "message": CANARIES["upstream key"]}})
    yield stream(*half, Hang())
    yield Reply((Hang(),))
    yield Reply((Cut(),))
    yield Reply((Reset(),))
    yield Reply((Send(b"no HTTP\r\n\r\n"), Cut()))


@asynccontextmanager
async def proxied(upstream: Upstream) -> AsyncIterator[dict[str, str]]:
    """Three providers with keys: one direct, one behind a SOCKS proxy, one behind a proxy that does not answer."""
    login = f"user:{CANARIES['proxy password']}"
    with refusing() as nowhere:
        async with socks_proxy() as socks:
            yield {
                "ANTHROPIC_AUTH_TOKEN": CANARIES["client token"],
                "ANTHROPIC_UPSTREAM_API_KEY": CANARIES["upstream key"],
                "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url,
                "DEEPSEEK_API_KEY": CANARIES["upstream key"] + "-2",
                "DEEPSEEK_PROXY": nowhere.replace("http://", f"http://{login}@"),
                "OPENROUTER_API_KEY": CANARIES["upstream key"] + "-3",
                "OPENROUTER_BASE_URL": upstream.url,
                "OPENROUTER_PROXY": f"socks5://{login}@127.0.0.1:{socks.port}",
                "REQUEST_DEADLINE": "0.5",
                "HTTP_READ_TIMEOUT": "0.1",
            } | ONE_ATTEMPT


def seen(reply: httpx.Response) -> str:
    return f"{reply.headers!r}\n{reply.text}"


def found_in(page: str) -> list[str]:
    """Each canary in a page, with what stands around it."""
    return [f"{name}: {page[max(0, page.find(word) - 90) :][:150]}" for name, word in CANARIES.items() if word in page]


async def test_no_secret_and_no_word_of_a_conversation_is_ever_shown(upstream: Upstream, tmp_path: Path) -> None:
    shown: list[str] = []
    token = f"{CANARIES['client token']}:anthropic/claude-opus-4-8"
    async with (
        proxied(upstream) as environ,
        serving(tmp_path, environ, level="DEBUG") as gateway,
        gateway.client(token, cookie=f"a={CANARIES['cookie']}") as client,
    ):
        for streamed in (True, False):
            for failure in failures():
                upstream.script(failure)
                gateway.moments.ahead += A_DAY
                shown.append(seen(await client.post("/v1/messages", json=talk(stream=streamed))))
            gateway.moments.ahead += A_DAY
            for model in ("anthropic/x", "open_router/x"):
                answered = await _answered(client, upstream, model, streamed)
                shown.append(repr(answered.headers))
        for model in ("deepseek/x", "groq/x", "grok/x", "openai/x"):
            unserved = await client.post("/v1/messages", json=talk(), headers=pinned(model))
            shown.append(seen(unserved))
        shown.append(seen(await client.post("/v1/messages/count_tokens", json=talk())))
        shown += [seen(reply) for reply in await _refused(client)]
        await _left(gateway, upstream)
        shown += [seen(await client.get(path)) for path in ("/", "/metrics", "/v1/models", "/health", "/readyz")]
        await gateway.settled()
        assert len(gateway.log.events("request")) > 60
        shown.append(gateway.log.text)
    assert [hit for page in shown for hit in found_in(page)] == []


def pinned(model: str) -> dict[str, str]:
    return {"x-api-key": f"{CANARIES['client token']}:{model}"}


async def _answered(client: httpx.AsyncClient, upstream: Upstream, model: str, streamed: bool) -> httpx.Response:
    """A success, whose body alone may hold a canary."""
    upstream.script(message(text(CANARIES["answer"], pieces=1), tool_use("b", {"c": CANARIES["answer"]})))
    reply = await client.post("/v1/messages", json=talk(stream=streamed), headers=pinned(model))
    assert CANARIES["answer"] in reply.text
    return reply


async def _refused(client: httpx.AsyncClient) -> list[httpx.Response]:
    """Requests that Keyturn itself refuses, canaries and all."""
    prompt = CANARIES["prompt"]
    broken = json.dumps(talk())[:-5]
    return [
        await client.post("/v1/messages", json=talk(), headers={"x-api-key": CANARIES["wrong token"]}),
        await client.post("/v1/messages", json=talk(), headers={"x-api-key": f"{CANARIES['wrong token']}:m"}),
        await client.post("/v1/messages", content=broken),
        await client.post("/v1/messages", content=json.dumps(prompt)),
        await client.post("/v1/messages", json=talk(messages=prompt)),
        await client.post("/v1/messages", json=talk(messages=[{"role": prompt, "content": prompt}])),
        await client.post("/v1/messages", json=talk(messages=[{"role": "user", "content": [{"type": prompt}]}])),
        await client.post("/v1/messages", json=talk(max_tokens=prompt)),
        await client.post("/v1/messages", json=talk(system={"text": prompt})),
        await client.post("/v1/messages", content=json.dumps(talk()).replace(prompt, prompt + "\\x").encode()),
        await client.post("/v1/messages/batches", json=talk()),
        await client.put("/v1/messages", json=talk()),
        await client.post("/v1/messages", json=talk(), headers={"content-encoding": "gzip"}),
    ]


async def _left(gateway: Gateway, upstream: Upstream) -> None:
    """A client that leaves in the middle. (Its query is its own affair: httpx would log that of its requests.)"""
    number = len(upstream.requests)
    upstream.script(Reply((Hang(),)))
    async with connected(gateway.port) as client:
        sent = post(json.dumps(talk()).encode(), f"/v1/messages?key={CANARIES['query']}")
        client.write(sent.replace(b"x-api-key: freecc", f"x-api-key: {CANARIES['client token']}".encode()))
        request: Request = await upstream.request(number)
        leave(client.writer, reset=True)
        await request.gone.wait()
