"""Marks for prompt caches and rules for efforts, as an operator of ferryllm's kind sets them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.call import Call, Operation, UpstreamRequest
from providers.govern import cached, governed
from providers.json_object import JsonObject
from providers.quirks import Quirks
from providers.spec import PromptCache, ReasoningPolicy, Timeouts

MARK = {"cache_control": {"type": "ephemeral"}}
ALL = PromptCache(key="ferryllm")


def marked(body: dict[str, Any], cache: PromptCache = ALL, dialect: str = "anthropic", **quirks: Any) -> dict[str, Any]:
    request = UpstreamRequest("http://a", (), json.dumps(body).encode(), Timeouts())
    found: dict[str, Any] = json.loads(cached(request, dialect, cache, Quirks(**quirks)).body)
    return found


def asked(body: dict[str, Any], policy: ReasoningPolicy, dialect: str = "anthropic") -> dict[str, Any]:
    raw = json.dumps({"model": "m", **body}).encode()
    call = governed(Call("r", dialect, Operation.MESSAGES, JsonObject(raw), "m", True), policy)
    found: dict[str, Any] = json.loads(call.body.raw)
    return {name: value for name, value in found.items() if name != "model"}


def test_the_last_of_each_part_is_marked() -> None:
    body = {
        "system": "Be brief.",
        "tools": [{"name": "a"}, {"name": "b"}],
        "messages": [{"role": "user", "content": "hi"}],
    }
    found = marked(body)
    assert found["system"] == [{"type": "text", "text": "Be brief.", **MARK}]
    assert found["tools"] == [{"name": "a"}, {"name": "b", **MARK}]
    assert found["messages"][0]["content"] == [{"type": "text", "text": "hi", **MARK}]


def test_a_part_with_a_mark_of_the_clients_stays_as_it_is() -> None:
    system = [{"type": "text", "text": "a", **MARK}, {"type": "text", "text": "b"}]
    found = marked({"system": system, "tools": [{"name": "a"}], "messages": []})
    assert found["system"] == system
    assert found["tools"] == [{"name": "a", **MARK}]


def test_there_are_never_more_than_four_marks() -> None:
    blocks = [{"type": "text", "text": str(number), **MARK} for number in range(4)]
    body = {"system": "s", "tools": [{"name": "a"}], "messages": [{"role": "user", "content": blocks}]}
    assert marked(body) == body


@pytest.mark.parametrize("content", ["", [], [{"type": "text", "text": ""}]])
def test_what_cannot_be_marked_is_not(content: Any) -> None:
    body = {"system": "", "tools": [], "messages": [{"role": "user", "content": content}]}
    assert marked(body) == body


def test_switches_and_answers_are_left_alone() -> None:
    body = {"system": "s", "tools": [{"name": "a"}], "messages": [{"role": "assistant", "content": "x"}]}
    assert marked(body, PromptCache(False, False, False)) == body
    assert marked(body, PromptCache(False, False, True)) == body


def test_openais_key_is_the_same_for_the_same_beginning() -> None:
    body: dict[str, Any] = {
        "model": "gpt-5.4",
        "tools": [{"type": "function"}],
        "messages": [{"role": "system", "content": "s"}],
    }
    more = {**body, "messages": [*body["messages"], {"role": "user", "content": "x"}]}
    key = marked(body, dialect="openai_chat")["prompt_cache_key"]
    assert key.startswith("ferryllm-gpt-5.4-")
    assert marked(more, dialect="openai_chat")["prompt_cache_key"] == key
    assert marked({**body, "tools": []}, dialect="openai_chat")["prompt_cache_key"] != key
    assert len(marked({**body, "model": "m" * 90}, dialect="openai_chat")["prompt_cache_key"]) == 64


def test_openais_key_of_the_client_stays_and_a_refused_one_goes() -> None:
    body = {"model": "m", "messages": [], "prompt_cache_key": "mine"}
    assert marked(body, dialect="openai_chat") == body
    body = {"model": "m", "messages": []}
    assert marked(body, dialect="openai_chat", learned=("prompt_cache_key",)) == body
    assert marked(body, dialect="openai_chat", refused=("prompt_cache_key",)) == body
    assert marked(body, dialect="openai_chat", accepted=("temperature",)) == body
    kept = PromptCache(retention="24h")
    assert marked(body, kept, "openai_chat")["prompt_cache_retention"] == "24h"


FILL, CAP = ReasoningPolicy("fill_missing", "low"), ReasoningPolicy("cap", "", "medium")
FORCE, PRESERVE = ReasoningPolicy("force", "high"), ReasoningPolicy("preserve", "low", "low")


@pytest.mark.parametrize(
    ("dialect", "given", "low", "high"),
    [
        ("anthropic", {}, {"output_config": {"effort": "low"}}, {"output_config": {"effort": "high"}}),
        ("openai_chat", {}, {"reasoning_effort": "low"}, {"reasoning_effort": "high"}),
        ("openai_responses", {}, {"reasoning": {"effort": "low"}}, {"reasoning": {"effort": "high"}}),
    ],
)
def test_an_effort_is_filled_in_or_forced(dialect: str, given: Any, low: Any, high: Any) -> None:
    assert asked(given, FILL, dialect) == low
    assert asked(high, FILL, dialect) == high
    assert asked(low, FORCE, dialect) == high
    assert asked({}, CAP, dialect) == {}
    assert asked(low, CAP, dialect) == low
    assert asked(high, PRESERVE, dialect) == high


def test_a_cap_bounds_efforts_and_budgets() -> None:
    assert asked({"output_config": {"effort": "max"}}, CAP) == {"output_config": {"effort": "medium"}}
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 31999}}
    assert asked(thinking, CAP) == {
        "thinking": {"type": "enabled", "budget_tokens": 8191},
        "output_config": {"effort": "medium"},
    }
    small = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    assert asked(small, CAP) == small
    assert asked(thinking, FILL) == thinking


def test_no_effort_switches_thinking_off() -> None:
    off = ReasoningPolicy("force", "none")
    assert asked({"thinking": {"type": "enabled", "budget_tokens": 4096}}, off) == {"thinking": {"type": "disabled"}}
    assert asked({}, off, "openai_chat") == {"reasoning_effort": "none"}
    assert asked({"thinking": {"type": "disabled"}}, FILL) == {"thinking": {"type": "disabled"}}


def test_a_count_of_tokens_is_left_alone() -> None:
    call = Call("r", "anthropic", Operation.COUNT_TOKENS, JsonObject(b'{"model":"m"}'), "m", False)
    assert governed(call, FORCE) is call
