"""A neutral request as Messages wants it, and what of it could not be said. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from providers.chat.marks import plain_id
from providers.chat.request import (
    JSON_MODE,
    JSON_ONLY,
    OURS,
    Block,
    ChatRequest,
    Document,
    Image,
    JsonSchema,
    Message,
    Raw,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
)
from providers.dialects.anthropic.mending import mended
from providers.json_object import NotJson, decode
from providers.quirks import Quirks

DEFAULT_MAX_TOKENS = 8192  # Messages demands a limit; Chat Completions has none
_TOOL_ID = re.compile(r"[A-Za-z0-9_-]+")
MIN_BUDGET = 1024  # tokens (anthropic SDK 2.10.0, ThinkingConfigEnabledParam)
HOTTEST = 1.0  # temperature; Chat Completions goes up to 2 (anthropic SDK 0.121.0, message_create_params.py)
LEAST_TOP_P = 0.95  # while a model thinks (platform.claude.com, extended thinking, read 2026-11)

Json = dict[str, Any]


def write(request: ChatRequest, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
    """The body, streamed, and the names of what was lost."""
    lost = [*request.lost, *request.sampling]
    limit = request.max_tokens if request.max_tokens is not None else DEFAULT_MAX_TOKENS
    if quirks.bounded(limit) != limit and request.max_tokens is not None:
        lost.append("max_tokens")
    leading, messages = _parted(request.messages)
    body: Json = {
        "model": request.model,
        "messages": list(mended(_messages(messages, lost))),
        "max_tokens": quirks.bounded(limit),
        "stream": True,
    }
    words = (Text(JSON_ONLY),) if JSON_MODE in request.asides else ()
    if system := [part for each in (*request.system, *leading, *words) for part in _block(each, lost)]:
        body["system"] = system
    if request.tools:
        body["tools"] = [_tool(tool, lost) for tool in request.tools]
        body |= _choice(request, lost)
    elif request.tool_choice is not None and request.tool_choice.mode in ("any", "tool"):
        lost.append("tool_choice")
    if stops := [stop for stop in request.stop if stop.strip()]:
        body["stop_sequences"] = stops
    if len(stops) < len(request.stop):
        lost.append("stop_sequences")  # Messages refuses one of blanks only
    if request.user:
        body["metadata"] = {"user_id": request.user}
    forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
    body |= _reasoning(request.reasoning, body["max_tokens"], forced, lost)
    body |= _sampling(request, body.get("thinking", {}).get("type") in ("adaptive", "enabled"), lost)
    if request.format is not None:
        body["output_config"] = {**body.get("output_config", {}), "format": _format(request.format)}
    if request.caches:
        _mark(body)
    return body, tuple(dict.fromkeys(lost))


def _format(form: JsonSchema) -> Json:
    described = {"description": form.description} if form.description else {}
    return {"type": "json_schema", "schema": {**described, **form.schema}}


def _mark(body: Json) -> None:
    """Marks for the cache where a client's conversation ends and where its system's words do."""
    for holder in (body.get("system"), *(turn["content"] for turn in body["messages"][-1:])):
        markable = [block for block in holder or () if block["type"] not in ("thinking", "redacted_thinking")]
        if markable:
            markable[-1].setdefault("cache_control", {"type": "ephemeral"})


def _parted(messages: Sequence[Message]) -> tuple[list[Block], Sequence[Message]]:
    """What a system says first, and the rest. Where only systems speak, the last is heard as the user."""
    first = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
    if first == len(messages) > 0:
        return _parted((*messages[:-1], replace(messages[-1], role="user")))
    return [block for message in messages[:first] for block in message.content], messages[first:]


def _messages(messages: Iterable[Message], lost: list[str]) -> Iterator[Json]:
    """Neighbours of one role become one message: a call's results must all stand in the turn that follows it."""
    pending: Json | None = None
    for message in messages:
        content = [block for each in message.content for block in _block(each, lost)]
        if not content:
            continue
        if pending is not None and pending["role"] == message.role:
            pending["content"] += content
            continue
        if pending is not None:
            yield pending
        pending = {"role": message.role, "content": content}
    if pending is not None:
        yield pending


def _block(block: Block, lost: list[str]) -> Iterator[Json]:
    match block:
        case Text():
            if block.text:
                yield {"type": "text", "text": block.text}
        case Image():
            yield _image(block, lost)
        case Document():
            yield _document(block)
        case Thinking():
            yield from _thinking(block, lost)
        case ToolUse():
            yield {"type": "tool_use", "id": tool_id(block.id), "name": block.name, "input": arguments(block.arguments)}
        case ToolResult():
            content = [part for each in block.content for part in _block(each, lost)]
            result: Json = {"type": "tool_result", "tool_use_id": tool_id(block.tool_use_id), "content": content}
            yield {**result, "is_error": True} if block.is_error else result
        case Raw(dialect="anthropic"):
            yield dict(block.value)
        case Raw():
            lost.append(f"messages.{block.type}")


