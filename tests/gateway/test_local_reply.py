"""Probes at a running gateway: answered without an upstream, counted, named, and each with its switch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import anthropic
import pytest

from gateway.local_answers import Probe
from tests.gateway.test_local_answers import JSON_TITLE, POLICY, PROBES, SUGGEST, asked
from tests.gateway_process import ONE_ATTEMPT, upstream_env
from tests.serving import KEY, TOKEN, Gateway, Json, serving
from tests.upstream import Upstream, message, text

ANSWERS: Mapping[Probe, str] = {
    Probe.QUOTA: "Quota check passed.",
    Probe.PREFIX: "ls",
    Probe.TITLE: '{"title":"Fix it"}',
    Probe.SUGGESTION: "",
    Probe.FILEPATHS: "<filepaths>\n</filepaths>",
}
each_probe = pytest.mark.parametrize("probe", Probe, ids=[probe.kind for probe in Probe])


def sdk(gateway: Gateway) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=gateway.url, api_key=TOKEN, max_retries=0)


@each_probe
async def test_a_whole_answer(probe: Probe, gateway: Gateway, upstream: Upstream) -> None:
    async with gateway.client() as client:
        reply = await client.post("/v1/messages", json=PROBES[probe])
    assert reply.status_code == 200
    body = reply.json()
    identity = body.pop("id")
    assert identity.startswith("msg_")
    assert body == {
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-4-8",
        "content": [{"type": "text", "text": ANSWERS[probe]}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }
    assert upstream.requests == []


@each_probe
async def test_a_streamed_answer_as_anthropics_own_client_reads_it(
    probe: Probe, gateway: Gateway, upstream: Upstream
) -> None:
    async with sdk(gateway) as client, client.messages.stream(**PROBES[probe]) as stream:
        got = await stream.get_final_message()
    assert [block.to_dict() for block in got.content] == [{"type": "text", "text": ANSWERS[probe]}]
    assert (got.stop_reason, got.model, got.usage.input_tokens) == ("end_turn", "claude-opus-4-8", 0)
    assert upstream.requests == []


async def test_every_answer_has_an_id_of_its_own(gateway: Gateway) -> None:
    async with gateway.client(request_id="the-same") as client:
        replies = [await client.post("/v1/messages", json=PROBES[Probe.TITLE]) for _ in range(2)]
    assert len({reply.json()["id"] for reply in replies}) == 2


@each_probe
async def test_it_is_named_counted_logged_and_explained(probe: Probe, gateway: Gateway) -> None:
    assert await gateway.metric("keyturn_local_answers_total", kind=probe.kind) == 0
    async with gateway.client() as client:
        reply = await client.post("/v1/messages", json={**PROBES[probe], "stream": True})
    await gateway.settled()
    named = {name: reply.headers.get(f"x-keyturn-{name}") for name in ("provider", "model", "attempts", "key")}
    assert named == {"provider": "keyturn", "model": probe.kind, "attempts": "0", "key": None}
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert await gateway.metric("keyturn_local_answers_total", kind=probe.kind) == 1
    assert await gateway.metric("keyturn_local_answers_total") == 1
    labels = {"route": "/v1/messages", "provider": "keyturn", "model": probe.kind, "outcome": "ok"}
    assert await gateway.metric("keyturn_requests_total", **labels) == 1
    [line] = [line for line in gateway.log.events("request") if line["route"] == "/v1/messages"]
    assert (line["local"], line["provider"], line["attempts"], line["outcome"]) == (probe.kind, "keyturn", 0, "ok")
    async with gateway.admin() as admin:
        story = (await admin.get(f"/admin/explain/{reply.headers['request-id']}")).json()
    assert (story["local"], story["steps"], story["targets"]) == (probe.kind, [], [])


@each_probe
async def test_each_has_its_switch(probe: Probe, upstream: Upstream, tmp_path: Path) -> None:
    upstream.always(message(text("From the model")))
    environ = upstream_env(upstream.url, TOKEN, KEY) | ONE_ATTEMPT | {probe.value: "false"}
    async with serving(tmp_path, environ) as gateway, gateway.client() as client:
        got = {each: (await client.post("/v1/messages", json=body)).json() for each, body in PROBES.items()}
    texts = {each: body["content"][0]["text"] for each, body in got.items()}
    assert texts == {**ANSWERS, probe: "From the model"}
    assert len(upstream.requests) == 1


async def test_with_all_switches_off_in_keyturn_toml_every_request_is_the_models(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.always(message(text("From the model")))
    (tmp_path / "keyturn.toml").write_text("".join(f"{probe.lower()} = false\n" for probe in Probe))
    async with serving(tmp_path, upstream_env(upstream.url, TOKEN, KEY)) as gateway, gateway.client() as client:
        for body in PROBES.values():
            await client.post("/v1/messages", json=body)
    assert len(upstream.requests) == len(PROBES)


@pytest.mark.parametrize(
    "body",
    [
        asked("What does [SUGGESTION MODE: mean?"),
        {**asked(), "messages": [{"role": "user", "content": SUGGEST}, {"role": "assistant", "content": "x"}]},
        asked("Command: make all", system=POLICY),
        asked("Command: ls | sh", system=POLICY),
        asked("Say hello", system=JSON_TITLE, tools=[{"name": "Bash", "input_schema": {"type": "object"}}]),
    ],
)
async def test_what_is_no_probe_or_leaves_a_doubt_is_the_models(
    body: Json, gateway: Gateway, upstream: Upstream
) -> None:
    upstream.always(message(text("From the model")))
    async with gateway.client() as client:
        reply = await client.post("/v1/messages", json=body)
    assert reply.json()["content"][0]["text"] == "From the model"
    assert reply.headers["x-keyturn-provider"] == "anthropic"
    assert await gateway.metric("keyturn_local_answers_total") == 0


async def test_a_probe_does_not_hide_what_is_wrong(gateway: Gateway, upstream: Upstream) -> None:
    """Neither a token that is none, nor a body, nor a provider without a key."""
    probe = PROBES[Probe.TITLE]
    async with gateway.client("wrong") as client:
        assert (await client.post("/v1/messages", json=probe)).status_code == 401
    async with gateway.client(f"{TOKEN}:groq/a-model") as client:
        assert (await client.post("/v1/messages", json=probe)).status_code == 503
    async with gateway.client() as client:
        assert (await client.post("/v1/messages", json={**probe, "temperature": "hot"})).status_code == 400
    assert upstream.requests == []


async def test_the_other_faces_have_no_probes(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(message(text("From the model")))
    body = {"model": "claude-x", "max_tokens": 1, "messages": [{"role": "user", "content": "quota"}]}
    async with gateway.client() as client:
        reply = await client.post("/v1/chat/completions", json=body)
    assert json.loads(reply.content)["choices"][0]["message"]["content"] == "From the model"
