"""A checked Responses request in the neutral language. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from providers import extra_body
from providers.chat.effort import known
from providers.chat.request import JSON_MODE, Aside, ChatRequest, JsonSchema, Reasoning, Text, Tool, ToolChoice
from providers.dialects.openai_responses import hosts
from providers.dialects.openai_responses.conversation import messages
from providers.dialects.openai_responses.searches import FAMILY
from providers.dialects.openai_responses.toolbox import Toolbox
from providers.json_object import JsonObject

# Fields that the neutral language says, or that mean nothing to another upstream's answer.
_KNOWN = frozenset(
    {
        "background",
        "conversation",
        "extra_body",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "metadata",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_p",
        "truncation",
        "user",
    }
)
# What an upstream of OpenAI's formats may be told in the same words.
ASIDES = (
    *("max_tool_calls", "metadata", "moderation", "prompt_cache_key", "prompt_cache_options"),
    *("prompt_cache_retention", "service_tier", "truncation"),
)
SEALED = "reasoning.encrypted_content"  # of ``include``; what can be sealed always is
# Values that ask for nothing but what is done anyway.
_USUAL: Mapping[str, tuple[Any, ...]] = {
    "metadata": (None, {}),
    "service_tier": (None, "auto", "default"),
    "truncation": (None, "disabled"),
}


SUMMARY = "reasoning.summary"
_MEDIUM = (None, "medium")


def read(body: JsonObject, model: str, thinking: bool) -> ChatRequest:
    """``model`` is the target's; ``thinking`` False switches thinking off whatever the client wants."""
    toolbox = Toolbox(body.get("tools"))
    lost = [name for name in body if name not in _KNOWN and body.get(name) is not None]
    lost += [name for name, usual in _USUAL.items() if body.get(name) not in usual]
    lost += [f"include.{each}" for each in body.get("include") or () if each != SEALED]
    lost += toolbox.lost
    tools, choice = _chosen(body.get("tool_choice"), toolbox, lost)
    instructions = body.get("instructions")
    return ChatRequest(
        model=model,
        messages=messages(body.get("input"), toolbox, lost),
        system=(Text(instructions),) if instructions else (),
        tools=tools,
        tool_choice=choice,
        parallel_tools=body.get("parallel_tool_calls"),
        max_tokens=body.get("max_output_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        reasoning=_reasoning(body.get("reasoning") or {}, thinking, lost),
        format=_format(body.get("text") or {}, lost),
        user=_string(body.get("safety_identifier")) or _string(body.get("user")),
        stream=body.get("stream") is True,
        lost=tuple(dict.fromkeys(lost)),
        asides=dict(_asides(body)),
        extra_body=extra_body.of_request(body),
    )


def _asides(body: JsonObject) -> Iterator[tuple[str, Aside]]:
    for name in ASIDES:
        if (value := body.get(name)) not in _USUAL.get(name, (None,)):
            yield name, Aside(name, value)
    text = body.get("text") or {}
    if text.get("verbosity") not in _MEDIUM:
        yield "verbosity", Aside("text.verbosity", text["verbosity"])
    if text.get("format") == {"type": "json_object"}:
        yield JSON_MODE, Aside("text.format", text["format"])
    if (summary := (body.get("reasoning") or {}).get("summary")) not in (None, "auto"):
        yield SUMMARY, Aside(SUMMARY, summary)


def _chosen(choice: Any, toolbox: Toolbox, lost: list[str]) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """The tools that may be called, and which must be."""
    match choice:
        case None:
            return toolbox.tools, None
        case "auto" | "none" as mode:
            return toolbox.tools, ToolChoice(mode)
        case "required":
            return toolbox.tools, ToolChoice("any")
        case {"type": "function" | "custom", "name": str() as name}:
            return toolbox.tools, ToolChoice("tool", toolbox.function_name(name, choice.get("namespace")))
        case {"type": kind} if hosts.is_search(kind):
            return toolbox.tools, ToolChoice("tool", FAMILY)
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, "tools": list() as allowed}:
            if tools := toolbox.only(allowed):
                return tools, ToolChoice("any" if mode == "required" else "auto")
    lost.append("tool_choice")
    return toolbox.tools, None


def _reasoning(reasoning: Mapping[str, Any], wanted: bool, lost: list[str]) -> Reasoning:
    lost += [f"reasoning.{name}" for name in reasoning if name not in ("effort", "summary", "generate_summary")]
    if reasoning.get("summary") not in (None, "auto"):
        lost.append(SUMMARY)
    effort = known(_string(reasoning.get("effort")), "reasoning.effort", lost)
    shown = bool(reasoning.get("summary") or reasoning.get("generate_summary")) if reasoning else None
    if not wanted or effort == "none":
        return Reasoning("off")
    return Reasoning("adaptive" if effort else "unset", 0, effort, shown)


def _format(text: Mapping[str, Any], lost: list[str]) -> JsonSchema | None:
    lost += _beside(text)
    match text.get("format"):
        case None | {"type": "text"}:
            return None
        case {"type": "json_schema", "schema": dict() as schema} as named:
            strict = named.get("strict")
            name, described = _string(named.get("name")), _string(named.get("description"))
            return JsonSchema(schema, name, strict if isinstance(strict, bool) else None, described)
    lost.append("text.format")
    return None


def _beside(text: Mapping[str, Any]) -> Iterator[str]:
    for name, value in text.items():
        if name != "format" and value is not None and (name != "verbosity" or value not in _MEDIUM):
            yield f"text.{name}"


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
