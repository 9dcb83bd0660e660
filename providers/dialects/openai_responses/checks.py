"""Is this body a Responses request that can be served without a store? Says which field is wrong. Pure.

Field names: openai SDK 3.51.0, ``types/responses/response_create_params.py`` (2026-11-13).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.dialects.openai_responses.conversation import kind_of
from providers.errors import bad_request as bad
from providers.json_object import JsonObject

ROLES = ("user", "assistant", "system", "developer")

_STORED = "nothing is stored here: send the whole conversation as input, with store false or left out"
_STATEFUL: Mapping[str, str] = {
    "store": _STORED,
    "previous_response_id": _STORED,
    "conversation": _STORED,
    "prompt": "prompt templates are stored at OpenAI; send their text as instructions or input",
    "background": "responses are not made in the background here; leave it out, and use stream for long ones",
}

_TEXT, _LIST, _OBJECT = "a string", "a list", "an object"
_TYPES: Mapping[str, tuple[Any, str]] = {
    "stream": (bool, "true or false"),
    "instructions": (str, _TEXT),
    "tools": (list, _LIST),
    "tool_choice": (str | dict, "a string or an object"),
    "parallel_tool_calls": (bool, "true or false"),
    "max_output_tokens": (int, "a whole number"),
    "temperature": (int | float, "a number"),
    "top_p": (int | float, "a number"),
    "reasoning": (dict, _OBJECT),
    "text": (dict, _OBJECT),
    "include": (list, _LIST),
    "metadata": (dict, _OBJECT),
    "stream_options": (dict, _OBJECT),
}

# What each kind of item must hold; kinds that are not here are carried where they can be, and else lost by name.
_ITEMS: Mapping[str, Mapping[str, tuple[Any, str]]] = {
    "function_call": {"call_id": (str, _TEXT), "name": (str, _TEXT), "arguments": (str, _TEXT)},
    "custom_tool_call": {"call_id": (str, _TEXT), "name": (str, _TEXT), "input": (str, _TEXT)},
    "function_call_output": {"call_id": (str, _TEXT), "output": (str | list, "a string or a list of parts")},
    "custom_tool_call_output": {"call_id": (str, _TEXT), "output": (str | list, "a string or a list of parts")},
    "reasoning": {"summary": (list | None, _LIST), "content": (list | None, _LIST)},
}
_PARTS = ("content", "output", "summary")


def check(body: JsonObject) -> None:
    """Raises Fault (400) for the first field that is wrong, or that asks for what needs a store."""
    model = body.get("model")
    if not isinstance(model, str) or not model.strip():
        raise bad("model", "a model name is required, as a non-empty string")
    for name, words in _STATEFUL.items():
        if body.get(name) not in (None, False):
            raise bad(name, words)
    for name, rule in _TYPES.items():
        _check_type(name, body.get(name), rule)
    _check_input(body.get("input"))
    for number, tool in enumerate(body.get("tools") or ()):
        _check_tool(f"tools.{number}", tool)
    form = (body.get("text") or {}).get("format")
    if form is not None and not isinstance(form, dict):
        raise bad("text.format", "should be an object with a type")


def _check_type(path: str, value: Any, rule: tuple[Any, str]) -> None:
    expected, word = rule
    if value is None:
        return
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise bad(path, f"should be {word}")


def _check_input(items: Any) -> None:
    if not isinstance(items, str | list) or not items:
        raise bad("input", "a string, or a list of at least one item, is required")
    for number, item in enumerate(items if isinstance(items, list) else ()):
        _check_item(f"input.{number}", item)


def _check_item(path: str, item: Any) -> None:
    if not isinstance(item, dict):
        raise bad(path, "should be an object with a type")
    kind = kind_of(item)
    if not isinstance(kind, str):
        raise bad(f"{path}.type", "should be a string")
    if kind == "item_reference":
        raise bad(path, f"a reference to a stored item cannot be followed; {_STORED}")
    if kind == "message":
        _check_message(path, item)
    for name, (expected, word) in _ITEMS.get(kind, {}).items():
        if not isinstance(item.get(name), expected):
            raise bad(f"{path}.{name}", f"should be {word}")
    for name in _PARTS:
        _check_parts(f"{path}.{name}", item.get(name))


def _check_message(path: str, item: Mapping[str, Any]) -> None:
    if item.get("role") not in ROLES:
        raise bad(f"{path}.role", f"should be one of {', '.join(ROLES)}")
    if not isinstance(item.get("content"), str | list):
        raise bad(f"{path}.content", "should be a string or a list of parts")


def _check_parts(path: str, parts: Any) -> None:
    for number, part in enumerate(parts if isinstance(parts, list) else ()):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise bad(f"{path}.{number}", "should be an object with a type")


def _check_tool(path: str, tool: Any) -> None:
    if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
        raise bad(path, "should be an object with a type")
    if tool["type"] in ("function", "custom", "namespace"):
        if not isinstance(tool.get("name"), str) or not tool["name"]:
            raise bad(f"{path}.name", "should be a non-empty string")
        if not isinstance(tool.get("parameters") or {}, dict):
            raise bad(f"{path}.parameters", "should be an object")
    if tool["type"] == "namespace":
        if not isinstance(tool.get("tools"), list):
            raise bad(f"{path}.tools", "should be a list")
        for number, inner in enumerate(tool["tools"]):
            _check_tool(f"{path}.tools.{number}", inner)
