"""The five series of contract.md: there from the start, bounded in their labels, true at the end."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Metrics
from providers.ports import Attempt
from providers.version import VERSION
from tests.gateway_process import ONE_ATTEMPT, upstream_env
from tests.serving import Gateway, ask, post, serving
from tests.upstream import Cut, Hang, Upstream, block, error, message, message_start, refusing, stream, text
from tests.upstream.bare_client import connected

LABELS: Mapping[str, set[str]] = {
    "keyturn_requests_total": {"route", "provider", "model", "outcome"},
    "keyturn_attempts_total": {"provider", "key", "outcome", "reason"},
    "keyturn_key_state": {"provider", "key", "state"},
    "keyturn_inflight": {"provider", "key"},
    "keyturn_build_info": {"version"},
}


async def samples(gateway: Gateway) -> dict[str, list[tuple[dict[str, str], float]]]:
    async with gateway.client() as client:
        reply = await client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return found


async def test_every_series_is_there_before_the_first_request(gateway: Gateway) -> None:
    found = await samples(gateway)
    for name, labels in LABELS.items():
        assert found[name], name
        assert all(set(own) == labels for own, _ in found[name]), name
    assert found["keyturn_build_info"] == [({"version": VERSION}, 1.0)]
    requests = [
        (own["route"], own["outcome"])
        for own, value in found["keyturn_requests_total"]
        if own["provider"] == "anthropic" and value == 0
    ]
    for route in ("/v1/messages", "/v1/messages/count_tokens"):
        assert {outcome for at, outcome in requests if at == route} == {"ok", "error", "cut", "client_gone"}
    assert await gateway.metric("keyturn_inflight", provider="anthropic", key="anthropic-01") == 0
    assert await gateway.metric("keyturn_attempts_total", provider="anthropic", key="anthropic-01") == 0
    states = {own["state"]: value for own, value in found["keyturn_key_state"] if own["key"] == "anthropic-01"}
    assert states == {"ready": 1.0, "limited": 0.0, "refused": 0.0, "spent": 0.0, "rested": 0.0}
    assert "process_cpu_seconds_total" in found


async def test_a_success_is_counted_once(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(message(text("Hello")))
    async with gateway.client() as client:
        for streamed in (True, False):
            await client.post("/v1/messages", json=ask(model="claude-sonnet-5", stream=streamed))
    labels = {"route": "/v1/messages", "provider": "anthropic", "model": "claude-sonnet-5"}
    assert await gateway.metric("keyturn_requests_total", **labels, outcome="ok") == 2
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages") == 2
    assert await gateway.metric("keyturn_attempts_total", key="anthropic-01", outcome="ok", reason="") == 2
    assert await gateway.metric("keyturn_inflight") == 0


@pytest.mark.parametrize(
    ("status", "reason", "state"),
    [
        (400, "invalid_request", "ready"),
        (401, "key_refused", "refused"),
        (402, "key_unpaid", "refused"),
        (403, "key_forbidden", "refused"),
        (404, "not_found", "ready"),
        (429, "rate_limited", "limited"),
        (500, "server_error", "ready"),
        (529, "overloaded", "ready"),
    ],
)
async def test_a_failure_is_counted_with_its_reason(
    gateway: Gateway, upstream: Upstream, status: int, reason: str, state: str
) -> None:
    upstream.script(error(status, "api_error", "no"), message(text("Hello")))
    async with gateway.client() as client:
        await client.post("/v1/messages", json=ask())
        assert await gateway.metric("keyturn_attempts_total", outcome="failed", reason=reason) == 1
        assert await gateway.metric("keyturn_requests_total", route="/v1/messages", outcome="error") == 1
        for each in ("ready", "limited", "refused"):
            assert await gateway.metric("keyturn_key_state", key="anthropic-01", state=each) == (each == state)
        gateway.moments.ahead += 86400  # whatever rests is back by then
        await client.post("/v1/messages", json=ask())
    assert await gateway.metric("keyturn_key_state", key="anthropic-01", state="ready") == 1
    assert await gateway.metric("keyturn_inflight") == 0


async def test_a_cut_is_no_error_and_no_success(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(stream(message_start("m"), *block(0, text("half"))[:-1], Cut()))
    async with gateway.client() as client:
        await client.post("/v1/messages", json=ask(stream=True))
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages", outcome="cut") == 1
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages") == 1
    assert await gateway.metric("keyturn_attempts_total", outcome="failed", reason="cut") == 1


async def test_the_gauge_follows_what_is_open(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(stream(message_start("m"), Hang()))
    async with connected(gateway.port) as one, connected(gateway.port) as other:
        for count, client in enumerate((one, other), 1):
            client.write(post(json.dumps(ask(stream=True)).encode()))
            await upstream.arrival(count).wait()
            assert await gateway.metric("keyturn_inflight", key="anthropic-01") == count
        for request in upstream.requests:
            request.release.set()
        await asyncio.gather(one.answer(), other.answer())
    await gateway.settled()
    assert await gateway.metric("keyturn_inflight", key="anthropic-01") == 0


async def test_an_upstream_that_cannot_be_reached_leaves_the_gauge_at_zero(tmp_path: Path) -> None:
    with refusing() as url:
        environ = upstream_env(url) | ONE_ATTEMPT
        async with serving(tmp_path, environ) as gateway, gateway.client() as client:
            await client.post("/v1/messages", json=ask())
            assert await gateway.metric("keyturn_inflight") == 0
            assert await gateway.metric("keyturn_attempts_total", outcome="failed", reason="unreachable") == 1


async def test_labels_do_not_grow_with_what_clients_send(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(message(text("Hello")))
    async with gateway.client() as client:

        async def probe(word: str) -> None:
            await client.post("/v1/messages", json=ask(model=f"claude-{word}"))
            await client.post("/v1/messages", json=ask(model=f"anthropic/{word}"))
            await client.post("/v1/messages", json=ask(model=f"groq/{word}"))
            await client.post("/v1/messages", json=ask(model=f"antropic/{word}"))
            await client.post("/v1/messages", json={"model": word})
            await client.post("/v1/messages", json=ask(), headers={"x-api-key": word, "x-request-id": word})
            await client.get(f"/{word}")
            await client.get(f"/v1/models/{word}")
            await client.request(word.upper(), "/v1/messages")

        await probe("first")
        await samples(gateway)
        before = await samples(gateway)
        for number in range(10):
            await probe(f"word{chr(97 + number)}")
        after = await samples(gateway)
    for name in LABELS:
        assert [own for own, _ in after[name]] == [own for own, _ in before[name]]
    assert await gateway.metric("keyturn_requests_total", provider="anthropic", model="other", outcome="ok") == 22
    for own, _ in after["keyturn_requests_total"]:
        assert not {value for value in own.values() if "word" in value or "first" in value}


async def test_every_model_that_is_configured_is_a_label(tmp_path: Path) -> None:
    environ = {"MODEL": "ollama/a", "MODEL_OPUS": "demo/b"}
    async with serving(tmp_path, environ) as gateway:
        found = await samples(gateway)
    named = {(own["provider"], own["model"]) for own, _ in found["keyturn_requests_total"] if own["provider"]}
    assert named == {("ollama", "a"), ("demo", "b")}


async def test_two_gateways_do_not_share_their_counts(upstream: Upstream, tmp_path: Path) -> None:
    upstream.always(message(text("Hello")))
    environ = upstream_env(upstream.url)
    async with serving(tmp_path, environ) as one, serving(tmp_path, environ) as other, one.client() as client:
        await client.post("/v1/messages", json=ask())
        assert await one.metric("keyturn_requests_total", route="/v1/messages", outcome="ok") == 1
        assert await other.metric("keyturn_requests_total", route="/v1/messages", outcome="ok") == 0


async def test_no_key_or_token_is_in_them(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(error(401, "authentication_error", "sk-upstream-key"))
    async with gateway.client("freecc:anthropic/pinned") as client:
        await client.post("/v1/messages", json=ask())
        shown = (await client.get("/metrics")).text
    assert not [word for word in ("freecc", "sk-upstream", "pinned", "Say hello") if word in shown]


def test_what_translation_lost_is_counted_by_the_member_it_is_of() -> None:
    metrics = Metrics([("openai", "gpt-5")], ["/v1/messages"])
    lost = (
        "context_management",
        "tools.web_search_20250305",
        "stop_sequences[4:]",
        "tools.bash_20250124",
        "whatever\n",
    )
    metrics.attempt_ended(Attempt("req_1", "openai", "gpt-5", "openai-01", 0.0, outcome="ok", lost=lost))
    counted = dict(
        re.findall(r'keyturn_lost_total\{field="(\w+)",provider="openai"\} (\S+)', metrics.exposition().decode())
    )
    assert counted == {"context_management": "1.0", "tools": "2.0", "stop_sequences": "1.0", "other": "1.0"}
