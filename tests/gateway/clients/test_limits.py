"""What a client's token allows, at a whole gateway: what is refused, in which shape, with which words and wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.json_object import encode
from tests.eventually import eventually
from tests.serving import Gateway, ask, serving
from tests.upstream import Hang, Upstream, error, frames, message, stream, text

ADA = "kt_of-ada-4f0c9a71"
FREE = "kt_of-free-99ab01cd"
TOML = """
[[tokens]]
name = "ada"
token = "{ada}"
{limits}
[[tokens]]
name = "free"
token = "{free}"
"""
PATHS = ("/v1/messages", "/v1/chat/completions", "/v1/responses")
HI: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": ask(model="claude-x"),
    "/v1/messages/count_tokens": {"model": "claude-x", "messages": HI},
    "/v1/chat/completions": {"model": "claude-x", "messages": HI},
    "/v1/responses": {"model": "claude-x", "input": "Hi"},
}


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as scripted:
        yield scripted


def served(home: Path, upstream: Upstream, limits: str, **environ: str) -> AbstractAsyncContextManager[Gateway]:
    (home / "keyturn.toml").write_text(TOML.format(ada=ADA, free=FREE, limits=limits))
    own = {
        "ANTHROPIC_UPSTREAM_API_KEY": "sk-team-1",
        "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url,
        "GROQ_API_KEY": "gsk-team-1",
        "MODEL": "anthropic/claude-x",
        "PROVIDER_MAX_RETRIES": "0",
    }
    return serving(home, {**own, **environ})


def refused(reply: httpx.Response, path: str, status: int, kind: str) -> str:
    """The words of a refusal in the shape of the path's dialect."""
    assert reply.status_code == status, reply.text
    body = reply.json()
    if path.startswith("/v1/messages"):
        assert (body["type"], body["error"]["type"]) == ("error", kind)
        assert body["request_id"] == reply.headers["request-id"]
    else:
        assert set(body) == {"error"}
        assert {"message", "type", "code", "param"} <= set(body["error"])
    return str(body["error"]["message"])


@pytest.mark.parametrize("path", PATHS)
async def test_requests_of_a_minute(tmp_path: Path, upstream: Upstream, path: str) -> None:
    upstream.always(message(text("Hello")))
    async with served(tmp_path, upstream, "requests_per_minute = 2") as gateway, gateway.client(ADA) as client:
        for _ in range(2):
            assert (await client.post(path, json=BODIES[path])).status_code == 200
        reply = await client.post(path, json=BODIES[path])
        words = refused(reply, path, 429, "rate_limit_error")
        assert "Your client token ada may make 2 requests a minute and has made them" in words
        assert "requests_per_minute" in words
        assert 1 <= int(reply.headers["retry-after"]) <= 30
        assert f"try again in {reply.headers['retry-after']} s" in words
        assert len(upstream.requests) == 2
        async with gateway.client(FREE) as other:
            assert (await other.post(path, json=BODIES[path])).status_code == 200
        assert await gateway.metric("keyturn_client_refused_total", client="ada", axis="requests") == 1
        assert await gateway.metric("keyturn_client_requests_total", client="ada", outcome="ok") == 2


async def test_the_wait_that_is_told_is_the_one(tmp_path: Path, upstream: Upstream) -> None:
    upstream.always(message(text("Hello")))
    async with served(tmp_path, upstream, "requests_per_minute = 1") as gateway, gateway.client(ADA) as client:
        assert (await client.post("/v1/messages", json=ask())).status_code == 200
        told = int((await client.post("/v1/messages", json=ask())).headers["retry-after"])
        gateway.moments.ahead += told - 5
        assert (await client.post("/v1/messages", json=ask())).status_code == 429
        gateway.moments.ahead += 5
        assert (await client.post("/v1/messages", json=ask())).status_code == 200


async def test_tokens_of_a_minute_are_those_that_were_used(tmp_path: Path, upstream: Upstream) -> None:
    """The estimate of a short request is far less than what this one turns out to have used."""
    upstream.always(message(text("Hello"), usage={"input_tokens": 500}, late_usage={"output_tokens": 700}))
    async with served(tmp_path, upstream, "tokens_per_minute = 1000") as gateway:
        async with gateway.client(ADA) as client:
            assert (await client.post("/v1/messages", json=ask())).status_code == 200
            await gateway.settled()
            reply = await client.post("/v1/messages", json=ask())
        words = refused(reply, "/v1/messages", 429, "rate_limit_error")
        assert "may use 1000 tokens a minute and has used them" in words
        assert 1 <= int(reply.headers["retry-after"]) <= 60


async def test_open_requests(tmp_path: Path, upstream: Upstream) -> None:
    async with served(tmp_path, upstream, "max_concurrency = 1") as gateway, gateway.client(ADA) as client:
        upstream.script(stream(*frames("claude-x", [text("Hello")])[:-3], Hang()))
        async with client.stream("POST", "/v1/messages", json=ask(stream=True)) as first:
            assert first.status_code == 200
            reply = await client.post("/v1/messages", json=ask())
            words = refused(reply, "/v1/messages", 429, "rate_limit_error")
            assert "may have 1 requests open at once and has them: try again as soon as one of them ends" in words
        upstream.always(message(text("Hello")))

        async def free() -> bool:
            return (await client.post("/v1/messages", json=ask())).status_code == 200

        await eventually(free)  # the first one's end is noticed when its client has gone


