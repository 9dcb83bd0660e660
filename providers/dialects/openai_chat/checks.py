"""Is this body a Chat Completions request? Says which field is wrong; unknown fields are none of its business. Pure.

Field names: openai SDK 3.51.0, ``types/chat/completion_create_params.py`` (2026-11-13).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from providers.errors import bad_request as bad
from providers.json_object import JsonObject

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_CHOICES = ("none", "auto", "required")
_MAY_BE_SILENT = ("assistant", "tool", "function")  # their content may be null

_MEMBERS: Mapping[str, Rule] = {
    "stream": FLAG,
    "stream_options": OBJECT,
    "temperature": NUMBER,
    "top_p": NUMBER,
    "tools": LIST,
    "tool_choice": TEXT_OR_OBJECT,
    "parallel_tool_calls": FLAG,
    "reasoning_effort": TEXT,
    "response_format": OBJECT,
    "extra_body": OBJECT,
    "top_k": WHOLE,
    "seed": WHOLE,
    "frequency_penalty": NUMBER,
    "presence_penalty": NUMBER,
    "logit_bias": OBJECT,
    "logprobs": FLAG,
    "top_logprobs": WHOLE,
    "min_p": NUMBER,
    "repetition_penalty": NUMBER,
    "user": TEXT,
    "safety_identifier": TEXT,
    "metadata": OBJECT,
    "store": FLAG,
    "service_tier": TEXT,
    "verbosity": TEXT,
    "prompt_cache_key": TEXT,
    "modalities": LIST,
    "audio": OBJECT,
    "prediction": OBJECT,
    "web_search_options": OBJECT,
    "functions": LIST,
    "function_call": TEXT_OR_OBJECT,
}
_LIMITS = ("max_tokens", "max_completion_tokens")
_OF_MESSAGE: Mapping[str, Rule] = {"name": TEXT, "refusal": TEXT, "tool_calls": LIST, "function_call": OBJECT}
_OF_FUNCTION: Mapping[str, Rule] = {"description": TEXT, "parameters": OBJECT, "strict": FLAG}
# What each kind of part must hold.
_PARTS: Mapping[str, tuple[str, Rule]] = {
    "text": ("text", TEXT),
    "refusal": ("refusal", TEXT),
    "image_url": ("image_url", OBJECT),
    "file": ("file", OBJECT),
    "input_audio": ("input_audio", OBJECT),
}


def check(body: JsonObject) -> None:
    """Raises Fault (400) for the first field that no upstream could take."""
    model = body.get("model")
    if not isinstance(model, str) or not model.strip():
        raise bad("model", "a model name is required, as a non-empty string")
    if body.get("n") not in (None, 1):
        raise bad("n", "one answer is made per request: leave n out, or send 1 and repeat the request")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad("messages", "a list of at least one message is required")
    for number, message in enumerate(messages):
        _message(f"messages.{number}", message)
    for name, rule in _MEMBERS.items():
        allow(name, body.get(name), rule)
    for name in _LIMITS:
        positive(name, body.get(name))
    _stops(body.get("stop"))
    _beside(body)


def _beside(body: JsonObject) -> None:
    """What stands inside the members."""
    members("stream_options", body.get("stream_options") or {}, {"include_usage": FLAG})
    for number, tool in enumerate(body.get("tools") or ()):
        _tool(f"tools.{number}", tool)
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        _choice(choice)
    elif choice is not None and choice not in _CHOICES:
        raise bad("tool_choice", f"should be one of {', '.join(_CHOICES)}, or an object")
    form = body.get("response_format")
    if form is not None:
        need("response_format.type", form.get("type"), TEXT)
        if form["type"] == "json_schema":
            need("response_format.json_schema", form.get("json_schema"), OBJECT)
            members("response_format.json_schema", form["json_schema"], {"schema": OBJECT, "strict": FLAG})


def _stops(stop: Any) -> None:
    if isinstance(stop, str) or stop is None:
        return
    if not isinstance(stop, list) or not all(isinstance(each, str) for each in stop):
        raise bad("stop", "should be a string or a list of strings")


def _message(path: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise bad(path, "should be an object with a role")
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise bad(f"{path}.role", f"should be one of {', '.join(ROLES)}")
    (allow if role in _MAY_BE_SILENT else need)(f"{path}.content", content, TEXT_OR_PARTS)
    for number, part in enumerate(content if isinstance(content, list) else ()):
        _part(f"{path}.content.{number}", part)
    if role == "tool":
        need(f"{path}.tool_call_id", message.get("tool_call_id"), TEXT)
    members(path, message, _OF_MESSAGE)
    for number, call in enumerate(message.get("tool_calls") or ()):
        _call(f"{path}.tool_calls.{number}", call)


def _part(path: str, part: Any) -> None:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise bad(path, "should be an object with a type")
    if part["type"] in _PARTS:
        name, rule = _PARTS[part["type"]]
        need(f"{path}.{name}", part.get(name), rule)
    if part["type"] == "image_url":
        need(f"{path}.image_url.url", part["image_url"].get("url"), TEXT)


def _call(path: str, call: Any) -> None:
    """The arguments are the model's: whatever text it made of them."""
    if not isinstance(call, dict):
        raise bad(path, "should be an object with a function")
    kind, inner = ("custom", "input") if call.get("type") == "custom" else ("function", "arguments")
    need(f"{path}.{kind}", call.get(kind), OBJECT)
    need(f"{path}.{kind}.name", call[kind].get("name"), TEXT)
    allow(f"{path}.{kind}.{inner}", call[kind].get(inner), TEXT)


def _tool(path: str, tool: Any) -> None:
    if not isinstance(tool, dict):
        raise bad(path, "should be an object with a type")
    need(f"{path}.type", tool.get("type"), TEXT)
    kind = tool["type"]
    if kind in _NAMED_TOOLS:
        need(f"{path}.{kind}", tool.get(kind), OBJECT)
        named(f"{path}.{kind}.name", tool[kind].get("name"))
        _NAMED_TOOLS[kind](f"{path}.{kind}", tool[kind])


_NAMED_TOOLS: Mapping[str, Callable[[str, Mapping[str, Any]], None]] = {
    "function": lambda path, function: members(path, function, _OF_FUNCTION),
    "custom": lambda path, custom: members(path, custom, {"description": TEXT}),
}


def _choice(choice: Mapping[str, Any]) -> None:
    need("tool_choice.type", choice.get("type"), TEXT)
    kind = choice["type"]
    if kind in _NAMED_TOOLS:
        need(f"tool_choice.{kind}", choice.get(kind), OBJECT)
        named(f"tool_choice.{kind}.name", choice[kind].get("name"))
    if kind == "allowed_tools":
        need("tool_choice.allowed_tools", choice.get("allowed_tools"), OBJECT)
        need("tool_choice.allowed_tools.tools", choice["allowed_tools"].get("tools"), LIST)
