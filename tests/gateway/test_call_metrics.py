"""What calls took, used and cost, as Prometheus sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from gateway.metrics.calls import CallMetrics
from gateway.metrics.clients import MOST, OTHER, ClientMetrics
from middleware.context import RequestContext
from providers.ports import Attempt, Step, Usage
from tests.serving import TOKEN, Gateway, ask, serving
from tests.upstream import Cut, Upstream, block_delta, block_start, error, message, message_start, stream, text

MODEL = "claude-x"
USED = {"input_tokens": 100, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 7, "output_tokens": 1}


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as scripted:
        yield scripted


@pytest.fixture
async def gateway(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Gateway]:
    environ = {
        "ANTHROPIC_UPSTREAM_API_KEYS": "sk-one-aaaaaaaa sk-two-bbbbbbbb",
        "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url,
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "MODEL": f"anthropic/{MODEL}",
        "PROVIDER_MAX_RETRIES": "0",
    }
    async with serving(tmp_path, environ) as running:
        yield running


async def test_tokens_and_times_of_a_stream(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(message(text("Hello", pieces=5), usage=USED, late_usage={"output_tokens": 34}))
    async with gateway.client() as client:
        await client.post("/v1/messages", json=ask(stream=True))
    for kind, count in (("input", 100), ("cache_read", 40), ("cache_write", 7), ("output", 34), ("reasoning", 0)):
        assert await gateway.metric("keyturn_tokens_total", model=MODEL, type=kind) == count
    names = {"gen_ai_provider_name": "anthropic", "gen_ai_request_model": MODEL, "gen_ai_operation_name": "chat"}
    for series in (
        "gen_ai_client_operation_duration_seconds",
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        "gen_ai_client_operation_time_per_output_chunk_seconds",
        "gen_ai_server_request_duration_seconds",
        "gen_ai_server_time_to_first_token_seconds",
        "gen_ai_server_time_per_output_token_seconds",
    ):
        assert await gateway.metric(f"{series}_count", **names) == 1, series
    assert await gateway.metric("gen_ai_client_token_usage_sum", gen_ai_token_type="input") == 147
    assert await gateway.metric("gen_ai_client_token_usage_sum", gen_ai_token_type="output") == 34
    for phase in ("receive", "prepare", "all"):
        assert await gateway.metric("keyturn_overhead_seconds_count", phase=phase) == 1
    assert await gateway.metric("keyturn_unpriced_tokens_total", model=MODEL) in (181, None)


async def test_a_model_that_no_setting_names_is_other(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(message(text("Hello"), usage=USED))
    async with gateway.client() as client:
        for number in range(3):
            await client.post("/v1/messages", json=ask(model=f"anthropic/made-up-{number}"))
    assert await gateway.metric("keyturn_tokens_total", model=OTHER, type="input") == 300
    assert await gateway.metric("keyturn_tokens_total", model="made-up-1") is None


async def test_sessions_find_their_key_or_another(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(message(text("Hello")))
    session = {"x-claude-code-session-id": "a-session-of-tests"}
    async with gateway.client() as client:
        for _ in range(2):
            await client.post("/v1/messages", json=ask(), headers=session)
        upstream.script(error(429, "rate_limit_error", "slow", [("retry-after", "60")]))
        await client.post("/v1/messages", json=ask(), headers=session)
    found = [await gateway.metric("keyturn_affinity_total", result=each) for each in ("new", "hit", "moved")]
    assert found == [1, 2, 1]


async def test_answers_that_end_early(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(
        stream(
            message_start(MODEL), block_start(0, text("")), block_delta(0, {"type": "text_delta", "text": "Hel"}), Cut()
        )
    )
    async with gateway.client() as client:
        await client.post("/v1/messages", json=ask(stream=True))
    assert await gateway.metric("keyturn_stream_aborts_total", side="upstream", reason="cut") == 1


async def test_rests_are_moments(gateway: Gateway, upstream: Upstream) -> None:
    limited = error(429, "rate_limit_error", "slow", [("retry-after", "400")])
    upstream.script(limited, message(text("Hello")))
    async with gateway.client() as client:
        await client.post("/v1/messages", json=ask())
    before = gateway.moments.time().wall()
    resets = [await gateway.metric("keyturn_key_reset_timestamp_seconds", key=f"anthropic-0{n}") for n in (1, 2)]
    assert sorted(reset or 0 for reset in resets)[0] == 0
    assert 300 < max(reset or 0 for reset in resets) - before < 480


def context(**more: object) -> RequestContext:
    return RequestContext("req_1", 10.0, "/v1/messages", target=("groq", "a"), outcome="ok", **more)  # type: ignore[arg-type]


def test_cost_is_counted_by_client_and_what_has_no_price_apart() -> None:
    registry = CollectorRegistry()
    prices = {"a": 0.25}
    metrics = CallMetrics(registry, [("groq", "a"), ("groq", "b")], ["ada"], lambda _, model, __: prices.get(model))
    for model in ("a", "b", "b"):
        asked = context(principal="ada")
        asked.trail.attempts.append(Attempt("req_1", "groq", model, "groq-01", 11.0, usage=Usage(10, 5)))
        metrics.request_ended(asked, 12.0)
    cost = {"client": "ada", "provider": "groq"}
    assert registry.get_sample_value("keyturn_cost_usd_total", {**cost, "model": "a"}) == 0.25
    assert registry.get_sample_value("keyturn_cost_usd_total", {**cost, "model": "b"}) == 0
    assert registry.get_sample_value("keyturn_unpriced_tokens_total", {"provider": "groq", "model": "b"}) == 30


def test_every_attempt_of_a_call_is_paid_for() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry, [("groq", "a")], [], lambda *_: 1.0)
    asked = context()
    asked.trail.attempts += [Attempt("req_1", "groq", "a", key, 11.0, usage=Usage(10, 0)) for key in ("one", "two")]
    metrics.request_ended(asked, 12.0)
    assert registry.get_sample_value("keyturn_tokens_total", {"provider": "groq", "model": "a", "type": "input"}) == 20


def test_waits_and_what_stood_in_the_way() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry, [("groq", "a")], [], lambda *_: None)
    asked = context()
    for step in (
        Step(10.0, "queued", "groq", "a", seconds=1.5),
        Step(11.5, "refused", "groq", "a", "requests", times=3),
        Step(11.5, "refused", "groq", "a", "rate_limited"),
        Step(11.5, "waited", "groq", "a", "limit", 0.5),
        Step(12.0, "waited", "groq", "a", "backoff", 9.0),
    ):
        asked.trail.steps.append(step)
    metrics.request_ended(asked, 13.0)
    assert registry.get_sample_value("keyturn_queue_wait_seconds_sum", {"provider": "groq"}) == 2.0
    for axis, count in (("requests", 3), (OTHER, 1)):
        labels = {"provider": "groq", "axis": axis}
        assert registry.get_sample_value("keyturn_limit_rejections_total", labels) == count


def test_clients_are_counted_and_their_names_are_bounded() -> None:
    registry = CollectorRegistry()
    metrics = ClientMetrics(registry)
    metrics.configured(["ada"])
    for name in ["ada", *(f"client-{number}" for number in range(2 * MOST))]:
        asked = context(principal=name)
        asked.trail.attempts.append(Attempt("req_1", "groq", "a", "groq-01", 11.0, usage=Usage(10, 5, 3)))
        metrics.request_ended(asked)
    refused = context(principal="ada", barred="tokens")
    refused.outcome = "error"
    metrics.request_ended(refused)

    def value(series: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"keyturn_client_{series}_total", labels)

    assert value("tokens", client="ada", type="cache_read") == 3
    assert value("refused", client="ada", axis="tokens") == 1
    assert (value("requests", client="ada", outcome="ok"), value("requests", client="ada", outcome="error")) == (1, 1)
    assert value("tokens", client=OTHER, type="input") == 10 * (MOST + 1)
    labels = {each.labels["client"] for family in registry.collect() for each in family.samples}
    assert len(labels) == MOST + 1
