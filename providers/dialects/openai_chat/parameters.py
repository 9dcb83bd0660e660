"""What stands beside the messages in a body, as one provider takes it: sampling, tools, the answer's form. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from providers.chat import schemas
from providers.chat.request import JSON_MODE, JSON_ONLY, ChatRequest, JsonSchema, Tool, ToolChoice
from providers.chat.strict import strictable
from providers.json_object import encode
from providers.quirks import Quirks

# What a member is called in the client's request, where that is not its name here.
_CLIENTS = {
    "stop": "stop_sequences",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "user": "metadata.user_id",
    "response_format": "output_config.format",
    "reasoning_effort": "effort",
}
# To leave these out is to say the same.
_NO_LOSS = {"temperature": 1, "top_p": 1, "tool_choice": "auto", "parallel_tool_calls": True}
_OURS = ("stream_options",)
ASIDES = (
    *("metadata", "moderation", "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
    *("service_tier", "store", "verbosity", "web_search_options"),
)

Json = dict[str, Any]


def fitted(members: Mapping[str, Any], quirks: Quirks, lost: list[str]) -> Json:
    """The members that this provider takes, by its names for them."""
    names = dict(quirks.renamed)
    kept: Json = {}
    for name, value in members.items():
        if not takes(name, quirks):
            leave_out(name, value, lost)
        else:
            kept[names.get(name, name)] = value
    return kept


def clients(names: Iterable[str]) -> list[str]:
    """Members by the names that a client has for them."""
    return [_CLIENTS.get(name, name) for name in names if name not in _OURS]


def leave_out(name: str, value: Any, lost: list[str]) -> None:
    """Name a member that is not sent, where that changes anything."""
    if name not in _OURS and (name not in _NO_LOSS or value != _NO_LOSS[name]):
        lost.append(_CLIENTS.get(name, name))


def takes(name: str, quirks: Quirks) -> bool:
    return name not in quirks.refused and (not quirks.accepted or name in quirks.accepted)


def most_tokens(request: ChatRequest, quirks: Quirks, lost: list[str]) -> int | None:
    if request.max_tokens is None:
        return None
    most = quirks.bounded(request.max_tokens)
    if most != request.max_tokens:
        lost.append("max_tokens")
    return most


def sampling(request: ChatRequest, quirks: Quirks, lost: list[str]) -> Iterator[tuple[str, Any]]:
    if request.temperature is not None:
        yield "temperature", _within(request.temperature, quirks.temperature, lost)
    if request.top_p is not None:
        yield "top_p", request.top_p
    for name, value in {"top_k": request.top_k, **request.sampling}.items():
        if value is None:
            continue
        if name in ("top_k", "min_p", "repetition_penalty") and name not in quirks.samplers:
            lost.append(name)
        else:
            yield name, value
    if request.stop:
        yield "stop", list(request.stop[: quirks.max_stops])
        if len(request.stop) > quirks.max_stops and takes("stop", quirks):
            lost.append(f"stop_sequences[{quirks.max_stops}:]")


def _within(value: float, bounds: tuple[float, float] | None, lost: list[str]) -> float:
    if bounds is None or bounds[0] <= value <= bounds[1]:
        return value
    lost.append("temperature")
    return bounds[0] if value < bounds[0] else bounds[1]


def tools(request: ChatRequest, short: Mapping[str, str], quirks: Quirks, lost: list[str]) -> Iterator[tuple[str, Any]]:
    if not request.tools:
        if request.tool_choice is not None and request.tool_choice.mode in ("any", "tool"):
            lost.append("tool_choice")
        return
    yield "tools", [_tool(tool, short, quirks, lost) for tool in request.tools]
    if request.tool_choice is not None:
        yield "tool_choice", _choice(request.tool_choice, request.tools, short, quirks, lost)
    if request.parallel_tools is not None:
        yield "parallel_tool_calls", request.parallel_tools


def _tool(tool: Tool, short: Mapping[str, str], quirks: Quirks, lost: list[str]) -> Json:
    schema, lossy = schemas.clean(tool.schema, quirks.schemas)
    if lossy:
        lost.append("tools.input_schema")
    function: Json = {"name": short[tool.name]}
    if not schemas.bare(schema, quirks.schemas):
        function["parameters"] = schema
    if tool.description:
        function["description"] = tool.description
    if tool.strict and quirks.strict_tools and not lossy:
        function["strict"] = True
    elif tool.strict:
        lost.append("tools.strict")
    return {"type": "function", "function": function}


def _choice(
    choice: ToolChoice, known: Sequence[Tool], short: Mapping[str, str], quirks: Quirks, lost: list[str]
) -> Any:
    if choice.mode in ("auto", "none"):
        return choice.mode
    if choice.mode == "tool" and quirks.named_choice and choice.name in {tool.name for tool in known}:
        return {"type": "function", "function": {"name": short[choice.name]}}
    if choice.mode == "tool" or not quirks.required_choice:
        lost.append("tool_choice")
        return "auto"
    return quirks.required_choice


def user(request: ChatRequest) -> str:
    """At most 64 characters; a longer name is hashed."""
    if len(request.user) <= 64:
        return request.user
    return hashlib.sha256(request.user.encode("utf-8", "replace")).hexdigest()


def answer_form(request: ChatRequest, quirks: Quirks) -> tuple[Json | None, str]:
    """The ``response_format``, and words for the prompt where that does not bind the answer to the form."""
    mode = quirks.json_mode if quirks.json_with_tools or not request.tools else ""
    if request.format is None:
        if JSON_MODE not in request.asides:
            return None, ""
        return ({"type": "json_object"}, "") if mode else (None, JSON_ONLY)
    if mode == "json_schema":
        return _bound(request.format), ""
    schema = encode(request.format.schema).decode()
    described = f" {request.format.description}" if request.format.description else ""
    words = f"{JSON_ONLY}{described} It must fit this JSON Schema: {schema}"
    return {"type": mode} if mode else None, words


def _bound(form: JsonSchema) -> Json:
    strict = form.strict if form.strict is not None else strictable(form.schema)
    described = {"description": form.description} if form.description else {}
    schema = {"name": form.name or "answer", **described, "schema": dict(form.schema), "strict": strict}
    return {"type": "json_schema", "json_schema": schema}
