"""How much a model should think, in each provider's own way: an effort, a budget, a switch. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.chat.request import ChatRequest, Reasoning
from providers.extra_body import over
from providers.spec import Quirks

# Thinking budgets as efforts: the upper bounds that ferryllm uses.
_BUDGETS = ((512, "minimal"), (2048, "low"), (8192, "medium"), (16384, "high"), (32768, "xhigh"))
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")  # rising

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
    if quirks.always_thinks:
        lost.append("thinking")
    if quirks.thinking_off:
        return quirks.thinking_off
    return at(quirks.effort_field, nearest("none", quirks.efforts)) if quirks.efforts else {}


def _amount(reasoning: Reasoning, quirks: Quirks, most: int | None, lost: list[str]) -> Json:
    allowed = quirks.efforts
    named = reasoning.effort in EFFORTS
    if reasoning.mode == "budget" and quirks.budget_field and not (named and allowed):
        return at(quirks.budget_field, min(reasoning.budget, max(most - 1, 1)) if most else reasoning.budget)
    wanted = reasoning.effort if named else _effort_of(reasoning)
    if not wanted:
        return {}
    if allowed:
        return at(quirks.effort_field, nearest(wanted, allowed))
    if reasoning.mode == "budget":
        lost.append("thinking.budget_tokens" if quirks.thinking_on else "thinking")
    else:
        lost.append("effort")
    return {}


def _effort_of(reasoning: Reasoning) -> str:
    """ "" leaves it to the model."""
    if reasoning.mode != "budget":
        return ""
    return next((effort for bound, effort in _BUDGETS if reasoning.budget < bound), "max")


def nearest(wanted: str, allowed: tuple[str, ...]) -> str:
    """The highest that is not above it; "none" only where it is wanted."""
    rank = EFFORTS.index(wanted)
    some = [effort for effort in allowed if effort != "none" or wanted == "none"]
    fitting = [effort for effort in some if EFFORTS.index(effort) <= rank]
    return fitting[-1] if fitting else some[0]


def at(path: str, value: Any) -> Json:
    """``reasoning.effort``: {"reasoning": {"effort": value}}."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]


def thinks(reasoning: Reasoning, quirks: Quirks) -> bool:
    """Whether the model may think: it is not told otherwise, or cannot be. ``quirks`` are this model's."""
    told = bool(quirks.thinking_off) or "none" in quirks.efforts
    return reasoning.mode != "off" or quirks.always_thinks or not told
