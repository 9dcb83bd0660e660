"""Is this body a Responses request that can be served without a store? Says which field is wrong. Pure.

Field names: openai SDK 3.51.0, ``types/responses/response_create_params.py`` (2026-11-13).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.chat.rules import (
    FLAG,
    LIST,
    NUMBER,
    OBJECT,
    TEXT,
    TEXT_OR_OBJECT,
    TEXT_OR_PARTS,
    WHOLE,
    Rule,
    allow,
    members,
    named,
    need,
    positive,
)
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

_MEMBERS: Mapping[str, Rule] = {
    "stream": FLAG,
    "instructions": TEXT,
    "tools": LIST,
    "tool_choice": TEXT_OR_OBJECT,
    "parallel_tool_calls": FLAG,
    "max_tool_calls": WHOLE,
    "temperature": NUMBER,
    "top_p": NUMBER,
    "top_logprobs": WHOLE,
    "reasoning": OBJECT,
    "text": OBJECT,
    "include": LIST,
    "metadata": OBJECT,
    "stream_options": OBJECT,
    "service_tier": TEXT,
    "truncation": TEXT,
    "user": TEXT,
    "safety_identifier": TEXT,
    "prompt_cache_key": TEXT,
    "extra_body": OBJECT,
}
_CHOICES = ("none", "auto", "required")
_OF_REASONING: Mapping[str, Rule] = {"effort": TEXT, "summary": TEXT}
_OF_TOOL: Mapping[str, Rule] = {"description": TEXT, "parameters": OBJECT, "strict": FLAG}

# What each kind of item must hold; kinds that are not here are carried where they can be, and else lost by name.
_ITEMS: Mapping[str, Mapping[str, Rule]] = {
    "function_call": {"call_id": TEXT, "name": TEXT, "arguments": TEXT},
    "custom_tool_call": {"call_id": TEXT, "name": TEXT, "input": TEXT},
    "function_call_output": {"call_id": TEXT, "output": TEXT_OR_PARTS},
    "custom_tool_call_output": {"call_id": TEXT, "output": TEXT_OR_PARTS},
}
# What each kind of part must hold.
_OF_PART: Mapping[str, Mapping[str, Rule]] = {
    "input_text": {"text": TEXT},
    "output_text": {"text": TEXT},
    "refusal": {"refusal": TEXT},
    "summary_text": {"text": TEXT},
    "reasoning_text": {"text": TEXT},
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
    for name, rule in _MEMBERS.items():
        allow(name, body.get(name), rule)
    positive("max_output_tokens", body.get("max_output_tokens"))
    _check_input(body.get("input"))
    for number, tool in enumerate(body.get("tools") or ()):
        _check_tool(f"tools.{number}", tool)
    _check_choice(body.get("tool_choice"))
    members("reasoning", body.get("reasoning") or {}, _OF_REASONING)
    _check_text(body.get("text") or {})


def _check_choice(choice: Any) -> None:
    if isinstance(choice, dict):
        need("tool_choice.type", choice.get("type"), TEXT)
        if choice["type"] in ("function", "custom"):
            named("tool_choice.name", choice.get("name"))
        if choice["type"] == "allowed_tools":
            need("tool_choice.tools", choice.get("tools"), LIST)
    elif choice is not None and choice not in _CHOICES:
        raise bad("tool_choice", f"should be one of {', '.join(_CHOICES)}, or an object")


def _check_text(text: Mapping[str, Any]) -> None:
    allow("text.verbosity", text.get("verbosity"), TEXT)
    form = text.get("format")
    if form is None:
        return
    if not isinstance(form, dict) or not isinstance(form.get("type"), str):
        raise bad("text.format", "should be an object with a type")
    if form["type"] == "json_schema":
        need("text.format.schema", form.get("schema"), OBJECT)
        members("text.format", form, {"name": TEXT, "description": TEXT, "strict": FLAG})


def _check_input(items: Any) -> None:
    if not isinstance(items, str | list) or not items:
        raise bad("input", "a string, or a list of at least one item, is required")
    for number, item in enumerate(items if isinstance(items, list) else ()):
        _check_item(f"input.{number}", item)


def _check_item(path: str, item: Any) -> None:
    if not isinstance(item, dict):
        raise bad(path, "should be an object with a type")
    kind = kind_of(item)
    if not isinstance(item.get("type", ""), str) or not isinstance(kind, str):
        raise bad(f"{path}.type", "should be a string")
    if kind == "item_reference":
        raise bad(path, f"a reference to a stored item cannot be followed; {_STORED}")
    if kind == "message":
        _check_message(path, item)
    for name, rule in _ITEMS.get(kind, {}).items():
        need(f"{path}.{name}", item.get(name), rule)
    if kind == "reasoning":
        members(path, item, {"summary": LIST, "content": LIST, "encrypted_content": TEXT})
    for name in _PARTS:
        _check_parts(f"{path}.{name}", item.get(name))


def _check_message(path: str, item: Mapping[str, Any]) -> None:
    if item.get("role") not in ROLES:
        raise bad(f"{path}.role", f"should be one of {', '.join(ROLES)}")
    need(f"{path}.content", item.get("content"), TEXT_OR_PARTS)


def _check_parts(path: str, parts: Any) -> None:
    for number, part in enumerate(parts if isinstance(parts, list) else ()):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise bad(f"{path}.{number}", "should be an object with a type")
        for name, rule in _OF_PART.get(part["type"], {}).items():
            need(f"{path}.{number}.{name}", part.get(name), rule)
        if part["type"] == "input_image" and part.get("image_url") is not None:
            need(f"{path}.{number}.image_url", part["image_url"], TEXT)


def _check_tool(path: str, tool: Any) -> None:
    if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
        raise bad(path, "should be an object with a type")
    if tool["type"] in ("function", "custom", "namespace"):
        named(f"{path}.name", tool.get("name"))
        members(path, tool, _OF_TOOL)
    if tool["type"] == "namespace":
        need(f"{path}.tools", tool.get("tools"), LIST)
        for number, inner in enumerate(tool["tools"]):
            _check_tool(f"{path}.tools.{number}", inner)
