"""How much a Chat Completions model is told to think, in its provider's words. Pure.

Sources, read 2026-11: litellm 1.109.1; api-docs.deepseek.com/guides/thinking_mode; docs.z.ai/guides/capabilities/
thinking-mode; platform.kimi.ai/docs (K2.5 and K2.6 have the switch, K2.7 refuses it, K3 has efforts only);
platform.minimax.io; docs.vllm.ai, reasoning outputs; openrouter.ai/docs, reasoning tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from providers.chat.request import Reasoning
from providers.dialects.openai_chat.naming import of_model
from providers.spec import Quirks, ThinkingSwitch

# Thinking budgets as efforts: the upper bounds that ferryllm uses.
_BUDGETS = ((512, "minimal"), (2048, "low"), (8192, "medium"), (16384, "high"), (32768, "xhigh"))
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")  # rising


def write(reasoning: Reasoning, model: str, quirks: Quirks, lost: list[str]) -> Iterator[tuple[str, Any]]:
    """The body's fields; nothing where it is left to the model."""
    wanted = _effort(reasoning)
    on = reasoning.mode in ("adaptive", "budget")
    switched = _has_switch(model, quirks)
    whole = quirks.switch is ThinkingSwitch.REASONING  # says the effort too
    if switched and (reasoning.mode != "unset" or (whole and wanted)):
        yield from _switch(quirks.switch, on, reasoning, wanted)
    if not wanted or (switched and (whole or reasoning.mode == "off")):
        return
    allowed = quirks.efforts if of_model(model, quirks.effort_models) else ()
    if not allowed:
        if wanted != "none" and not (switched and on):
            lost.append("thinking" if reasoning.mode == "budget" else "effort")
        return
    rank = _EFFORTS.index(wanted)
    fitting = [effort for effort in allowed if _EFFORTS.index(effort) <= rank]
    yield "reasoning_effort", fitting[-1] if fitting else allowed[0]


def thinks(reasoning: Reasoning, model: str, quirks: Quirks) -> bool:
    """Whether the model may think: it is not told otherwise, or cannot be."""
    silenced = "none" in quirks.efforts and of_model(model, quirks.effort_models)
    return reasoning.mode != "off" or not (silenced or _has_switch(model, quirks))


def _has_switch(model: str, quirks: Quirks) -> bool:
    return quirks.switch is not ThinkingSwitch.NONE and of_model(model, quirks.switch_models)


def _switch(switch: ThinkingSwitch, on: bool, reasoning: Reasoning, wanted: str) -> Iterator[tuple[str, Any]]:
    match switch:
        case ThinkingSwitch.THINKING:
            yield "thinking", {"type": "enabled" if on else "disabled"}
        case ThinkingSwitch.ADAPTIVE:
            yield "thinking", {"type": "adaptive" if on else "disabled"}
        case ThinkingSwitch.ENABLE_THINKING:
            yield "enable_thinking", on
            if on and reasoning.budget:
                yield "thinking_budget", reasoning.budget
        case ThinkingSwitch.TEMPLATE:
            yield "chat_template_kwargs", {"enable_thinking": on, "thinking": on}
        case ThinkingSwitch.REASONING:
            yield "reasoning", _openrouter(on, reasoning, wanted)


def _openrouter(on: bool, reasoning: Reasoning, wanted: str) -> dict[str, Any]:
    """It takes one of an effort, of which max is called xhigh, and a number of tokens."""
    if reasoning.mode != "off" and reasoning.effort and wanted:
        return {"effort": "xhigh" if wanted == "max" else wanted}
    return {"max_tokens": reasoning.budget} if on and reasoning.budget else {"enabled": on}


def _effort(reasoning: Reasoning) -> str:
    """ "" leaves it to the model."""
    if reasoning.mode == "off":
        return "none"
    if reasoning.effort in _EFFORTS:
        return reasoning.effort
    if reasoning.mode == "budget":
        return next((effort for bound, effort in _BUDGETS if reasoning.budget < bound), "max")
    return ""
