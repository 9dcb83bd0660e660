"""A neutral request as Responses wants it, and what of it could not be said. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers import extra_body
from providers.chat import asides
from providers.chat.effort import effort_of, nearest, shown
from providers.chat.request import JSON_MODE, ChatRequest, JsonSchema, Tool, ToolChoice
from providers.chat.strict import strictable
from providers.chat.unseen import seen
from providers.dialects.openai_chat.naming import tool_name
from providers.dialects.openai_chat.parameters import user
from providers.dialects.openai_responses.history import history
from providers.dialects.openai_responses.read_request import ASIDES, SEALED, SUMMARY
from providers.learning import lessons
from providers.quirks import Quirks
from providers.spec import ProviderConfig

LEAST_OUTPUT = 16  # tokens; OpenAI refuses a smaller limit (read 2026-11)

# The models that reason, and the efforts that all of them take, where the row says nothing of single models
# (developers.openai.com/api/docs/guides/reasoning, read 2026-11).
_REASONING = ("o1", "o3", "o4", "gpt-5", "gpt-oss", "codex")
_EFFORTS = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Written:
    """``names`` gives back the tools' own names; ``lost`` says what did not fit."""

    body: dict[str, Any]
    names: Mapping[str, str]
    lost: tuple[str, ...]


def write(request: ChatRequest, config: ProviderConfig) -> Written:
    """The body, streamed and not stored: the whole conversation goes with every request."""
    quirks = config.quirks.of(request.model)
    lost = [*request.lost, *request.sampling]
    request = seen(request, quirks, config.images, lost)
    short = {tool.name: tool_name(tool.name) for tool in request.tools}
    body: dict[str, Any] = {"model": request.model}
    if instructions := "\n\n".join(part.text for part in request.system if part.text):
        body["instructions"] = instructions
    body |= {"input": history(request, config.id, lost), "stream": True, "store": False}
    body |= _limits(request, quirks, lost)
    body |= asides.told(request, ASIDES, lost)
    body |= _tools(request, short, lost)
    reasons = bool(quirks.efforts) or (not config.quirks.models and request.model.startswith(_REASONING))
    body |= _reasoning(request, reasons, quirks, lost)
    if text := dict(_text(request, lost)):
        body["text"] = text
    if request.user:
        body["user"] = user(request)
    lost += lessons.forgone(body, request.extra_body, quirks.learned)
    for extra in (config.extra_body, request.extra_body):
        body = extra_body.merged(body, extra)
        lost += extra_body.kept_out(extra)
    names = {new: old for old, new in short.items()}
    return Written(lessons.without(body, quirks.learned), names, tuple(dict.fromkeys(lost)))


def _text(request: ChatRequest, lost: list[str]) -> Iterator[tuple[str, Any]]:
    """The answer's form and length."""
    if request.format is not None:
        yield "format", _format(request.format)
    for name, value in asides.told(request, (JSON_MODE, "verbosity"), lost):
        yield "format" if name == JSON_MODE else name, value


def _limits(request: ChatRequest, quirks: Quirks, lost: list[str]) -> dict[str, Any]:
    given: dict[str, Any] = {"temperature": request.temperature, "top_p": request.top_p}
    if request.max_tokens is not None:
        limit = max(quirks.bounded(request.max_tokens), LEAST_OUTPUT)
        given["max_output_tokens"] = limit
        if limit != request.max_tokens:
            lost.append("max_tokens")
    if request.top_k is not None:
        lost.append("top_k")
    if request.stop:
        lost.append("stop_sequences")
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
    """``strict`` is always said: left out, Responses makes a schema strict by itself."""
    described = {"description": tool.description} if tool.description else {}
    named = {"type": "function", "name": short[tool.name], **described}
    return {**named, "parameters": dict(tool.schema), "strict": bool(tool.strict)}


def _choice(choice: ToolChoice, tools: Sequence[Tool], short: Mapping[str, str], lost: list[str]) -> Any:
    if choice.mode == "any":
        return "required"
    if choice.mode != "tool":
        return choice.mode
    if choice.name not in {tool.name for tool in tools}:
        lost.append("tool_choice")
        return "auto"
    return {"type": "function", "name": short[choice.name]}


def _reasoning(request: ChatRequest, reasons: bool, quirks: Quirks, lost: list[str]) -> Iterator[tuple[str, Any]]:
    """Only a model that reasons takes these fields; what it thinks is asked for sealed, to be sent back."""
    wanted = effort_of(request.reasoning)
    if not reasons:
        if wanted and wanted != "none":
            lost.append("thinking" if request.reasoning.mode == "budget" else "effort")
        return
    asked: dict[str, Any] = {}
    if wanted:
        asked["effort"] = nearest(wanted, quirks.efforts or _EFFORTS)
        if wanted == "none" and asked["effort"] != wanted:
            lost.append("thinking")
    if shown(request.reasoning):
        asked["summary"] = dict(asides.told(request, (SUMMARY,), lost)).get(SUMMARY, "auto")
    if asked:
        yield "reasoning", asked
    yield "include", [SEALED]


def _format(form: JsonSchema) -> dict[str, Any]:
    strict = form.strict if form.strict is not None else strictable(form.schema)
    described = {"description": form.description} if form.description else {}
    named = {"type": "json_schema", "name": form.name or "answer", **described}
    return {**named, "schema": dict(form.schema), "strict": strict}
