"""Turns as Messages demands them: a call's results stand first in the turn after it, each once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from providers.chat.request import INTERRUPTED

Json = dict[str, Any]


def mended(turns: Iterable[Json]) -> Iterator[Json]:
    """Missing results are supplied, those without a call become text, and what a system says waits for them."""
    owed: list[str] = []
    waiting: list[Json] = []
    for turn in turns:
        if owed and turn["role"] == "system":
            waiting.append(turn)
            continue
        if turn["role"] == "user":
            yield {"role": "user", "content": _answered(turn["content"], owed)}
        elif owed:
            yield {"role": "user", "content": _answered([], owed)}
        owed = []
        yield from waiting
        waiting = []
        if turn["role"] != "user":
            yield turn
            owed = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
    if owed:
        yield {"role": "user", "content": _answered([], owed)}
    yield from waiting


def _answered(content: list[Json], owed: list[str]) -> list[Json]:
    results: dict[str, Json] = {}
    others: list[Json] = []
    for block in content:
        if block["type"] != "tool_result":
            others.append(block)
        elif block["tool_use_id"] in owed and block["tool_use_id"] not in results:
            results[block["tool_use_id"]] = block
        else:
            others += [_text(f"Result of an earlier tool call ({block['tool_use_id']}):"), *block["content"]]
    return [*(results.get(identity) or _missing(identity) for identity in owed), *others]


def _missing(identity: str) -> Json:
    return {"type": "tool_result", "tool_use_id": identity, "content": [_text(INTERRUPTED)], "is_error": True}


def _text(text: str) -> Json:
    return {"type": "text", "text": text}
