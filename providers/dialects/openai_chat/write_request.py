"""A neutral request as Chat Completions wants it, and what of it could not be said. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.chat.request import ChatRequest, JsonSchema, Reasoning, Tool, ToolChoice
from providers.dialects.openai_chat.history import history
from providers.dialects.openai_chat.naming import tool_name
from providers.spec import Quirks

MAX_STOPS = 4  # sequences (OpenAI's API reference, read 2026-11)

# Thinking budgets as efforts: the upper bounds that ferryllm uses.
_BUDGETS = ((512, "minimal"), (2048, "low"), (8192, "medium"), (16384, "high"), (32768, "xhigh"))
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")  # rising


@dataclass(frozen=True, slots=True)
class Written:
    """``names`` gives back the tools' own names; ``lost`` says what did not fit."""

    body: dict[str, Any]
    names: Mapping[str, str]
    lost: tuple[str, ...]


def write(request: ChatRequest, quirks: Quirks, provider: str) -> Written:
    """The body, streamed, with usage asked for."""
    lost = list(request.lost)
    short = {tool.name: tool_name(tool.name) for tool in request.tools}
    body: dict[str, Any] = {
        "model": request.model,
        "messages": history(request, quirks, provider, lost),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    body |= _limits(request, quirks, lost)
    body |= _tools(request, short, lost)
    body |= _reasoning(request.reasoning, request.model, quirks, lost)
    if request.format is not None:
        body["response_format"] = _format(request.format)
    if request.user:
        body["user"] = request.user if len(request.user) <= 64 else hashlib.sha256(request.user.encode()).hexdigest()
    return Written(body, {new: old for old, new in short.items()}, tuple(dict.fromkeys(lost)))


def _limits(request: ChatRequest, quirks: Quirks, lost: list[str]) -> dict[str, Any]:
    given: dict[str, Any] = {"temperature": request.temperature, "top_p": request.top_p}
    if request.max_tokens is not None:
        cap = quirks.max_output_tokens
        given[quirks.max_tokens_field] = min(request.max_tokens, cap) if cap else request.max_tokens
    if request.top_k is not None:
        lost.append("top_k")
    if request.stop:
        given["stop"] = list(request.stop[:MAX_STOPS])
        if len(request.stop) > MAX_STOPS:
            lost.append(f"stop_sequences[{MAX_STOPS}:]")
    return {name: value for name, value in given.items() if value is not None}


def _tools(request: ChatRequest, short: Mapping[str, str], lost: list[str]) -> Iterator[tuple[str, Any]]:
    if not request.tools:
        if request.tool_choice is not None and request.tool_choice.mode in ("any", "tool"):
            lost.append("tool_choice")
        return
    yield "tools", [_tool(tool, short) for tool in request.tools]
    if request.tool_choice is not None:
        yield "tool_choice", _choice(request.tool_choice, request.tools, short, lost)
    if request.parallel_tools is not None:
        yield "parallel_tool_calls", request.parallel_tools


def _tool(tool: Tool, short: Mapping[str, str]) -> dict[str, Any]:
    function: dict[str, Any] = {"name": short[tool.name], "parameters": dict(tool.schema)}
    if tool.description:
        function["description"] = tool.description
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _choice(choice: ToolChoice, tools: Sequence[Tool], short: Mapping[str, str], lost: list[str]) -> Any:
    if choice.mode == "any":
        return "required"
    if choice.mode != "tool":
        return choice.mode
    if choice.name not in {tool.name for tool in tools}:
        lost.append("tool_choice")
        return "auto"
    return {"type": "function", "function": {"name": short[choice.name]}}


def _reasoning(reasoning: Reasoning, model: str, quirks: Quirks, lost: list[str]) -> Iterator[tuple[str, Any]]:
    wanted = _effort(reasoning)
    if not wanted:
        return
    allowed = quirks.efforts if model.startswith(quirks.effort_models or "\0") else ()
    if not allowed:
        if wanted != "none":
            lost.append("thinking" if reasoning.mode == "budget" else "effort")
        return
    rank = _EFFORTS.index(wanted)
    fitting = [effort for effort in allowed if _EFFORTS.index(effort) <= rank]
    yield "reasoning_effort", fitting[-1] if fitting else allowed[0]


def _effort(reasoning: Reasoning) -> str:
    """ "" leaves it to the model."""
    if reasoning.mode == "off":
        return "none"
    if reasoning.effort in _EFFORTS:
        return reasoning.effort
    if reasoning.mode == "budget":
        return next((effort for bound, effort in _BUDGETS if reasoning.budget < bound), "max")
    return ""


def _format(form: JsonSchema) -> dict[str, Any]:
    strict = form.strict if form.strict is not None else strictable(form.schema)
    schema = {"name": form.name or "answer", "schema": dict(form.schema), "strict": strict}
    return {"type": "json_schema", "json_schema": schema}


def strictable(schema: Any) -> bool:
    """Whether every object in it closes its properties and requires all of them, as strict mode demands."""
    if isinstance(schema, list):
        return all(strictable(each) for each in schema)
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        named = list(properties) if isinstance(properties, dict) else []
        required = schema.get("required") or []
        if schema.get("additionalProperties") is not False or not isinstance(required, list):
            return False
        if len(required) != len(named) or any(name not in required for name in named):
            return False
    return all(strictable(value) for value in schema.values())
