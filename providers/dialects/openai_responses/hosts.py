"""Responses' web search, for whoever runs it in OpenAI's place. Pure.

Field names: openai SDK 3.51.0, ``types/responses/web_search_tool_param.py`` and ``web_search_preview_tool_param.py``
(2026-11-13). Its results have no item of their own, so between the rounds they are a function's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers.chat.events import BlockKind
from providers.chat.fold import AnswerBlock
from providers.dialects.anthropic.server_blocks import as_text
from providers.dialects.openai_responses.marks import for_client_redacted
from providers.dialects.openai_responses.response import Json, reasoning_item, redacted_item
from providers.dialects.openai_responses.searches import FAMILY, SOURCES, is_call
from providers.hosting import HostedTool, country_of, strings_of
from providers.json_object import JsonObject, encode

# After so many searches the model is told to answer with what there is: a response, other than Anthropic's, is not
# paused. Claude Code allows as many.
MOST_SEARCHES = 8

_TYPE = re.compile(r"web_search(_preview)?(_\d.*)?")
_LISTED = re.compile(rb'"web_search')


class WebSearch:
    """See ``providers.hosting.Hosts``."""

    def tools(self, body: JsonObject) -> tuple[HostedTool, ...]:
        if _LISTED.search(body.view("tools")) is None:
            return ()
        asked = body.get("max_tool_calls")
        most = MOST_SEARCHES if asked is None else min(asked, MOST_SEARCHES)
        listed = (tool for tool in body.get("tools") or () if is_search(tool.get("type")))
        return tuple(_hosted(tool, most) for tool in listed if tool.get("external_web_access") is not False)[:1]

    def continued(self, body: JsonObject, said: Sequence[AnswerBlock], room: int | None) -> JsonObject:
        given = body.get("input")
        before = [{"role": "user", "content": given}] if isinstance(given, str) else given
        edits: dict[str, bytes | None] = {"input": encode([*before, *(item for each in said for item in _items(each))])}
        choice = body.get("tool_choice")
        if choice is not None and choice not in ("auto", "none"):  # it was made: the same again would never end
            edits["tool_choice"] = encode("auto")
        if room is not None:
            edits["max_output_tokens"] = encode(room)
        return JsonObject(body.edited(edits))

    def result(self, use: AnswerBlock, content: Any) -> AnswerBlock:
        kind = f"{FAMILY}_tool_result"
        return AnswerBlock(BlockKind.RAW, raw={"type": kind, "tool_use_id": use.raw["id"], "content": content})

    def texts(self, body: JsonObject, tool: HostedTool) -> Iterator[str]:
        """No tool of this dialect fetches a page."""
        return iter(())

    def most_tokens(self, body: JsonObject) -> int | None:
        most: int | None = body.get("max_output_tokens")
        return most


def is_search(kind: Any) -> bool:
    """Whether a tool's type is one of the search's."""
    return isinstance(kind, str) and _TYPE.fullmatch(kind) is not None


def _hosted(tool: Mapping[str, Any], most: int) -> HostedTool:
    filters, location = tool.get("filters"), tool.get("user_location")
    chosen = filters if isinstance(filters, dict) else {}
    return HostedTool(
        FAMILY,
        tool["type"],
        FAMILY,
        max_uses=most,
        allowed=strings_of(chosen.get("allowed_domains")),
        blocked=strings_of(chosen.get("blocked_domains")),
        country=country_of(location),
        also=(f"include.{SOURCES}", "max_tool_calls"),
    )


def _items(block: AnswerBlock) -> Iterator[Json]:
    """What the model said, and was told, as items. Never a call of the client's own: that ends the turn."""
    match block.kind:
        case BlockKind.TEXT | BlockKind.REFUSAL:
            content = [{"type": "output_text", "text": block.text}]
            yield {"type": "message", "role": "assistant", "content": content, **block.raw}
        case BlockKind.THINKING:
            yield reasoning_item("", block.text, block.signature)
        case BlockKind.RAW if is_call(block.raw):
            called = {"call_id": block.raw["id"], "name": block.raw["name"], "arguments": block.text}
            yield {"type": "function_call", **called}
        case BlockKind.RAW if "tool_use_id" in block.raw:
            told = {"call_id": block.raw["tool_use_id"], "output": as_text(block.raw)}
            yield {"type": "function_call_output", **told}
        case BlockKind.RAW if (sealed := for_client_redacted(block.raw)) is not None:
            yield redacted_item("", sealed)
