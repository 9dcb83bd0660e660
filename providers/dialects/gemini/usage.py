"""Token counts as Gemini reports them. Pure.

``promptTokenCount`` includes what a cache gave, and leaves out what built-in tools put into the prompt;
``candidatesTokenCount`` leaves thoughts out (ai.google.dev/api/generate-content, UsageMetadata). Where the total shows
that the candidates' count has them already, they are not added again (litellm 1.109.1; both read 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.json_object import NotJson, decode
from providers.ports import Usage


def read(raw: bytes) -> Usage | None:
    """None where there is no report in it."""
    try:
        reported = decode(raw)
    except NotJson:
        return None
    if not isinstance(reported, dict):
        return None
    given = _count(reported, "promptTokenCount") + _count(reported, "toolUsePromptTokenCount")
    made, thought = _count(reported, "candidatesTokenCount"), _count(reported, "thoughtsTokenCount")
    if not (given or made or thought):
        return None
    inside = thought <= made and _count(reported, "totalTokenCount") == given + made
    cached = _count(reported, "cachedContentTokenCount")
    return Usage(
        input_tokens=max(0, given - cached),
        output_tokens=made if inside else made + thought,
        cache_read_tokens=cached,
        reasoning_tokens=thought,
    )


def _count(reported: Mapping[str, Any], name: str) -> int:
    value = reported.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
