"""The list of series that a gateway for a team exports, each with its labels, and nothing in it but what is bounded."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from prometheus_client.samples import Sample

from gateway.metrics import Metrics
from gateway.store_metrics import StoreMetrics
from middleware.context import RequestContext
from providers.ports import Attempt, Step, Usage

CALL = {"gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"}
OURS: Mapping[str, set[str]] = {
    "requests_total": {"route", "provider", "model", "outcome"},
    "attempts_total": {"provider", "key", "outcome", "reason"},
    "overhead_seconds": {"phase"},
    "queue_wait_seconds": {"provider"},
    "queue_depth": {"provider"},
    "inflight": {"provider", "key"},
    "key_state": {"provider", "key", "state"},
    "key_reset_timestamp_seconds": {"provider", "key"},
    "key_quota_remaining_ratio": {"provider", "key"},
    "key_rotations_total": {"provider", "reason"},
    "learned_limit": {"provider", "model", "axis"},
    "failover_total": {"from_provider", "to_provider", "stage"},
    "stream_aborts_total": {"side", "reason"},
    "retry_budget_remaining_ratio": {"provider"},
    "affinity_total": {"result"},
    "cache_tokens_total": {"provider", "kind"},
    "tokens_total": {"provider", "model", "type"},
    "cost_usd_total": {"client", "provider", "model"},
    "unpriced_tokens_total": {"provider", "model"},
    "limit_rejections_total": {"provider", "axis"},
    "redis_seconds": {"op"},
    "redis_degraded": set(),
    "redis_lost_total": {"reason"},
    "tool_repairs_total": {"kind"},
    "lost_total": {"provider", "field"},
    "local_answers_total": {"kind"},
    "config_reload_total": {"result"},
    "client_requests_total": {"client", "outcome"},
    "client_tokens_total": {"client", "type"},
    "client_refused_total": {"client", "axis"},
    "web_tool_uses_total": {"tool", "outcome"},
    "build_info": {"version"},
}
CONVENTIONS: Mapping[str, set[str]] = {
    "client_operation_duration_seconds": CALL | {"error_type"},
    "client_operation_time_to_first_chunk_seconds": CALL,
    "client_operation_time_per_output_chunk_seconds": CALL,
    "client_token_usage": CALL | {"gen_ai_token_type"},
    "server_request_duration_seconds": CALL | {"error_type"},
    "server_time_to_first_token_seconds": CALL,
    "server_time_per_output_token_seconds": CALL,
    **{
        f"client_inference_usage_{kind}_tokens_total": CALL | {"gen_ai_token_modality"}
        for kind in ("input", "output", "cache_read_input", "cache_write_input", "reasoning_output")
    },
}
LISTED = {f"keyturn_{name}": labels for name, labels in OURS.items()} | {
    f"gen_ai_{name}": labels for name, labels in CONVENTIONS.items()
}


def used(model: str) -> Metrics:
    """After one call that two keys and two providers were asked for."""
    metrics = Metrics(
        [("groq", "known"), ("demo", "known")],
        ["/v1/messages"],
        [("groq", "demo")],
        ["groq"],
        ["ada"],
        lambda provider, *_: 0.01 if provider == "demo" else None,
        lambda: 3.0,
    )
    store = StoreMetrics(metrics.registry)
    store.store_waited(0.001)
    store.store_settled(0.001)
    attempts = [
        Attempt("req_1", "groq", model, key, 0.0, first_content=0.5, ended=1.0, reads=3, affinity="hit")
        for key in ("groq-01", "groq-02")
    ]
    attempts.append(Attempt("req_1", "demo", model, "demo", 1.0, first_content=1.5, ended=2.0, reads=3))
    context = RequestContext("req_1", 0.0, "/v1/messages", target=("demo", model), outcome="cut", principal="ada")
    context.routed, context.sent = 0.1, 0.2
    for attempt in attempts:
        attempt.outcome, attempt.reason, attempt.lost = "failed", "server_error", (f"{model}.x",)
        attempt.usage = Usage(10, 20, 30, 40, 5)
        context.trail.attempts.append(attempt)
        metrics.attempt_began(attempt)
        metrics.attempt_ended(attempt)
    context.trail.steps.append(Step(0.0, "refused", "groq", "known", "requests"))
    metrics.key_states("groq", {"groq-01": "ready"})
    metrics.key_limits("groq", "groq-01", 1.0, 0.5)
    metrics.learned("groq", "known", "output_tokens", 10)
    metrics.provider_state("groq", 0, 1.0)
    metrics.request_ended(context)
    return metrics


def samples(metrics: Metrics) -> list[Sample]:
    return [sample for family in metrics.registry.collect() for sample in family.samples]


@pytest.fixture(scope="module")
def exported() -> list[Sample]:
    return samples(used("known"))


def names(series: str) -> tuple[str, ...]:
    return series, f"{series}_count"


@pytest.mark.parametrize("series", LISTED)
def test_it_is_there_with_these_labels(exported: list[Sample], series: str) -> None:
    found = {frozenset(sample.labels) for sample in exported if sample.name in names(series)}
    assert found == {frozenset(LISTED[series])}


def test_nothing_else_is_there(exported: list[Sample]) -> None:
    suffixes = ("_bucket", "_sum", "_count", "_created")
    own = {sample.name for sample in exported if sample.name.startswith(("keyturn_", "gen_ai_"))}
    whole = {next((name.removesuffix(end) for end in suffixes if name.endswith(end)), name) for name in own}
    assert {name for name in whole if f"{name}_total" not in LISTED} == set(LISTED)


def test_what_clients_say_makes_no_series(exported: list[Sample]) -> None:
    """A model that nobody configured is ``other`` wherever it stands."""
    said = {sample.name: set(sample.labels.values()) for sample in samples(used("made-up"))}
    assert "other" in said["keyturn_tokens_total"]
    assert not [name for name, values in said.items() if any("made-up" in value for value in values)]
