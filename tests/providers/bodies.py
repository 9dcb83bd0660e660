"""Messages requests for property tests: a full one with some of its places spoilt."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]

_SOURCE = {"type": "base64", "media_type": "image/png", "data": "aGk="}
_RESULT = [{"type": "text", "text": "x"}, {"type": "image", "source": _SOURCE}]
_SCHEMA = {
    "type": "object",
    "properties": {"file_path": {"type": "string"}, "limit": {"type": "integer", "enum": [3, 4]}},
    "required": ["file_path", "limit"],
}
FULL: dict[str, Any] = {
    "model": "asked",
    "max_tokens": 64,
    "messages": [
        {
            "role": "user",
            "content": [{"type": "text", "text": "Use the Read tool"}, {"type": "image", "source": _SOURCE}],
        },
        {"role": "system", "content": "Agents: none"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "", "signature": "s"},
                {"type": "tool_use", "id": "i", "name": "Read", "input": {"file_path": "a"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "i", "content": _RESULT}]},
        {"role": "user", "content": [{"type": "text", "text": "Use the Read tool and think"}]},
    ],
    "system": [{"type": "text", "text": "You help.", "cache_control": {"type": "ephemeral"}}],
    "tools": [
        {"name": "Read", "type": "custom", "input_schema": _SCHEMA},
        {"type": "web_search_20250305", "name": "w"},
    ],
    "tool_choice": {"type": "auto"},
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": _SCHEMA}},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "metadata": {"user_id": "u"},
    "stop_sequences": ["x"],
    "temperature": 1,
    "stream": True,
}

_ODD = st.sampled_from(
    [None, True, 0, -1, 1.5, 10**30, "", "text", "disabled", "tool_result", [], ["x"], [None], {}, {"type": 7}]
)


def _places(value: Any, path: Path = ()) -> list[Path]:
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [place for key, inner in items for place in ((*path, key), *_places(inner, (*path, key)))]


def _spoil(body: Any, place: Path, odd: Any, drop: bool) -> None:
    *way, last = place
    for key in way:
        body = body[key]
    if drop:
        del body[last]
    else:
        body[last] = odd


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """FULL, with up to three places dropped or set to something odd."""
    body = copy.deepcopy(FULL)
    for _ in range(draw(st.integers(0, 3))):
        _spoil(body, draw(st.sampled_from(_places(body))), copy.deepcopy(draw(_ODD)), draw(st.booleans()))
    return body