async def test_what_a_provider_refused_before_it_was_asked_is_given_back(tmp_path: Path, upstream: Upstream) -> None:
    """The provider's own window is full; the token's would be, if those refusals counted."""
    upstream.always(message(text("Hello")))
    house = {"ANTHROPIC_UPSTREAM_RATE_LIMIT": "1", "ANTHROPIC_UPSTREAM_RATE_WINDOW": "3600", "QUEUE_MAX_WAIT": "0.01"}
    limits = "requests_per_minute = 2\nmax_concurrency = 1\ntokens_per_minute = 100000"
    async with served(tmp_path, upstream, limits, **house) as gateway, gateway.client(ADA) as client:
        assert (await client.post("/v1/messages", json=ask())).status_code == 200
        for _ in range(6):
            reply = await client.post("/v1/messages", json=ask())
            assert reply.status_code == 429
            assert "client token" not in reply.text
        assert len(upstream.requests) == 1
        assert not await gateway.metric("keyturn_client_refused_total", client="ada")


async def test_what_an_upstream_refused_counts_as_a_request_and_no_tokens(tmp_path: Path, upstream: Upstream) -> None:
    upstream.always(error(400, "invalid_request_error", "no"))
    limits = "requests_per_minute = 3\ntokens_per_minute = 20"
    async with served(tmp_path, upstream, limits) as gateway, gateway.client(ADA) as client:
        for _ in range(3):
            assert (await client.post("/v1/messages", json=ask("x" * 40))).status_code == 400
            await gateway.settled()
        words = refused(await client.post("/v1/messages", json=ask()), "/v1/messages", 429, "rate_limit_error")
    assert "3 requests a minute" in words


async def test_many_at_one_moment_get_what_there_is(tmp_path: Path, upstream: Upstream) -> None:
    upstream.always(message(text("Hello")))
    async with served(tmp_path, upstream, "requests_per_minute = 5") as gateway, gateway.client(ADA) as client:
        replies = await asyncio.gather(*(client.post("/v1/messages", json=ask()) for _ in range(12)))
    assert sorted(reply.status_code for reply in replies) == [200] * 5 + [429] * 7
    assert len(upstream.requests) == 5


@pytest.mark.parametrize("path", [*PATHS, "/v1/messages/count_tokens"])
@pytest.mark.parametrize(
    ("limits", "pin", "model", "good"),
    [
        ('providers = ["anthropic"]', "", "claude-x", True),
        ('providers = ["anthropic"]', "groq/llama-3.3-70b-versatile", "claude-x", False),
        ('providers = ["anthropic"]', "", "groq/llama-3.3-70b-versatile", False),
        ('models = ["*haiku*"]', "", "claude-x", False),
        ('models = ["*haiku*"]', "anthropic/claude-haiku-5", "claude-x", True),
        ('models = ["anthropic/*"]', "anthropic/claude-opus-5", "claude-x", True),
        ('models = ["anthropic/*"]', "groq/anthropic/x", "claude-x", False),
        ('models = ["claude-*"]\nproviders = ["groq"]', "anthropic/claude-opus-5", "claude-x", False),
    ],
)
async def test_the_suffix_does_not_leave_what_the_token_allows(
    tmp_path: Path, upstream: Upstream, path: str, limits: str, pin: str, model: str, good: bool
) -> None:
    upstream.always(message(text("Hello")))
    async with served(tmp_path, upstream, limits) as gateway, gateway.client(f"{ADA}:{pin}" if pin else ADA) as client:
        reply = await client.post(path, json={**BODIES[path], "model": model})
        if good:
            assert reply.status_code == 200, reply.text
            return
        words = refused(reply, path, 403, "permission_error")
        assert "Your client token ada may not use " in words
        assert reply.headers["x-should-retry"] == "false"
    assert upstream.requests == []


async def test_a_fallback_does_not_either(tmp_path: Path, upstream: Upstream) -> None:
    upstream.always(error(500, "api_error", "broken"))
    async with Upstream() as groq:
        groq.always(error(400, "invalid_request_error", "no"))
        environ = {"MODEL_FALLBACKS": "groq/llama-3.3-70b-versatile", "GROQ_BASE_URL": f"{groq.url}/v1"}
        async with served(tmp_path, upstream, 'providers = ["anthropic"]', **environ) as gateway:
            async with gateway.client(ADA) as client:
                assert (await client.post("/v1/messages", json=ask(model="claude-x"))).status_code >= 500
            assert groq.requests == []
            async with gateway.client(FREE) as client:
                await client.post("/v1/messages", json=ask(model="claude-x"))
            assert groq.requests, "who has no such limit goes on there"


