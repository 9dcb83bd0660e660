"""Token counts as Chat Completions upstreams report them. Pure.

``prompt_tokens`` includes what was read from a cache; Anthropic's ``input_tokens`` does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.json_object import JsonObject
from providers.ports import Usage

Holder = Mapping[str, Any] | JsonObject


def found(chunk: Holder, choice: Mapping[str, Any]) -> Usage | None:
    """The report of a chunk or a whole answer: its own, Groq's in ``x_groq``, or Moonshot's in the choice."""
    return read(chunk.get("usage")) or read(_part(chunk, "x_groq").get("usage")) or read(choice.get("usage"))


def read(reported: Any) -> Usage | None:
    """None where there is no report in it (null, {}, no counts)."""
    if not isinstance(reported, dict):
        return None
    prompt, completion = _count(reported, "prompt_tokens"), _count(reported, "completion_tokens")
    if not prompt and not completion:
        return None
    details, made = _part(reported, "prompt_tokens_details"), _part(reported, "completion_tokens_details")
    # DeepSeek and Moonshot have names of their own for what a cache gave (read 2026-11).
    cached = _count(details, "cached_tokens") or _count(reported, "prompt_cache_hit_tokens", "cached_tokens")
    written = _count(details, "cache_write_tokens")
    reasoning = _count(made, "reasoning_tokens")
    # xAI's completion_tokens leave reasoning out, which its total shows (litellm 1.109.1; docs.x.ai, read 2026-11).
    apart = reasoning and _count(reported, "total_tokens") == prompt + completion + reasoning
    return Usage(
        input_tokens=max(0, prompt - cached - written),
        output_tokens=completion + reasoning if apart else completion,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


def write(usage: Usage) -> dict[str, Any]:
    """The same, for a Chat Completions client."""
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _part(reported: Holder, name: str) -> Mapping[str, Any]:
    part = reported.get(name)
    return part if isinstance(part, dict) else {}


def _count(reported: Mapping[str, Any], *names: str) -> int:
    """The first of the names that holds a count."""
    values = (reported.get(name) for name in names)
    return next((value for value in values if isinstance(value, int) and not isinstance(value, bool) and value > 0), 0)
