"""How much a model is told to think: each way of saying it, and what cannot be said."""

from __future__ import annotations

from typing import Any

import pytest

from providers.chat.request import Reasoning
from providers.dialects.openai_chat.naming import of_model, think_names
from providers.dialects.openai_chat.reasoning import thinks, write
from providers.spec import Quirks, ThinkingSwitch
from tests.providers.dialects.openai_chat.asking import chat

UNSET, OFF, ADAPTIVE = Reasoning(), Reasoning("off"), Reasoning("adaptive")
BUDGET, HIGH, LOW = Reasoning("budget", 4000), Reasoning("adaptive", 0, "high"), Reasoning("unset", 0, "low")
WAYS = (UNSET, OFF, ADAPTIVE, BUDGET, HIGH)


def said(reasoning: Reasoning, model: str = "m", **quirks: Any) -> tuple[dict[str, Any], list[str]]:
    lost: list[str] = []
    return dict(write(reasoning, model, Quirks(**quirks), lost)), lost


def only(reasoning: Reasoning, switch: ThinkingSwitch) -> dict[str, Any]:
    made, lost = said(reasoning, switch=switch)
    assert lost == []
    return made


def test_thinking_enabled_or_disabled() -> None:
    made = [only(way, ThinkingSwitch.THINKING) for way in WAYS]
    on = {"thinking": {"type": "enabled"}}
    assert made == [{}, {"thinking": {"type": "disabled"}}, on, on, on]


def test_thinking_adaptive_or_disabled() -> None:
    made = [only(way, ThinkingSwitch.ADAPTIVE) for way in WAYS]
    on = {"thinking": {"type": "adaptive"}}
    assert made == [{}, {"thinking": {"type": "disabled"}}, on, on, on]


def test_enable_thinking_has_a_budget() -> None:
    made = [only(way, ThinkingSwitch.ENABLE_THINKING) for way in WAYS]
    on = {"enable_thinking": True}
    assert made == [{}, {"enable_thinking": False}, on, {**on, "thinking_budget": 4000}, on]


def test_templates_have_two_names_for_it() -> None:
    made = [only(way, ThinkingSwitch.TEMPLATE) for way in WAYS]
    on = {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}
    off = {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}
    assert made == [{}, off, on, on, on]


def test_the_reasoning_object_says_all_of_it() -> None:
    ways = (*WAYS, LOW, Reasoning("adaptive", 0, "max"), Reasoning("off", 0, "high"))
    made = [only(way, ThinkingSwitch.REASONING).get("reasoning") for way in ways]
    assert made == [
        None,
        {"enabled": False},
        {"enabled": True},
        {"max_tokens": 4000},
        {"effort": "high"},
        {"effort": "low"},
        {"effort": "xhigh"},
        {"enabled": False},
    ]


EFFORTS = {"effort_models": ("gpt-5",), "efforts": ("low", "medium", "high")}


@pytest.mark.parametrize(
    ("way", "effort"),
    [(UNSET, None), (OFF, "low"), (ADAPTIVE, None), (BUDGET, "medium"), (HIGH, "high"), (LOW, "low")],
)
def test_efforts_alone(way: Reasoning, effort: str | None) -> None:
    made, lost = said(way, "openai/GPT-5.6", **EFFORTS)
    assert (made, lost) == ({"reasoning_effort": effort} if effort else {}, [])


def test_the_switch_and_an_effort_go_together() -> None:
    both: dict[str, Any] = {**EFFORTS, "switch": ThinkingSwitch.THINKING}
    assert said(HIGH, "gpt-5", **both)[0] == {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}
    assert said(OFF, "gpt-5", **both)[0] == {"thinking": {"type": "disabled"}}
    assert said(LOW, "gpt-5", **both)[0] == {"reasoning_effort": "low"}


def test_what_cannot_be_said_is_lost_by_name_but_never_off() -> None:
    assert said(BUDGET) == ({}, ["thinking"])
    assert said(HIGH) == ({}, ["effort"])
    assert said(OFF) == ({}, [])
    assert said(LOW, switch=ThinkingSwitch.THINKING) == ({}, ["effort"])


def test_a_model_without_the_switch_is_not_told() -> None:
    only_k2: dict[str, Any] = {"switch": ThinkingSwitch.THINKING, "switch_models": ("kimi-k2.6",)}
    assert said(OFF, "kimi-k2.7-code", **only_k2) == ({}, [])
    assert said(OFF, "moonshotai/Kimi-K2.6", **only_k2)[0] == {"thinking": {"type": "disabled"}}


@pytest.mark.parametrize(
    ("quirks", "thinking"),
    [
        ({}, True),
        ({"switch": ThinkingSwitch.THINKING}, False),
        ({"switch": ThinkingSwitch.THINKING, "switch_models": ("other",)}, True),
        ({"effort_models": ("m",), "efforts": ("low", "high")}, True),
        ({"effort_models": ("m",), "efforts": ("none", "high")}, False),
        ({"effort_models": ("other",), "efforts": ("none", "high")}, True),
    ],
)
def test_a_model_that_cannot_be_told_thinks(quirks: dict[str, Any], thinking: bool) -> None:
    assert thinks(OFF, "m", Quirks(**quirks)) is thinking
    assert all(thinks(way, "m", Quirks(**quirks)) for way in WAYS if way is not OFF)


def test_a_clients_own_wish_and_an_operators_are_both_off() -> None:
    quirks = Quirks(switch=ThinkingSwitch.ENABLE_THINKING)
    assert chat(quirks, thinking={"type": "disabled"})[0]["enable_thinking"] is False
    assert chat(quirks, think=False, thinking={"type": "adaptive"})[0]["enable_thinking"] is False
    assert "enable_thinking" not in chat(quirks)[0]


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