async def test_the_list_of_models_is_what_the_token_may_use(tmp_path: Path, upstream: Upstream) -> None:
    environ = {"MODEL_HAIKU": "groq/llama-3.1-8b-instant", "MODEL_OPUS": "anthropic/claude-opus-5"}
    async with served(tmp_path, upstream, 'providers = ["groq"]', **environ) as gateway:
        async with gateway.client(FREE) as client:
            everything = {each["id"] for each in (await client.get("/v1/models")).json()["data"]}
        async with gateway.client(ADA) as client:
            own = {each["id"] for each in (await client.get("/v1/models")).json()["data"]}
            for model in everything:
                assert (await client.get(f"/v1/models/{model}")).status_code == (200 if model in own else 404), model
    assert own
    assert all("groq" in model for model in own if "/" in model)
    assert any("anthropic" in model for model in everything - own)


WEB: list[tuple[str, dict[str, Any]]] = [
    ("/v1/messages", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
    ("/v1/messages", {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}),
    ("/v1/chat/completions", {"web_search_options": {}}),
    ("/v1/chat/completions", {"tools": [{"type": "openrouter:web_search"}]}),
    ("/v1/chat/completions", {"plugins": [{"id": "web"}]}),
    ("/v1/chat/completions", {"search_parameters": {"mode": "auto"}}),
    ("/v1/chat/completions", {"plugins": {"web": {}}}),
    ("/v1/chat/completions", {"tools": [{"type": "browser_search"}]}),
    ("/v1/chat/completions", {"model": "open_router/x/y:online"}),
    ("/v1/responses", {"tools": [{"type": "x_search"}]}),
    ("/v1/responses", {"tools": [{"type": "web_search_preview"}]}),
]


@pytest.mark.parametrize(("path", "more"), WEB)
async def test_web_tools_may_be_switched_off(
    tmp_path: Path, upstream: Upstream, path: str, more: dict[str, Any]
) -> None:
    upstream.always(message(text("Hello")))
    async with served(tmp_path, upstream, "web_tools = false") as gateway, gateway.client(ADA) as client:
        words = refused(await client.post(path, json={**BODIES[path], **more}), path, 403, "permission_error")
        assert "may not use" in words
        assert "web" in words
        own = {"name": "web_search", "description": "mine", "input_schema": {"type": "object"}}
        assert (await client.post("/v1/messages", json=ask(tools=[own]))).status_code == 200, "a tool of the client's"
        assert await gateway.metric("keyturn_client_refused_total", client="ada", axis="web_tools") == 1


async def test_a_member_that_stands_twice_hides_no_web_tool(tmp_path: Path, upstream: Upstream) -> None:
    twice = b'{"tools": [{"type": "web_search_20250305", "name": "web_search"}], "tools": [], '
    twice += encode(BODIES["/v1/messages"])[1:]
    async with served(tmp_path, upstream, "web_tools = false") as gateway, gateway.client(ADA) as client:
        assert "stands twice" in refused(
            await client.post("/v1/messages", content=twice), "/v1/messages", 400, "invalid_request_error"
        )


async def test_a_probe_that_is_answered_here_costs_nothing(tmp_path: Path, upstream: Upstream) -> None:
    upstream.always(message(text("Hello")))
    async with served(tmp_path, upstream, "requests_per_minute = 1") as gateway, gateway.client(ADA) as client:
        for _ in range(4):
            counted = await client.post("/v1/messages/count_tokens", json=BODIES["/v1/messages/count_tokens"])
            assert counted.status_code == 200
        assert (await client.post("/v1/messages", json=ask())).status_code == 200


async def test_everything_is_seen_by_the_admin_and_ones_own_by_oneself(tmp_path: Path, upstream: Upstream) -> None:
    upstream.always(message(text("Hello"), usage={"input_tokens": 100}, late_usage={"output_tokens": 7}))
    async with served(tmp_path, upstream, "requests_per_minute = 2") as gateway:
        async with gateway.client(ADA) as client:
            for _ in range(3):
                await client.post("/v1/messages", json=ask(), headers={"x-claude-code-session-id": "s1"})
            own = (await client.get("/v1/usage")).json()
            assert (await client.get("/admin/usage")).status_code == 401
        async with gateway.admin() as admin:
            pool = (await admin.get("/admin/pool")).json()
            page = (await admin.get("/ui")).text
    (row,) = own["usage"]
    seen = {name: row[name] for name in ("client", "session", "requests", "refused", "input_tokens", "output_tokens")}
    wanted = {"client": "ada", "session": "s1", "requests": 2, "refused": 1, "input_tokens": 200, "output_tokens": 14}
    assert seen == wanted
    ada, free = pool["clients"]
    assert (ada["name"], ada["requests_per_minute"]) == ("ada", 2)
    assert (ada["used"]["requests"], ada["used"]["refused"]) == (2, 1)
    assert (free["name"], free["state"], free["used"]["requests"]) == ("free", "good", 0)
    assert "2 requests/min" in page
