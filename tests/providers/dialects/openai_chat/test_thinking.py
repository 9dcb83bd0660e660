"""How much a model is told to think: each way of saying it, and what cannot be said."""

from __future__ import annotations

from typing import Any

import pytest

from providers.catalog import message_quirks as messages
from providers.catalog import quirks as rows
from providers.chat.request import ChatRequest, Reasoning
from providers.dialects.openai_chat.naming import of_model, think_names
from providers.dialects.openai_chat.thinking import thinking, thinks
from providers.quirks import Quirks
from tests.providers.dialects.openai_chat.asking import chat

UNSET, OFF, ADAPTIVE = Reasoning(), Reasoning("off"), Reasoning("adaptive")
BUDGET, HIGH, LOW = Reasoning("budget", 4000), Reasoning("adaptive", 0, "high"), Reasoning("unset", 0, "low")
WAYS = (UNSET, OFF, ADAPTIVE, BUDGET, HIGH)
EFFORTS = Quirks(efforts=("low", "medium", "high"))
SWITCH = Quirks(thinking_on={"thinking": {"type": "enabled"}}, thinking_off={"thinking": {"type": "disabled"}})

Json = dict[str, Any]


def said(reasoning: Reasoning, quirks: Quirks) -> tuple[Json, list[str]]:
    lost: list[str] = []
    return dict(thinking(ChatRequest("m", (), reasoning=reasoning), quirks, None, lost)), lost


def each(quirks: Quirks, *more: Reasoning) -> list[Json]:
    return [said(way, quirks)[0] for way in (*WAYS, *more)]


def test_thinking_enabled_or_disabled() -> None:
    on = {"thinking": {"type": "enabled"}}
    assert each(messages.ZAI) == [{}, {"thinking": {"type": "disabled"}}, on, on, on]


def test_thinking_adaptive_or_disabled() -> None:
    on = {"thinking": {"type": "adaptive"}}
    assert each(messages.MINIMAX.of("MiniMax-M3")) == [{}, {"thinking": {"type": "disabled"}}, on, on, on]


def test_enable_thinking_has_a_budget() -> None:
    on = {"enable_thinking": True}
    assert each(messages.QWEN) == [{}, {"enable_thinking": False}, on, {**on, "thinking_budget": 4000}, on]


def test_templates_have_two_names_for_it() -> None:
    on = {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}
    off = {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}
    assert each(rows.VLLM) == [{}, off, on, on, on]


def test_the_reasoning_object_says_all_of_it() -> None:
    made = each(messages.OPEN_ROUTER, LOW, Reasoning("adaptive", 0, "max"), Reasoning("off", 0, "high"))
    assert [each.get("reasoning") for each in made] == [
        None,
        {"enabled": False},
        {"enabled": True},
        {"enabled": True, "max_tokens": 4000},
        {"enabled": True, "effort": "high"},
        {"effort": "low"},
        {"enabled": True, "effort": "xhigh"},
        {"enabled": False},
    ]


@pytest.mark.parametrize(
    ("way", "effort"),
    [(UNSET, None), (OFF, "low"), (ADAPTIVE, None), (BUDGET, "medium"), (HIGH, "high"), (LOW, "low")],
)
def test_efforts_alone(way: Reasoning, effort: str | None) -> None:
    named = ["thinking"] if way is OFF else []
    assert said(way, EFFORTS) == ({"reasoning_effort": effort} if effort else {}, named)


def test_the_switch_and_an_effort_go_together() -> None:
    assert said(HIGH, messages.DEEPSEEK)[0] == {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}
    assert said(OFF, messages.DEEPSEEK)[0] == {"thinking": {"type": "disabled"}}


def test_an_effort_alone_switches_nothing_on() -> None:
    assert said(LOW, messages.DEEPSEEK) == ({"reasoning_effort": "low"}, [])
    assert said(LOW, SWITCH) == ({}, ["effort"])


def test_what_cannot_be_said_is_lost_by_name_but_never_off() -> None:
    assert said(BUDGET, Quirks()) == ({}, ["thinking"])
    assert said(BUDGET, SWITCH)[1] == ["thinking.budget_tokens"]
    assert said(HIGH, Quirks()) == ({}, ["effort"])
    assert said(OFF, Quirks()) == ({}, [])


def test_a_model_without_the_switch_is_not_told() -> None:
    assert said(OFF, rows.KIMI.of("kimi-k2.7-code")) == ({}, ["thinking"])
    assert said(OFF, rows.KIMI.of("kimi-k2.6")) == ({"thinking": {"type": "disabled"}}, [])


@pytest.mark.parametrize(
    ("quirks", "thinking"),
    [
        (Quirks(), True),
        (SWITCH, False),
        (Quirks(thinking_on={"a": 1}), True),
        (Quirks(efforts=("low", "high")), True),
        (Quirks(efforts=("none", "high")), False),
        (Quirks(efforts=("none", "high"), always_thinks=True), True),
        (rows.KIMI.of("kimi-k3"), True),
    ],
)
def test_a_model_that_cannot_be_told_thinks(quirks: Quirks, thinking: bool) -> None:
    assert thinks(OFF, quirks) is thinking
    assert all(thinks(way, quirks) for way in WAYS if way is not OFF)


def test_a_clients_own_wish_and_an_operators_are_both_off() -> None:
    assert chat(messages.QWEN, thinking={"type": "disabled"})[0]["enable_thinking"] is False
    assert chat(messages.QWEN, think=False, thinking={"type": "adaptive"})[0]["enable_thinking"] is False
    assert "enable_thinking" not in chat(messages.QWEN)[0]


def test_beginnings_of_models() -> None:
    assert of_model("deepseek-ai/DeepSeek-R1-0528", ("deepseek-r1",))
    assert of_model("accounts/fireworks/models/qwen3-8b", ("x", "qwen3"))
    assert of_model("openai/gpt-oss-120b", ("openai/gpt-oss",))
    assert of_model("anything", ("",))
    assert not of_model("qwen3", ())
    assert not of_model("my-qwen3", ("qwen3",))


def test_names_of_tags() -> None:
    assert think_names("gpt-4o", Quirks()) == ("think",)
    assert think_names("google/gemini-3.8-flash", Quirks()) == ("thought", "think")
    assert think_names("MiniMaxAI/MiniMax-M3", Quirks()) == ("mm:think", "think")