def _thinking(thought: Thinking, lost: list[str]) -> Iterator[Json]:
    """Messages refuses thoughts that it did not sign."""
    if thought.signature and not thought.signature.startswith(OURS):
        yield {"type": "thinking", "thinking": thought.text, "signature": thought.signature}
    else:
        lost.append("messages.thinking")


def tool_id(identity: str) -> str:
    """The id where Messages takes it, else one made of it; the same for a call and its result.

    Another upstream's signature in it is left out: it is thousands of characters, and nothing to this one.
    """
    identity = plain_id(identity)
    if _TOOL_ID.fullmatch(identity):
        return identity
    return f"toolu_{hashlib.sha256(identity.encode('utf-8', 'replace')).hexdigest()[:24]}"


def _image(image: Image, lost: list[str]) -> Json:
    if image.detail:
        lost.append("messages.image.detail")
    return {"type": "image", "source": _source(image.media_type, image.data, image.url)}


def _document(document: Document) -> Json:
    told = {"title": document.title, "context": document.context}
    title = {name: value for name, value in told.items() if value}
    if document.text:
        source: Json = {"type": "text", "media_type": "text/plain", "data": document.text}
    else:
        source = _source(document.media_type, document.data, document.url)
    return {"type": "document", "source": source, **title}


def _source(media_type: str, data: str, url: str) -> Json:
    return {"type": "url", "url": url} if url else {"type": "base64", "media_type": media_type, "data": data}


def arguments(text: str) -> Mapping[str, Any]:
    """A tool call's JSON text as the object that Messages demands; what is no object is kept under "unparsed"."""
    try:
        value = decode(text.encode()) if text.strip() else {}
    except NotJson:
        return {"unparsed": text}
    return value if isinstance(value, dict) else {"unparsed": text}


def _tool(tool: Tool, lost: list[str]) -> Json:
    """Not every Messages upstream knows strict tools, and a call is as good without."""
    if tool.strict:
        lost.append("tools.strict")
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "input_schema": dict(tool.schema)}


def _choice(request: ChatRequest, lost: list[str]) -> Json:
    choice, parallel = request.tool_choice, request.parallel_tools
    if choice is not None and choice.mode == "tool" and choice.name not in {tool.name for tool in request.tools}:
        lost.append("tool_choice")
        choice = None
    if choice is None and parallel is not False:
        return {}
    written: Json = {"type": choice.mode if choice else "auto"}
    if choice and choice.mode == "tool":
        written["name"] = choice.name
    if parallel is False and written["type"] != "none":
        written["disable_parallel_tool_use"] = True
    return {"tool_choice": written}


def _reasoning(reasoning: Reasoning, max_tokens: int, forced: bool, lost: list[str]) -> Json:
    """Messages refuses thinking where a tool is forced."""
    named = "low" if reasoning.effort == "minimal" else reasoning.effort
    effort = {"output_config": {"effort": named}} if named else {}
    if forced and reasoning.mode in ("adaptive", "budget"):
        lost.append("thinking")
        return dict(effort)
    display = {"display": "summarized"} if reasoning.shown else {}
    match reasoning.mode:
        case "off":
            return {"thinking": {"type": "disabled"}}
        case "adaptive":
            return {"thinking": {"type": "adaptive", **display}, **effort}
        case "budget" if max_tokens > MIN_BUDGET:
            budget = max(MIN_BUDGET, min(reasoning.budget, max_tokens - 1))
            return {"thinking": {"type": "enabled", "budget_tokens": budget, **display}, **effort}
        case "budget":
            lost.append("thinking")  # no room for the least that it may be
    return dict(effort)


def _sampling(request: ChatRequest, thinking: bool, lost: list[str]) -> Json:
    """Within the bounds of Messages, which are narrower still while a model thinks; what is beyond them is named."""
    given = {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}
    said = {name: value for name, value in given.items() if value is not None}
    if said.get("temperature", 0) > HOTTEST:
        lost.append("temperature")
        said["temperature"] = HOTTEST
    if not thinking:
        return said
    fitting = {"temperature": said.get("temperature") == HOTTEST, "top_p": said.get("top_p", 0) >= LEAST_TOP_P}
    lost += [name for name in said if not fitting.get(name)]
    return {name: value for name, value in said.items() if fitting.get(name)}
