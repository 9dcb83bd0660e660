"""Token counts as Responses has them. Pure.

``input_tokens`` includes what a cache gave and took; Anthropic's does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.ports import Usage


def read(reported: Any) -> Usage | None:
    """None where there is no report in it (null, {}, no counts)."""
    if not isinstance(reported, dict):
        return None
    given, made = _count(reported, "input_tokens"), _count(reported, "output_tokens")
    if not given and not made:
        return None
    details = _part(reported, "input_tokens_details")
    cached, written = _count(details, "cached_tokens"), _count(details, "cache_write_tokens")
    return Usage(
        input_tokens=max(0, given - cached - written),
        output_tokens=made,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=_count(_part(reported, "output_tokens_details"), "reasoning_tokens"),
    )


def write(usage: Usage) -> dict[str, Any]:
    """The same, for a Responses client."""
    given = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": given + usage.output_tokens,
    }


def _part(reported: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = reported.get(name)
    return part if isinstance(part, dict) else {}


def _count(reported: Mapping[str, Any], name: str) -> int:
    value = reported.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
