"""The series of keys, targets, queues and retries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.endpoints.models import failovers
from gateway.routing import Ref, Route, RoutingTable
from providers.catalog import CATALOG
from tests.moments import Moments
from tests.serving import KEY, TOKEN, ask, post, serving
from tests.upstream import ChatUpstream, Hang, Upstream, error, message, openai_chat, stream, text
from tests.upstream.bare_client import connected

MOVED, ROTATED = "keyturn_failover_total", "keyturn_key_rotations_total"
QUEUE, BUDGET = "keyturn_queue_depth", "keyturn_retry_budget_remaining_ratio"


@pytest.fixture
def other() -> Iterator[ChatUpstream]:
    with ChatUpstream() as scripted:
        scripted.always(openai_chat.completion(openai_chat.text("Hello")))
        yield scripted


def environ(upstream: Upstream, other: ChatUpstream, **more: str) -> dict[str, str]:
    return {
        "ANTHROPIC_UPSTREAM_API_KEYS": "sk-one sk-two sk-three",
        "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url,
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": other.base_url,
        "MODEL": "anthropic/claude-x",
        "MODEL_FALLBACKS": "openai/gpt-x",
        **more,
    }


async def test_they_are_there_before_the_first_request(upstream: Upstream, other: ChatUpstream, tmp_path: Path) -> None:
    async with serving(tmp_path, environ(upstream, other)) as gateway:
        for stage in ("before_headers", "before_content"):
            assert await gateway.metric(MOVED, from_provider="anthropic", to_provider="openai", stage=stage) == 0
        for reason in ("rate_limited", "key_refused", "server_error", "unreachable"):
            assert await gateway.metric(ROTATED, provider="anthropic", reason=reason) == 0
        assert await gateway.metric(ROTATED, provider="anthropic", reason="invalid_request") is None
        assert await gateway.metric(ROTATED, provider="openai") is None  # it has one key
        for provider in ("anthropic", "openai"):
            assert await gateway.metric(QUEUE, provider=provider) == 0
            assert await gateway.metric(BUDGET, provider=provider) == 1
    assert upstream.requests == []


async def test_moves_between_keys_are_counted_by_what_was_met(
    upstream: Upstream, other: ChatUpstream, tmp_path: Path
) -> None:
    upstream.script(error(401, "authentication_error", "no"), error(429, "rate_limit_error", "no"))
    upstream.always(message(text("Hello")))
    async with serving(tmp_path, environ(upstream, other)) as gateway, gateway.client() as client:
        for _ in range(2):
            assert (await client.post("/v1/messages", json=ask())).status_code == 200
        assert await gateway.metric(ROTATED, provider="anthropic", reason="key_refused") == 1
        assert await gateway.metric(ROTATED, provider="anthropic", reason="rate_limited") == 1
        assert await gateway.metric(ROTATED) == 2
        assert await gateway.metric(MOVED) == 0


async def test_a_move_before_anything_was_sent(upstream: Upstream, other: ChatUpstream, tmp_path: Path) -> None:
    upstream.always(error(404, "not_found_error", "no such path"))
    async with serving(tmp_path, environ(upstream, other)) as gateway, gateway.client() as client:
        assert (await client.post("/v1/messages", json=ask())).status_code == 200
        assert await gateway.metric(MOVED, from_provider="anthropic", stage="before_headers") == 1
        assert await gateway.metric(MOVED) == 1


async def test_a_move_after_the_head_was_sent(upstream: Upstream, other: ChatUpstream, tmp_path: Path) -> None:
    upstream.script(stream(Hang()))
    upstream.always(error(404, "not_found_error", "no such path"))
    asleep = Moments(hold=asyncio.Event())
    async with (
        serving(tmp_path, environ(upstream, other), moments=asleep) as gateway,
        connected(gateway.port) as client,
    ):
        client.write(post(json.dumps(ask(stream=True)).encode()))
        request = await upstream.request()
        asleep.fire()
        await client.until(b"ping")
        request.release.set()
        assert b'data: {"type":"message_stop"}' in await client.until(b"\r\n0\r\n\r\n")
        await gateway.settled()
        assert await gateway.metric(MOVED, from_provider="anthropic", to_provider="openai", stage="before_content") == 1
        assert await gateway.metric(MOVED) == 1


async def test_repeats_use_up_the_budget(upstream: Upstream, other: ChatUpstream, tmp_path: Path) -> None:
    upstream.always(error(500, "api_error", "no"))
    own = environ(upstream, other, ANTHROPIC_UPSTREAM_API_KEYS="sk-one", PROVIDER_MAX_RETRIES="4")
    own |= {"PROVIDER_RETRY_BASE_DELAY": "0.01", "PROVIDER_RETRY_MAX_DELAY": "0.01", "MODEL_FALLBACKS": ""}
    async with serving(tmp_path, own) as gateway, gateway.client() as client:
        assert (await client.post("/v1/messages", json=ask())).status_code == 500
        left = await gateway.metric(BUDGET, provider="anthropic")
    assert left is not None
    assert 0 <= left < 1


def table(**more: Any) -> RoutingTable:
    known = {row.id: row for row in CATALOG}
    return RoutingTable(known, frozenset({"groq", "openai", "ollama", "demo"}), Ref("groq", "m"), **more)


@pytest.mark.parametrize(
    ("settings", "pairs"),
    [
        ({}, set()),
        ({"fallbacks": (Ref("openai", "x"),)}, {("groq", "openai")}),
        ({"fallbacks": (Ref("groq", "n"),)}, {("groq", "groq")}),
        ({"fallbacks": (Ref("deepseek", "without-a-key"), Ref("ollama", "x"))}, {("groq", "ollama")}),
        (
            {
                "tiers": {"opus": Ref("openai", "x")},
                "tier_fallbacks": {"opus": (Ref("ollama", "x"),), "haiku": (Ref("demo", "demo"),)},
            },
            {("openai", "ollama"), ("groq", "ollama"), ("groq", "demo")},
        ),
        (
            {
                "routes": (Route("a", "openai", "x", fallbacks=(Ref("demo", "demo"),)),),
                "fallbacks": (Ref("groq", "m"),),
            },
            {("openai", "demo"), ("demo", "groq")},
        ),
    ],
)
def test_who_takes_over_from_whom(settings: dict[str, Any], pairs: set[tuple[str, str]]) -> None:
    assert failovers(table(**settings)) == pairs
