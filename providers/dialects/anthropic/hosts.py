"""Anthropic's web tools, for whoever runs them in Anthropic's place. Pure.

Field names: anthropic SDK 2.10.0, web_search_tool_20260318_param.py and web_fetch_tool_20260318_param.py (2026-11-17).
New versions come several times a year, so a tool is known by how its type begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers.chat.events import BlockKind
from providers.chat.fold import AnswerBlock
from providers.dialects.anthropic import server_blocks
from providers.dialects.anthropic.write_reply import whole_block
from providers.hosting import USE, Family, HostedTool, country_of, strings_of
from providers.json_object import JsonObject, elements, encode

_PREFIXES: Mapping[str, Family] = {"web_search_": "web_search", "web_fetch_": "web_fetch"}
_LISTED = re.compile(rb'"web_(?:search|fetch)_\d')

Json = Mapping[str, Any]


class WebTools:
    """See ``providers.hosting.Hosts``."""

    def tools(self, body: JsonObject) -> tuple[HostedTool, ...]:
        return tuple(tool for tool in map(_hosted, body.get("tools") or ()) if tool) if lists(body) else ()

    def continued(self, body: JsonObject, said: Sequence[AnswerBlock], room: int | None) -> JsonObject:
        message = {"role": "assistant", "content": [whole_block(block) for block in said]}
        messages = bytes(body.view("messages")).rstrip()[:-1] + b"," + encode(message) + b"]"
        edits: dict[str, bytes | None] = {"messages": messages}
        choice = body.get("tool_choice") or {}
        if choice.get("type") in ("any", "tool"):  # it was made: the same again would never end
            edits["tool_choice"] = encode({**{k: v for k, v in choice.items() if k != "name"}, "type": "auto"})
        if room is not None:
            edits["max_tokens"] = encode(room)
        return JsonObject(body.edited(edits))

    def result(self, use: AnswerBlock, content: Any) -> AnswerBlock:
        kind = f"{use.raw['name']}_tool_result"
        return AnswerBlock(BlockKind.RAW, raw={"type": kind, "tool_use_id": use.raw["id"], "content": content})

    def texts(self, body: JsonObject, tool: HostedTool) -> Iterator[str]:
        sources = _Sources(tool.url_sources)
        for message in body.get("messages"):
            content = message.get("content")
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
            for block in blocks:
                yield from sources.texts(message["role"], block)

    def most_tokens(self, body: JsonObject) -> int | None:
        most: int | None = body.get("max_tokens")
        return most


def family(tool: Any) -> Family | None:
    """Which web tool this is, None where it is another's."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    known = (family for prefix, family in _PREFIXES.items() if isinstance(kind, str) and kind.startswith(prefix))
    return next(known, None)


def lists(body: JsonObject) -> bool:
    """Whether the request lists a web tool: a look at its bytes, which mostly says no."""
    return _LISTED.search(body.view("tools")) is not None


def without(body: JsonObject, native: Sequence[str]) -> tuple[bytes | None, list[Json]]:
    """The ``tools`` without those that the upstream does not run, None where none is left; and these.

    Each tool's bytes are as they were.
    """
    raw = bytes(body.view("tools"))
    tools = body.get("tools")
    spans = elements(raw)
    missing = [bool(name := family(tool)) and name not in native for tool in tools]
    kept = [raw[start:end] for (start, end), gone in zip(spans, missing, strict=True) if not gone]
    lost = [tool for tool, gone in zip(tools, missing, strict=True) if gone]
    return (b"[" + b",".join(kept) + b"]" if kept else None), lost


def _hosted(tool: Json) -> HostedTool | None:
    kind = family(tool)
    if kind is None:
        return None
    citations = tool.get("citations")
    sources = tool.get("url_sources")
    return HostedTool(
        kind,
        tool["type"],
        str(tool.get("name") or kind),
        max_uses=_count(tool.get("max_uses")),
        allowed=strings_of(tool.get("allowed_domains")),
        blocked=strings_of(tool.get("blocked_domains")),
        country=country_of(tool.get("user_location")),
        max_content_tokens=_count(tool.get("max_content_tokens")),
        citations=isinstance(citations, dict) and citations.get("enabled") is True,
        url_sources=sources if isinstance(sources, dict) else {},
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


class _Sources:
    """Reads what may hold fetchable URLs: what users wrote, and what tools returned; never what the model wrote."""

    def __init__(self, chosen: Json) -> None:
        self._chosen = chosen
        self._names: dict[str, str] = {}  # of the tools, by their calls' ids

    def texts(self, role: str, block: Json) -> Iterator[str]:
        kind = block.get("type")
        if kind in ("tool_use", USE):
            self._names[str(block.get("id"))] = str(block.get("name"))
        elif kind in server_blocks.RESULTS:
            if self._counts("server_tool_results", str(kind).removesuffix("_tool_result")):
                yield from _strings_in(block.get("content"))
        elif kind == "tool_result":
            if self._counts("client_tool_results", self._names.get(str(block.get("tool_use_id")), "")):
                yield from _strings_in(block.get("content"))
        elif role == "user" and self._counts("user_input", ""):
            yield from _strings_in(block)

    def _counts(self, source: str, name: str) -> bool:
        match self._chosen.get(source):
            case {"type": "none"}:
                return False
            case {"type": "only" | "except" as filtered, "tools": list() as tools}:
                return (name in [tool.get("name") for tool in tools if isinstance(tool, dict)]) is (filtered == "only")
        return True


def _strings_in(value: Any) -> Iterator[str]:
    """Every string, but for files and what is sealed."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _strings_in(each)
    elif isinstance(value, dict) and value.get("type") != "base64":
        for name, each in value.items():
            if name not in ("type", "encrypted_content"):
                yield from _strings_in(each)
