"""A checked Chat Completions request in the neutral language. Pure.

Field names: openai SDK 3.51.0, ``types/chat/completion_create_params.py`` (2026-11-13).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from providers import extra_body
from providers.chat import unread
from providers.chat.effort import known
from providers.chat.request import (
    JSON_MODE,
    Aside,
    Block,
    ChatRequest,
    JsonSchema,
    Message,
    Raw,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from providers.dialects.openai_chat import parts
from providers.dialects.openai_chat.parameters import ASIDES
from providers.json_object import JsonObject, encode

_KNOWN = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "stop",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "extra_body",
        "top_k",
    }
)
# What is read of a message, of each kind of part, of a call and of a tool; "annotations" are part of answers only.
_OF_MESSAGE = frozenset(
    {
        *("role", "content", "name", "refusal", "reasoning_content", "reasoning", "annotations", "cache_control"),
        *("tool_calls", "tool_call_id", "function_call"),
    }
)
_OF_PART: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text", "cache_control"}),
    "image_url": frozenset({"type", "image_url", "cache_control"}),
    "file": frozenset({"type", "file", "cache_control"}),
}
_OF_CALL = frozenset({"id", "type", "index", "function", "custom"})
_OF_TOOL = frozenset({"type", "function", "cache_control"})
_OF_FUNCTION = frozenset({"name", "description", "parameters", "strict"})
_SAMPLING = ("seed", "frequency_penalty", "presence_penalty", "logit_bias", "min_p", "repetition_penalty")


# Values that ask for nothing but what is done anyway: many clients send every field.
_USUAL: Mapping[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "metadata": ({},),
    "modalities": (["text"],),
    "n": (1,),
    "presence_penalty": (0,),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "verbosity": ("medium",),
}


def read(body: JsonObject, model: str, thinking: bool) -> ChatRequest:
    """``model`` is the target's; ``thinking`` False switches thinking off whatever the client wants."""
    read = (*_KNOWN, *_SAMPLING)
    lost = [name for name in body if name not in read and not _is_usual(name, body.get(name))]
    sampling = {name: body.get(name) for name in _SAMPLING if not _is_usual(name, body.get(name))}
    if any(message.get("name") and message["role"] not in ("tool", "function") for message in body.get("messages")):
        lost.append("messages.name")
    tools = tuple(_tools(body.get("tools") or (), lost))
    tools, choice = _chosen(body.get("tool_choice"), tools, lost)
    effort = known(body.get("reasoning_effort") or "", "reasoning_effort", lost)
    off = not thinking or effort == "none"
    return ChatRequest(
        model=model,
        messages=tuple(_message(message, lost) for message in body.get("messages")),
        tools=tools,
        tool_choice=choice,
        parallel_tools=body.get("parallel_tool_calls"),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        top_k=body.get("top_k"),
        stop=_stops(body.get("stop")),
        reasoning=Reasoning("off") if off else Reasoning("adaptive" if effort else "unset", 0, effort),
        format=_format(body.get("response_format"), lost),
        user=_string(body.get("safety_identifier")) or _string(body.get("user")),
        stream=body.get("stream") is True,
        lost=tuple(dict.fromkeys(lost)),
        caches=b'"cache_control"' in body.raw,
        sampling=sampling,
        asides=_asides(body),
        extra_body=extra_body.of_request(body),
    )


def _is_usual(name: str, value: Any) -> bool:
    return value is None or value in _USUAL.get(name, ())


def _asides(body: JsonObject) -> Mapping[str, Aside]:
    said = {name: Aside(name, body.get(name)) for name in ASIDES if not _is_usual(name, body.get(name))}
    form = body.get("response_format")
    return {**said, JSON_MODE: Aside(JSON_MODE, form)} if form == {"type": "json_object"} else said


def _message(message: Mapping[str, Any], lost: list[str]) -> Message:
    unread.note(message, _OF_MESSAGE, "messages", lost)
    content = message.get("content")
    match message["role"]:
        case "system" | "developer":
            return Message("system", tuple(_parts(content, lost)))
        case "tool" | "function":
            identity = message.get("tool_call_id") or message.get("name") or ""
            return Message("user", (ToolResult(str(identity), tuple(_parts(content, lost))),))
        case "assistant":
            return Message("assistant", tuple(_assistant(message, lost)))
    return Message("user", tuple(_parts(content, lost)))


