"""How much a model should think, in OpenAI's words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from providers.chat.request import Reasoning

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")  # rising (openai SDK 3.51.0, ReasoningEffort)

# Thinking budgets as efforts: the upper bounds that ferryllm uses.
_BUDGETS = ((512, "minimal"), (2048, "low"), (8192, "medium"), (16384, "high"), (32768, "xhigh"))


def known(effort: str, name: str, lost: list[str]) -> str:
    """The effort where it is one; a word that no model knows is lost under this name."""
    if not effort or effort in EFFORTS:
        return effort
    lost.append(name)
    return ""


def effort_of(reasoning: Reasoning) -> str:
    """The effort that is asked for; "" leaves it to the model."""
    if reasoning.mode == "off":
        return "none"
    if reasoning.effort in EFFORTS:
        return reasoning.effort
    if reasoning.mode == "budget":
        return next((effort for bound, effort in _BUDGETS if reasoning.budget < bound), "max")
    return ""


def shown(reasoning: Reasoning) -> bool:
    """Whether the client wants to see thoughts; where it does not say so, whether it asks for some."""
    return reasoning.mode in ("adaptive", "budget") if reasoning.shown is None else reasoning.shown


def nearest(wanted: str, allowed: Sequence[str]) -> str:
    """The highest of the ``allowed`` (rising) that is not above it, else the lowest; "none" only where it is wanted."""
    rank = EFFORTS.index(wanted)
    some = [effort for effort in allowed if effort != "none" or wanted == "none"] or list(allowed)
    fitting = [effort for effort in some if EFFORTS.index(effort) <= rank]
    return fitting[-1] if fitting else some[0]
