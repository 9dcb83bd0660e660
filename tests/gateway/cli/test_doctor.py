"""``keyturn doctor``: what it asks of upstreams, what it finds, and what it tells a person to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.cli.doctor import doctor, grouped
from gateway.doctor.findings import FIXES, Finding, State, fix, quota, verdicts
from gateway.doctor.plan import Duty, duties, subjects
from gateway.routing import Ref
from gateway.settings import Settings
from providers.errors import ErrorKind
from tests.gateway.place import Place
from tests.upstream import (
    Block,
    ChatUpstream,
    Hang,
    Reply,
    Request,
    Upstream,
    error,
    frames,
    openai_chat,
    refusing,
    stream,
    text,
    thinking,
    tool_use,
)

GOOD, BAD, SPENT = "sk-doctor-good-4411", "sk-doctor-bad-93d2", "sk-doctor-spent-0a7f"
Capture = pytest.CaptureFixture[str]
LEFT = [("anthropic-ratelimit-requests-remaining", "29"), ("anthropic-ratelimit-requests-limit", "30")]


def key_of(request: Request) -> str:
    return request.header("x-api-key") or ""


def answered(request: Request, *blocks: Block) -> Reply:
    return stream(*frames(request.model, blocks), headers=LEFT)


def claude(request: Request) -> Reply:
    """An upstream where one key is good, one is not valid and one has met its limit."""
    key, body = key_of(request), request.json
    if key == BAD:
        return error(401, "authentication_error", f"no such key: {BAD}")
    if key == SPENT:
        return error(429, "rate_limit_error", "slow down", [("retry-after", "40")])
    if "tools" in body:
        return answered(request, tool_use("report", {"ok": True}))
    if body["thinking"]["type"] == "adaptive":
        return error(400, "invalid_request_error", "thinking.type: adaptive is not supported by this model")
    if body["thinking"]["type"] == "enabled":
        return answered(request, thinking("17 * 23 is 391", "sig"), text("391"))
    return answered(request, text("OK"))


def examined(capsys: Capture, settings: Settings, patience: float = 20.0) -> tuple[int, dict[str, Any]]:
    code = doctor(settings, as_json=True, patience=patience)
    out = capsys.readouterr().out
    assert not [key for key in (GOOD, BAD, SPENT) if key in out]
    return code, json.loads(out)


def environ(upstream: Upstream, keys: str, **more: str) -> dict[str, str]:
    return {"ANTHROPIC_UPSTREAM_API_KEYS": keys, "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url, **more}


@pytest.fixture
def place(tmp_path: Any) -> Place:
    return Place(tmp_path)


def test_each_key_is_asked_and_one_of_them_for_tools_and_thinking(place: Place, capsys: Capture) -> None:
    with Upstream() as upstream:
        upstream.always(claude)
        code, found = examined(
            capsys, place.load(environ(upstream, f"{BAD} {GOOD} {SPENT}", MODEL="anthropic/claude-x"))
        )
        asked = [(key_of(request), "tools" in request.json) for request in upstream.requests]
    assert code == 0
    assert found["ok"] is True
    assert [probe["state"] for probe in found["probes"]] == ["failed", "ok", "limited"]
    refused, good, limited = found["probes"]
    assert refused["kind"] == "key_refused"
    assert "ANTHROPIC_UPSTREAM_API_KEYS" in refused["fix"]
    assert (good["streams"], good["tools"], good["thinking"]) == (True, True, True)
    assert good["quota"] == "29 of 30 requests"
    assert good["first_content"] >= 0
    assert limited["kind"] == "rate_limited"
    assert sorted(asked) == sorted([(BAD, False), (SPENT, False), *[(GOOD, False)] * 3, (GOOD, True)])


def test_what_it_costs_is_next_to_nothing(place: Place, capsys: Capture) -> None:
    with Upstream() as upstream:
        upstream.always(claude)
        examined(capsys, place.load(environ(upstream, GOOD, MODEL="anthropic/claude-x")))
        bodies = [request.json for request in upstream.requests]
    assert sum(len(json.dumps(body)) for body in bodies) < 2000
    assert max(body["max_tokens"] for body in bodies) <= 2048


def test_a_tier_without_an_answer_is_named_and_the_status_is_1(place: Place, capsys: Capture) -> None:
    with Upstream() as upstream, refusing() as nobody:
        upstream.always(claude)
        settings = place.load(
            environ(
                upstream,
                GOOD,
                MODEL="anthropic/claude-x",
                MODEL_HAIKU="ollama/qwen3",
                OLLAMA_BASE_URL=nobody,
            )
        )
        code = doctor(settings)
    out = capsys.readouterr().out
    assert code == 1
    assert "haiku    cannot work: ollama/qwen3 does not answer, and nothing takes over" in out
    assert "opus     works: anthropic/claude-x answers" in out
    assert "Start Ollama on this machine, or say in OLLAMA_BASE_URL where it is." in out


def test_without_a_network_each_provider_is_told_in_one_line_with_the_next_step(place: Place, capsys: Capture) -> None:
    with refusing() as nobody:
        code, found = examined(capsys, place.load({"GROQ_API_KEY": GOOD, "GROQ_BASE_URL": nobody}))
    (probe,) = found["probes"]
    assert code == 1
    assert probe["kind"] == "unreachable"
    assert probe["says"] == "the connection was refused"
    assert probe["fix"] == "Look at this machine's network, at GROQ_BASE_URL and at GROQ_PROXY."


def test_the_names_in_json_stay_as_they_are(place: Place, capsys: Capture) -> None:
    with Upstream() as upstream:
        upstream.always(claude)
        _, found = examined(capsys, place.load(environ(upstream, f"{BAD} {GOOD}", MODEL="anthropic/claude-x")))
    assert list(found) == ["ok", "tiers", "probes"]
    assert {tuple(tier) for tier in found["tiers"]} == {("name", "target", "state", "answered_by")}
    names = "provider model key state kind says fix first_content streams tools thinking quota"
    assert {tuple(probe) for probe in found["probes"]} == {tuple(names.split())}
    assert {tier["name"] for tier in found["tiers"]} == {"default", "opus", "sonnet", "haiku"}


def test_a_narrow_terminal_has_each_model_once_and_its_keys_below() -> None:
    findings = [
        Finding("groq", "a/b", "groq-01", State.FAILED, ErrorKind.KEY_REFUSED, "no", "Put a valid key into X."),
        Finding("groq", "a/b", "work", first_content=0.2, streams=True, tools=True, quota="29 of 30 requests"),
        Finding("kimi", "k", "kimi-01", State.LIMITED, ErrorKind.RATE_LIMITED, "slow down", "Wait."),
    ]
    found = verdicts([Duty("default", Ref("groq", "a/b"), (Ref("groq", "a/b"),))], findings)
    assert grouped(findings, found).splitlines() == [
        "  key      state    first token  streams  tools  thinking  quota left",
        "groq/a/b",
        "  groq-01  failed   -            -        -      -         -",
        "  work     ok       0.20 s       yes      yes    -         29 of 30 requests",
        "kimi/k",
        "  kimi-01  limited  -            -        -      -         -",
        "",
        "default  works: groq/a/b answers",
        "",
        "groq-01, a/b: no",
        "  Put a valid key into X.",
        "",
        "kimi-01, k: slow down",
        "  Wait.",
    ]


def test_a_fallback_keeps_a_tier_alive(place: Place, capsys: Capture) -> None:
    with Upstream() as upstream:
        upstream.always(claude)
        settings = place.load(
            environ(upstream, GOOD, MODEL="groq/llama", GROQ_API_KEY="", MODEL_FALLBACKS="anthropic/claude-x")
        )
        code, found = examined(capsys, settings)
    assert code == 0
    assert found["tiers"][0] == {
        "name": "default",
        "target": "groq/llama",
        "state": "ok",
        "answered_by": "anthropic/claude-x",
    }
    assert [probe["kind"] for probe in found["probes"] if probe["provider"] == "groq"] == ["no_key"]


def test_through_a_translation(place: Place, capsys: Capture) -> None:
    def groq(request: Request) -> Reply:
        part = openai_chat.call("report", {"ok": True}) if "tools" in request.json else openai_chat.text("OK")
        return openai_chat.completion(part)(request)

    with ChatUpstream() as upstream:
        upstream.always(groq)
        code, found = examined(
            capsys, place.load({"GROQ_API_KEY": GOOD, "GROQ_BASE_URL": upstream.url, "ENABLE_MODEL_THINKING": "false"})
        )
    (probe,) = found["probes"]
    assert code == 0
    assert (probe["streams"], probe["tools"], probe["thinking"]) == (True, True, None)


def test_a_provider_that_never_answers_is_given_up(place: Place, capsys: Capture) -> None:
    with Upstream() as upstream:
        upstream.always(Reply((Hang(),)))
        code, found = examined(capsys, place.load(environ(upstream, GOOD, MODEL="anthropic/claude-x")), patience=0.05)
    assert code == 1
    assert found["probes"][0]["kind"] in ("first_token_timeout", "stalled")


def test_nothing_configured_is_the_demo_and_no_failure(place: Place, capsys: Capture) -> None:
    code, found = examined(capsys, place.load())
    assert code == 0
    assert [probe["provider"] for probe in found["probes"]] == ["demo"]


def test_models_of_tiers_rules_and_unnamed_providers_are_asked_once(place: Place) -> None:
    settings = place.toml(
        "[[routes]]\nmatch = 'fast'\nprovider = 'groq'\nrewrite_model = 'c'\n"
        "[[routes]]\nmatch = 'any-'\nprovider = 'groq'\n",
        {"GROQ_API_KEY": "gsk-1", "MODEL": "groq/a", "MODEL_OPUS": "groq/b", "CEREBRAS_API_KEY": "csk-1"},
    )
    groq = [str(ref) for ref in subjects(settings) if ref.provider == "groq"]
    assert groq == ["groq/a", "groq/b", "groq/c"]
    assert [ref.provider for ref in subjects(settings)].count("cerebras") == 1
    assert [duty.name for duty in duties(settings)] == ["default", "opus", "sonnet", "haiku", "fast"]


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_failure_has_a_cure(place: Place, kind: ErrorKind) -> None:
    config = next(config for config in place.load().providers if config.id == "groq")
    words = fix(kind, config, "tiny", "GROQ_API_KEY")
    assert words.endswith(".")
    assert "{" not in words
    assert (kind in FIXES) == (
        words != fix(ErrorKind.SERVER_ERROR, config, "tiny", "")
    ) or kind is ErrorKind.UNREACHABLE


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, ""),
        ({"x-ratelimit-remaining-requests": "5"}, "5 requests"),
        ({"x-ratelimit-remaining-tokens": "5900", "x-ratelimit-limit-tokens": "6000"}, "5900 of 6000 tokens"),
        (dict(LEFT), "29 of 30 requests"),
        ({"x-ratelimit-remaining-requests": "soon", "x-ratelimit-reset-requests": "2"}, ""),
    ],
)
def test_what_is_left(headers: Mapping[str, str], words: str) -> None:
    assert quota(headers) == words


def test_the_best_key_decides() -> None:
    one, two = Ref("groq", "a"), Ref("groq", "b")
    findings = [
        Finding("groq", "a", "groq-01", State.FAILED),
        Finding("groq", "a", "groq-02", State.LIMITED),
        Finding("groq", "b", "groq-01", State.OK),
    ]
    limited, spared, dead = verdicts(
        [Duty("opus", one, (one,)), Duty("haiku", one, (one, two)), Duty("sonnet", Ref("x", "y"), ())], findings
    )
    assert (limited.state, limited.answered_by) == (State.LIMITED, one)
    assert (spared.state, spared.answered_by) == (State.OK, two)
    assert (dead.state, dead.answered_by) == (State.FAILED, None)
