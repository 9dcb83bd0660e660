"""How much each generation is told to think."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.chat.request import Reasoning
from providers.quirks import Quirks
from tests.providers.dialects.gemini.asking import HI, Json, written

OFF, ADAPTIVE, UNSET = Reasoning("off"), Reasoning("adaptive"), Reasoning()
SHOWN = {"includeThoughts": True}


def budget(tokens: int) -> Reasoning:
    return Reasoning("budget", tokens)


def effort(name: str) -> Reasoning:
    return Reasoning("adaptive", 0, name)


def told(model: str, reasoning: Reasoning, max_tokens: int | None = None) -> tuple[Json | None, tuple[str, ...]]:
    made, lost = written(replace(HI, model=model, reasoning=reasoning, max_tokens=max_tokens))
    return made.get("generationConfig", {}).get("thinkingConfig"), lost


@pytest.mark.parametrize(
    ("model", "reasoning", "wanted", "lost"),
    [
        ("gemini-2.5-flash", UNSET, None, ()),
        ("gemini-2.5-flash", ADAPTIVE, SHOWN, ()),
        ("gemini-2.5-flash", OFF, {"thinkingBudget": 0}, ()),
        ("gemini-2.5-flash", budget(2000), {"thinkingBudget": 2000, **SHOWN}, ()),
        ("gemini-2.5-flash", budget(63999), {"thinkingBudget": 24576, **SHOWN}, ()),
        ("gemini-2.5-flash", effort("low"), {"thinkingBudget": 1024, **SHOWN}, ()),
        ("gemini-2.5-flash", effort("max"), {"thinkingBudget": 24576, **SHOWN}, ()),
        ("gemini-2.5-flash-lite", budget(100), {"thinkingBudget": 512, **SHOWN}, ()),
        ("gemini-2.5-flash-lite", OFF, {"thinkingBudget": 0}, ()),
        ("gemini-2.5-pro", OFF, {"thinkingBudget": 128}, ("thinking",)),
        ("gemini-2.5-pro", effort("xhigh"), {"thinkingBudget": 32768, **SHOWN}, ()),
        ("models/gemini-2.5-pro", budget(9000), {"thinkingBudget": 9000, **SHOWN}, ()),
        ("gemini-3-pro-preview", effort("medium"), {"thinkingLevel": "LOW", **SHOWN}, ()),
        ("gemini-3.1-pro-preview", effort("medium"), {"thinkingLevel": "MEDIUM", **SHOWN}, ()),
        ("gemini-3-flash-preview", OFF, {"thinkingLevel": "MINIMAL"}, ("thinking",)),
        ("gemini-3.5-flash-lite", budget(500), {"thinkingLevel": "MINIMAL", **SHOWN}, ()),
        ("gemini-3.8-flash", OFF, {"thinkingLevel": "LOW"}, ("thinking",)),
        ("gemini-3.8-flash", budget(8000), {"thinkingLevel": "MEDIUM", **SHOWN}, ()),
        ("gemini-3.8-flash", effort("max"), {"thinkingLevel": "HIGH", **SHOWN}, ()),
        ("gemini-3.8-flash", Reasoning("adaptive", 0, "high", False), {"thinkingLevel": "HIGH"}, ()),
        ("gemini-3.8-flash", Reasoning("unset", 0, "", True), SHOWN, ()),
        ("gemini-flash-latest", effort("minimal"), {"thinkingLevel": "LOW", **SHOWN}, ()),
        ("gemini-4-argon", effort("xhigh"), {"thinkingLevel": "HIGH", **SHOWN}, ()),
        ("gemini-4-hydrogen", effort("max"), {"thinkingLevel": "XHIGH", **SHOWN}, ()),
        ("gemma-3-27b-it", budget(2000), None, ("thinking",)),
        ("gemma-3-27b-it", effort("high"), None, ("effort",)),
        ("gemma-3-27b-it", ADAPTIVE, None, ()),
        ("gemma-3-27b-it", OFF, None, ()),
    ],
)
def test_what_each_model_is_told(model: str, reasoning: Reasoning, wanted: Json | None, lost: tuple[str, ...]) -> None:
    assert told(model, reasoning) == (wanted, lost)


def test_thoughts_leave_room_for_an_answer() -> None:
    assert told("gemini-2.5-flash", budget(8000), 4000)[0] == {"thinkingBudget": 3999, **SHOWN}
    assert told("gemini-2.5-pro", budget(8000), 50)[0] == {"thinkingBudget": 128, **SHOWN}


def test_a_model_that_refused_to_hear_of_it_hears_nothing() -> None:
    quirks = Quirks(efforts=("low", "high"), learned=("thinking",))
    made, lost = written(replace(HI, reasoning=effort("high")), quirks=quirks)
    assert ("generationConfig" in made, lost) == (False, ("effort",))
