"""Is this body a Messages request? Says which field is wrong; unknown fields are none of its business.

Field names: anthropic SDK 2.10.0, ``types/message_create_params.py`` (2026-11-17).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from providers.dialects.anthropic.shape import is_sound
from providers.errors import bad_request as bad
from providers.json_object import JsonObject

ROLES = ("user", "assistant", "system")

# Block types by what they must hold. New server tools keep coming, so their blocks are known by their endings.
BLOCKS: Mapping[str, Mapping[str, type]] = {
    "text": {"text": str},
    "image": {"source": dict},
    "document": {"source": dict},
    "search_result": {"content": list},
    "thinking": {"thinking": str},
    "redacted_thinking": {"data": str},
    "tool_use": {"id": str, "name": str, "input": dict},
    "tool_result": {"tool_use_id": str},
    "server_tool_use": {"id": str, "name": str},
    "container_upload": {"file_id": str},
    "mcp_tool_use": {"id": str, "name": str},
    "mcp_tool_listing": {},
    "compaction": {},
    "fallback": {},
    "tool_addition": {},
    "tool_removal": {},
}
_OPEN_ENDINGS = ("_tool_result", "_tool_use")

_NAMES = {str: "a string", dict: "an object", list: "a list", bool: "true or false", int: "a whole number"}


def check(body: JsonObject) -> None:
    """Raises Fault (400) for the first field that no Messages upstream could take."""
    if not is_sound(body.raw):
        look(body)


def look(body: JsonObject) -> None:
    """The same, field by field."""
    model = body.get("model")
    if not isinstance(model, str) or not model.strip():
        raise bad("model", "a model name is required, as a non-empty string")
    _check_messages(body.get("messages"))
    for name, rule in _MEMBERS.items():
        if name in body:
            rule(name, body.get(name))


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise bad("messages", "a list of at least one message is required")
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            raise bad(f"messages.{number}", "should be an object with role and content")
        if message.get("role") not in ROLES:
            raise bad(f"messages.{number}.role", f"should be one of {', '.join(ROLES)}")
        content = message.get("content")
        if not isinstance(content, str):
            _check_blocks(f"messages.{number}.content", content)


def _check_blocks(path: str, blocks: Any) -> None:
    if not isinstance(blocks, list):
        raise bad(path, "should be a string or a list of content blocks")
    for number, block in enumerate(blocks):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise bad(f"{path}.{number}", "should be an object with a type")
        _check_block(f"{path}.{number}", block)


def _check_block(path: str, block: Mapping[str, Any]) -> None:
    kind = block["type"]
    fields = BLOCKS.get(kind)
    if fields is None:
        if not kind.endswith(_OPEN_ENDINGS):
            raise bad(f"{path}.type", "is no content block type of the Messages API")
        return
    for name, expected in fields.items():
        if not isinstance(block.get(name), expected):
            raise bad(f"{path}.{name}", f"should be {_NAMES[expected]}")
    if kind == "tool_result" and not isinstance(block.get("content", ""), str | None):
        _check_typed(f"{path}.content", block["content"])


def _check_typed(path: str, blocks: Any) -> None:
    if not isinstance(blocks, list):
        raise bad(path, "should be a string or a list of content blocks")
    for number, block in enumerate(blocks):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise bad(f"{path}.{number}", "should be an object with a type")


def _system(path: str, value: Any) -> None:
    if isinstance(value, str):
        return
    _check_typed(path, value)
    for number, block in enumerate(value):
        if not isinstance(block.get("text"), str):
            raise bad(f"{path}.{number}.text", "should be a string")


def _tools(path: str, value: Any) -> None:
    if not isinstance(value, list):
        raise bad(path, "should be a list")
    for number, tool in enumerate(value):
        if not isinstance(tool, dict):
            raise bad(f"{path}.{number}", "should be an object")
        if not isinstance(tool.get("name", ""), str):
            raise bad(f"{path}.{number}.name", "should be a string")
        if not isinstance(tool.get("input_schema", {}), dict):
            raise bad(f"{path}.{number}.input_schema", "should be an object")


def _count(path: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise bad(path, "should be a whole number, 0 or more")


def _number(path: str, value: Any) -> None:
    if value is not None and (not isinstance(value, int | float) or isinstance(value, bool)):
        raise bad(path, "should be a number")


def _strings(path: str, value: Any) -> None:
    if value is not None and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        raise bad(path, "should be a list of strings")


def _is(expected: type) -> Callable[[str, Any], None]:
    def rule(path: str, value: Any) -> None:
        if value is not None and not isinstance(value, expected):
            raise bad(path, f"should be {_NAMES[expected]}")

    return rule


_MEMBERS: Mapping[str, Callable[[str, Any], None]] = {
    "max_tokens": _count,
    "system": _system,
    "stream": _is(bool),
    "tools": _tools,
    "tool_choice": _is(dict),
    "thinking": _is(dict),
    "metadata": _is(dict),
    "output_config": _is(dict),
    "context_management": _is(dict),
    "stop_sequences": _strings,
    "temperature": _number,
    "top_p": _number,
    "top_k": _number,
}
