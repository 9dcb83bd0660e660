"""How much a model should think, in each provider's own way: an effort, a budget, a switch. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.chat.effort import EFFORTS, effort_of, nearest
from providers.chat.request import ChatRequest, Reasoning
from providers.extra_body import over
from providers.quirks import Quirks

Json = Mapping[str, Any]


def thinking(request: ChatRequest, quirks: Quirks, most: int | None, lost: list[str]) -> Json:
    """The members that say it. ``quirks`` are the model's; ``most`` is what an answer may have, thoughts among it."""
    reasoning = request.reasoning
    if quirks.tool_effort and request.tools:
        if reasoning.mode in ("adaptive", "budget") or reasoning.effort:
            lost.append("thinking")
        return at(quirks.effort_field, quirks.tool_effort)
    if reasoning.mode == "off":
        return _off(quirks, lost)
    amount = _amount(reasoning, quirks, most, lost)
    # An effort alone does not ask for thoughts: whether to think is left to the model.
    return amount if reasoning.mode == "unset" else over(quirks.thinking_on, amount)


def _off(quirks: Quirks, lost: list[str]) -> Json:
    least = nearest("none", quirks.efforts) if quirks.efforts and not quirks.thinking_off else "none"
    if quirks.always_thinks or least != "none":
        lost.append("thinking")
    if quirks.thinking_off:
        return quirks.thinking_off
    return at(quirks.effort_field, least) if quirks.efforts else {}


def _amount(reasoning: Reasoning, quirks: Quirks, most: int | None, lost: list[str]) -> Json:
    named = reasoning.effort in EFFORTS and quirks.efforts
    if reasoning.mode == "budget" and quirks.budget_field and not named:
        return at(quirks.budget_field, min(reasoning.budget, max(most - 1, 1)) if most else reasoning.budget)
    wanted = effort_of(reasoning)
    if not wanted:
        return {}
    if quirks.efforts:
        return at(quirks.effort_field, nearest(wanted, quirks.efforts))
    if reasoning.mode == "budget":
        lost.append("thinking.budget_tokens" if quirks.thinking_on else "thinking")
    else:
        lost.append("effort")
    return {}


def at(path: str, value: Any) -> Json:
    """``reasoning.effort``: {"reasoning": {"effort": value}}."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]


def thinks(reasoning: Reasoning, quirks: Quirks) -> bool:
    """Whether the model may think: it is not told otherwise, or cannot be. ``quirks`` are this model's."""
    told = bool(quirks.thinking_off) or "none" in quirks.efforts
    return reasoning.mode != "off" or quirks.always_thinks or not told