def _assistant(message: Mapping[str, Any], lost: list[str]) -> Iterator[Block]:
    thought = _string(message.get("reasoning_content")) or _string(message.get("reasoning"))
    if thought:
        yield Thinking(thought)
    yield from _parts(message.get("content"), lost)
    if refusal := _string(message.get("refusal")):
        yield Text(refusal)
    legacy = message.get("function_call")
    if isinstance(legacy, dict):  # of before 2023-11; its result is known by the function's name
        name = _string(legacy.get("name"))
        yield ToolUse(name, name, _string(legacy.get("arguments")))
    for number, call in enumerate(message.get("tool_calls") or ()):
        unread.note(call, _OF_CALL, "messages.tool_calls", lost)
        yield _call(call, _string(call.get("id")) or f"call_{number}")


def _call(call: Mapping[str, Any], identity: str) -> ToolUse:
    match call:
        case {"type": "custom", "custom": {"name": str() as name, "input": str() as text}}:
            return ToolUse(identity, name, encode({"input": text}).decode(), True)
    function = call.get("function") or {}
    return ToolUse(identity, _string(function.get("name")), _string(function.get("arguments")))


def _parts(content: Any, lost: list[str]) -> Iterator[Block]:
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for part in content or ():
        if part["type"] in _OF_PART:
            unread.note(part, _OF_PART[part["type"]], f"messages.{part['type']}", lost)
        yield _part(part)


def _part(part: Mapping[str, Any]) -> Block:
    match part:
        case {"type": "text", "text": str() as text} | {"type": "refusal", "refusal": str() as text}:
            return Text(text)
        case {"type": "image_url", "image_url": {"url": str() as url} as image}:
            return parts.image(url, image.get("detail"))
        case {"type": "file", "file": {"file_data": str() as url} as file}:
            if document := parts.document(url, _string(file.get("filename"))):
                return document
    return Raw(part["type"], part, "openai_chat")


def _tools(tools: Any, lost: list[str]) -> Iterator[Tool]:
    for tool in tools:
        match tool:
            case {"type": "function", "function": {"name": str() as name} as function}:
                unread.note(tool, _OF_TOOL, "tools", lost)
                unread.note(function, _OF_FUNCTION, "tools.function", lost)
                schema = function.get("parameters") or {"type": "object", "properties": {}}
                strict = function.get("strict")
                described = _string(function.get("description"))
                yield Tool(name, described, schema, strict if isinstance(strict, bool) else None)
            case _:
                lost.append(f"tools.{_string(tool.get('type')) or 'unnamed'}")


def _chosen(choice: Any, tools: tuple[Tool, ...], lost: list[str]) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """The tools that may be called, and which must be."""
    match choice:
        case None:
            return tools, None
        case "required":
            return tools, ToolChoice("any")
        case "auto" | "none" as mode:
            return tools, ToolChoice(mode)
        case {"type": "function", "function": {"name": str() as name}}:
            return tools, ToolChoice("tool", name)
        case {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto" | "required" as mode, "tools": list() as named},
        }:
            allowed = {_function_name(each) for each in named}
            if chosen := tuple(tool for tool in tools if tool.name in allowed):
                return chosen, ToolChoice("any" if mode == "required" else "auto")
    lost.append("tool_choice")
    return tools, None


def _function_name(tool: Any) -> str:
    match tool:
        case {"type": "function", "function": {"name": str() as name}}:
            return name
    return ""


def _stops(stop: Any) -> tuple[str, ...]:
    if isinstance(stop, str):
        return (stop,)
    return tuple(each for each in stop or () if isinstance(each, str))


def _format(form: Any, lost: list[str]) -> JsonSchema | None:
    match form:
        case None | {"type": "text"}:
            return None
        case {"type": "json_schema", "json_schema": {"schema": dict() as schema} as named}:
            described = _string(named.get("description"))
            return JsonSchema(schema, _string(named.get("name")), named.get("strict"), described)
    lost.append("response_format")
    return None


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
