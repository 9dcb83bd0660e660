"""How much a model should think, as Gemini is told it: a level, or a budget of tokens before Gemini 3. Pure."""

from __future__ import annotations

from typing import Any

from providers.chat.effort import EFFORTS, effort_of, nearest, shown
from providers.chat.request import ChatRequest, Reasoning
from providers.quirks import Quirks

# The budgets that Google's OpenAI face makes of efforts (ai.google.dev/gemini-api/docs/openai, read 2026-11).
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}

MEMBER = "thinking"  # what it is called in what is learned


def thinks(quirks: Quirks) -> bool:
    """Whether the model can; one that cannot refuses every word about it."""
    return bool(quirks.efforts or quirks.thought_budgets) and MEMBER not in quirks.learned


def config(request: ChatRequest, quirks: Quirks, lost: list[str]) -> dict[str, Any]:
    """The ``thinkingConfig``; {} leaves all to the model. ``quirks`` are the model's."""
    reasoning = request.reasoning
    if not thinks(quirks):
        _lose(reasoning, lost)
        return {}
    if reasoning.mode == "off" and quirks.always_thinks:
        lost.append("thinking")
    visible = {"includeThoughts": True} if shown(reasoning) and reasoning.mode != "off" else {}
    return {**_amount(request, quirks), **visible}


def _lose(reasoning: Reasoning, lost: list[str]) -> None:
    if reasoning.mode == "budget":
        lost.append("thinking")
    elif reasoning.mode != "off" and effort_of(reasoning):
        lost.append("effort")


def _amount(request: ChatRequest, quirks: Quirks) -> dict[str, Any]:
    wanted = effort_of(request.reasoning)
    if not wanted:
        return {}
    if quirks.thought_budgets is None:
        return {"thinkingLevel": nearest(wanted, quirks.efforts).upper()}
    least, most = quirks.thought_budgets
    named = request.reasoning.effort in EFFORTS or request.reasoning.mode == "off"
    budget = _BUDGETS.get(wanted, most) if named else request.reasoning.budget
    if wanted == "none" and not quirks.always_thinks:
        return {"thinkingBudget": 0}
    if request.max_tokens is not None:
        budget = min(budget, request.max_tokens - 1)  # the answer's limit counts its thoughts
    return {"thinkingBudget": max(least, min(budget, most))}
