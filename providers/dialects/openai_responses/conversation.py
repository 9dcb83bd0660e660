"""A Responses request's input as neutral messages. Pure.

Items follow one another without turns, so neighbours of one side become one message: a turn's reasoning, text and
calls stand together, and so do the results of its calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from providers.chat import unread
from providers.chat.request import Block, Document, Message, Raw, Role, Text, ToolResult, ToolUse
from providers.dialects.openai_chat import parts
from providers.dialects.openai_responses import marks
from providers.dialects.openai_responses.toolbox import Toolbox, arguments_of

_ROLES: Mapping[str, Role] = {"assistant": "assistant", "system": "system", "developer": "system"}
# What is read of an item and of a part, by their types. "annotations" are part of answers only.
_OF_ANY = ("type", "id", "status")
_OF_ITEM: Mapping[str, frozenset[str]] = {
    kind: frozenset({*_OF_ANY, *members})
    for kind, members in {
        "message": ("role", "content", "phase"),
        "function_call": ("call_id", "name", "namespace", "arguments"),
        "custom_tool_call": ("call_id", "name", "namespace", "input"),
        "function_call_output": ("call_id", "output"),
        "custom_tool_call_output": ("call_id", "output"),
        "reasoning": ("summary", "content", "encrypted_content"),
    }.items()
}
_OF_PART: Mapping[str, frozenset[str]] = {
    kind: frozenset({"type", *members})
    for kind, members in {
        "input_text": ("text",),
        "output_text": ("text", "annotations", "logprobs"),
        "input_image": ("image_url", "detail", "file_id"),
        "input_file": ("file_url", "file_data", "filename", "file_id"),
    }.items()
}
_OF_MODEL = ("reasoning", "compaction", "mcp_list_tools", "mcp_approval_request")  # beside what ends in _call


def messages(given: str | list[dict[str, Any]], toolbox: Toolbox, lost: list[str]) -> tuple[Message, ...]:
    """The conversation; what only Responses has is kept as ``Raw``."""
    if isinstance(given, str):
        return (Message("user", (Text(given),)),)
    return tuple(_joined((_role(item), tuple(_blocks(item, toolbox, lost))) for item in given))


def _joined(said: Iterator[tuple[Role, tuple[Block, ...]]]) -> Iterator[Message]:
    """Neighbours of one side as one message. What a system says stays apart: its place may matter."""
    pending: Message | None = None
    for role, blocks in said:
        if pending is not None and role == pending.role != "system":
            pending = Message(role, pending.content + blocks)
            continue
        if pending is not None:
            yield pending
        pending = Message(role, blocks)
    if pending is not None:
        yield pending


def kind_of(item: Mapping[str, Any]) -> Any:
    """An item without a type is a message."""
    return item.get("type") or "message"


def _role(item: Mapping[str, Any]) -> Role:
    kind = kind_of(item)
    if kind == "message":
        return _ROLES.get(item["role"], "user")
    return "assistant" if kind in _OF_MODEL or kind.endswith("_call") else "user"


def _blocks(item: Mapping[str, Any], toolbox: Toolbox, lost: list[str]) -> Iterator[Block]:
    kind = kind_of(item)
    if kind in _OF_ITEM:
        unread.note(item, _OF_ITEM[kind], f"messages.{kind}", lost)
    match kind:
        case "message":
            yield from _said(_content(item["content"], lost), _text(item.get("phase")))
        case "function_call":
            name = toolbox.function_name(item["name"], item.get("namespace"))
            yield ToolUse(item["call_id"], name, item["arguments"])
        case "custom_tool_call":
            name = toolbox.function_name(item["name"], item.get("namespace"))
            yield ToolUse(item["call_id"], name, arguments_of(item["input"]), True)
        case "function_call_output" | "custom_tool_call_output":
            yield ToolResult(item["call_id"], tuple(_content(item["output"], lost)))
        case "reasoning":
            yield marks.of_client(_thought(item), _text(item.get("encrypted_content")))
        case _:
            yield Raw(kind, item, "openai_responses")


def _said(content: Iterator[Block], phase: str) -> Iterator[Block]:
    if not phase:
        return content
    return (replace(block, phase=phase) if isinstance(block, Text) else block for block in content)


def _thought(item: Mapping[str, Any]) -> str:
    shown = item.get("content") or item.get("summary") or ()
    return "\n\n".join(text for part in shown if (text := _text(part.get("text"))))


def _content(content: Any, lost: list[str]) -> Iterator[Block]:
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for part in content:
        if part["type"] in _OF_PART:
            unread.note(part, _OF_PART[part["type"]], f"messages.{part['type']}", lost)
        yield _part(part)


def _part(part: Mapping[str, Any]) -> Block:
    match part:
        case {"type": "input_text" | "output_text" | "text", "text": str() as text}:
            return Text(text)
        case {"type": "refusal", "refusal": str() as text}:
            return Text(text)
        case {"type": "input_image", "image_url": str() as url} if url:
            return parts.image(url, part.get("detail"))
        case {"type": "input_file", "file_url": str() as url} if url:
            return Document("application/pdf", url=url, title=_text(part.get("filename")))
        case {"type": "input_file", "file_data": str() as data}:
            if found := parts.document(data, _text(part.get("filename"))):
                return found
    return Raw(part["type"], part, "openai_responses")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
