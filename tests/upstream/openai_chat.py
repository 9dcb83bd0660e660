"""The Chat Completions dialect: as OpenAI writes it, and as other servers do; chunks, whole completions, errors.

Shapes: the types of openai-python 3.51.0. Other servers' departures are those that litellm 1.109.1 handles.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from tests.upstream.reply import Head, Headers, Reply, Send, Step, json_reply
from tests.upstream.request import Request
from tests.upstream.server import ScriptedServer

EVENTS: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
DONE = b"data: [DONE]\n\n"
USAGE = {
    "prompt_tokens": 21,
    "completion_tokens": 8,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 3},
}

Json = dict[str, Any]


class ChatUpstream(ScriptedServer):
    """A scripted OpenAI API under ``base_url``, as strict as that one: see ``objection``."""

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def chats(self) -> list[Request]:
        """The POSTs to /v1/chat/completions so far."""
        return self.posts("/v1/chat/completions")

    def reply_to(self, request: Request) -> Reply:
        """As ever, but a request that OpenAI would refuse is refused, and leaving the context then raises."""
        reply = super().reply_to(request)
        words = objection(request.json) if request.method == "POST" else ""
        if not words:
            return reply
        self.failures.append(AssertionError(words))
        return error(400, words)


class Calls(StrEnum):
    """How a server streams its tool calls."""

    PIECES = "pieces"  # OpenAI: id and name first, then the arguments
    WHOLE = "whole"  # all in one delta
    NO_INDEX = "no index"
    SAME_INDEX = "same index"  # 0 for every call
    REPEATED = "repeated"  # id and name in every delta
    SNAPSHOTS = "snapshots"  # all arguments so far in every delta
    SPLIT = "split"  # id and name in two deltas
    OBJECT = "object"  # the arguments are no text
    NO_ID = "no id"
    LEGACY = "legacy"  # function_call, as before 2023-11


class Counts(StrEnum):
    """Where a server says its usage in a stream."""

    LAST = "last"  # OpenAI: in a chunk of its own, without choices, where stream_options asks for it
    WITH_REASON = "with reason"  # in the chunk with finish_reason
    EVERY = "every"  # in every chunk, growing
    X_GROQ = "x_groq"  # in ``x_groq`` of the chunk with finish_reason


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a model says: ``field`` and ``value`` in a whole message, and the deltas of its stream.

    ``deltas`` is told how many tool calls came before.
    """

    field: str
    value: Any
    deltas: Callable[[int], list[Json]]


def text(value: str, pieces: int = 2) -> Part:
    return _said("content", value, pieces)


def refusal(value: str, pieces: int = 2) -> Part:
    return _said("refusal", value, pieces)


def reasoning(value: str, field: str = "reasoning_content", pieces: int = 2) -> Part:
    """``field`` may be reasoning_content, reasoning or reasoning_details."""
    if field != "reasoning_details":
        return _said(field, value, pieces)
    details = [{"type": "reasoning.text", "text": piece, "index": 0} for piece in _pieces(value, pieces)]
    whole = [{"type": "reasoning.text", "text": value, "index": 0}]
    return Part(field, whole, lambda _: [{field: [detail]} for detail in details])


def call(
    name: str,
    arguments: Mapping[str, Any] | str,
    call_id: str | None = None,
    style: Calls = Calls.PIECES,
    pieces: int = 3,
) -> Part:
    """A tool call. ``arguments`` that are text are sent as they are, whole JSON or not."""
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    made = _Call(call_id or _unique("call"), name, written, tuple(_pieces(written, pieces)))
    if style is Calls.LEGACY:
        function = {"name": name, "arguments": written}
        return Part("function_call", function, lambda _: [{"function_call": each} for each in _legacy(made)])
    whole = {"id": made.id, "type": "function", "function": {"name": name, "arguments": written}}
    return Part("tool_calls", whole, lambda place: [{"tool_calls": [each]} for each in _deltas(made, style, place)])


def chunk(
    delta: Json | None,
    model: str = "scripted",
    finish_reason: str | None = None,
    *,
    chunk_id: str = "chatcmpl-scripted",
    **more: Any,
) -> bytes:
    """One event. ``delta`` None leaves the choice out; ``more`` are top-level members, such as ``usage``."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return event({**_shell("chat.completion.chunk", chunk_id, model, [] if delta is None else [choice]), **more})


def event(value: Any) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def frames(
    model: str,
    parts: Sequence[Part],
    finish_reason: str | None = None,
    usage: Mapping[str, Any] | None = USAGE,
    counts: Counts = Counts.LAST,
) -> list[bytes]:
    """Every event of a whole streamed completion; without ``usage`` none is reported."""
    chunk_id = _unique("chatcmpl")
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    for place, part in _placed(parts):
        deltas += part.deltas(place)
    reason = finish_reason if finish_reason is not None else _reason(parts)
    own, last, extra = _counted(usage, counts)
    said = [chunk(delta, model, chunk_id=chunk_id, **own) for delta in deltas]
    end = chunk({}, model, reason, chunk_id=chunk_id, **last)
    return [*said, end, *([chunk(None, model, chunk_id=chunk_id, **extra)] if extra else []), DONE]


def stream(*parts: bytes | Step, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """An event stream of these events and steps, each event in a chunk of its own."""
    head = Head(status, (*headers, ("x-request-id", _unique("req")), *EVENTS))
    return Reply((head, *(Send(part) if isinstance(part, bytes) else part for part in parts)))


def completion(
    *parts: Part,
    model: str | None = None,
    finish_reason: str | None = None,
    usage: Mapping[str, Any] | None = USAGE,
    counts: Counts = Counts.LAST,
    ignores_stream: bool = False,
    split: int | None = None,
) -> Callable[[Request], Reply]:
    """Answer with these parts, streamed or whole as the request asks, under the model that it names.

    ``ignores_stream`` answers whole whatever was asked; ``split`` is the size of the TCP writes.
    """

    def answer(request: Request) -> Reply:
        asked = request.json
        named = model or request.model
        if asked.get("stream") and not ignores_stream:
            told = (asked.get("stream_options") or {}).get("include_usage") or counts is not Counts.LAST
            reply = stream(*frames(named, parts, finish_reason, usage if told else None, counts))
        else:
            reply = json_reply(whole(named, parts, finish_reason, usage), headers=[("x-request-id", _unique("req"))])
        return replace(reply, write_size=split)

    return answer


def whole(
    model: str, parts: Sequence[Part], finish_reason: str | None = None, usage: Mapping[str, Any] | None = USAGE
) -> Json:
    """The body of a completion that is not streamed."""
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    for part in parts:
        value = [part.value] if part.field == "tool_calls" else part.value
        message[part.field] = message[part.field] + value if message.get(part.field) else value
    reason = finish_reason if finish_reason is not None else _reason(parts)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    body = _shell("chat.completion", _unique("chatcmpl"), model, [choice])
    return body if usage is None else {**body, "usage": dict(usage)}


class Shape(StrEnum):
    """The bodies in which servers refuse."""

    OPENAI = "openai"
    DETAIL = "detail"  # FastAPI: NVIDIA NIM, Mistral
    DETAILS = "details"  # FastAPI's own checks
    MESSAGE = "message"
    OBJECT = "object"  # Mistral, vLLM
    STRING = "string"  # Ollama, Hugging Face
    PROBLEM = "problem"  # RFC 9457: NVIDIA NIM
    ARRAY = "array"  # Gemini's compatible face
    HTML = "html"  # a load balancer
    TEXT = "text"


def error(
    status: int,
    message: str,
    shape: Shape = Shape.OPENAI,
    kind: str = "invalid_request_error",
    code: str | int | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> Reply:
    """A refusal that says ``message``; ``kind`` and ``code`` are those of OpenAI's shape."""
    if shape is Shape.HTML:
        page = f"<!DOCTYPE html>\n<html><head><title>{message}</title></head><body>nginx</body></html>\n"
        return _plain(status, page, "text/html", headers)
    if shape is Shape.TEXT:
        return _plain(status, message, "text/plain; charset=utf-8", headers)
    return json_reply(_error_body(shape, status, message, kind, code), status, headers)


def error_event(
    message: str, kind: str = "server_error", code: str | int | None = None, name: str = "", **more: Any
) -> bytes:
    """An error inside a 200. ``name`` is its ``event:`` line, where it has one; ``more`` are top-level members."""
    line = f"event: {name}\n".encode() if name else b""
    return line + event({"error": {"message": message, "type": kind, "param": None, "code": code}, **more})


_LIMITS = ("max_completion_tokens", "max_tokens", "stop", "temperature", "top_p")
_TOOLS = ("parallel_tool_calls", "tool_choice", "tools")
_OTHERS = ("messages", "model", "reasoning_effort", "response_format", "stream", "stream_options", "user")
_CACHE = ("prompt_cache_key", "prompt_cache_retention")
TAKEN = frozenset(
    (*_LIMITS, *_TOOLS, *_OTHERS, *_CACHE)
)  # of the SDK's parameters, those that say what a Messages client asks
# Not OpenAI's: how other servers are told to think or not to.
_SWITCHES = frozenset(
    (
        *("chat_template_kwargs", "clear_thinking", "enable_thinking", "thinking_budget"),
        *("reasoning", "reasoning_format", "thinking"),
    )
)
_MEMBERS: Mapping[str, frozenset[str]] = {
    "developer": frozenset({"role", "content"}),
    "system": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "tool_calls", "reasoning_content", "reasoning"}),  # the last: not OpenAI
    "tool": frozenset({"role", "content", "tool_call_id"}),
}
_PARTS: Mapping[str, frozenset[str]] = {"user": frozenset({"text", "image_url", "file"})}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def objection(body: Json) -> str:
    """What a strict server would refuse in this request; "" where it would take it.

    OpenAI's rules as its API reference and its refusals word them (read 2026-11).
    """
    return next(_objections(body), "")


def _objections(body: Json) -> Iterator[str]:
    yield from (f"Unrecognized request argument supplied: {name}" for name in body if name not in TAKEN | _SWITCHES)
    tools = body.get("tools", [])
    if not tools:
        yield from (f"'{name}' is only allowed when 'tools' are specified" for name in _TOOLS if name in body)
    for tool in tools:
        function = tool["function"]
        if not _NAME.fullmatch(function["name"]) or function["parameters"].get("type") != "object":
            yield f"Invalid 'tools': {function}"
    if "max_tokens" in body and "max_completion_tokens" in body:
        yield "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported"
    if len(body.get("stop", ())) > 4 or len(body.get("user", "")) > 64:
        yield "Invalid 'stop' or 'user': too long"
    yield from _in_history(body["messages"])


def _in_history(messages: list[Json]) -> Iterator[str]:
    owed: set[str] = set()
    for message in [*messages, {"role": "user", "content": ""}]:
        role = message["role"]
        if role == "tool" and message["tool_call_id"] not in owed:
            yield "messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
        if role != "tool" and owed:
            yield f"The following tool_call_ids did not have response messages: {owed}"
        owed = owed - {message["tool_call_id"]} if role == "tool" else set()
        for call in message.get("tool_calls", ()):
            owed.add(call["id"])
            if len(call["id"]) > 40 or not isinstance(call["function"]["arguments"], str):
                yield f"Invalid 'messages.tool_calls': {call}"
        if set(message) - _MEMBERS.get(role, frozenset()) or not _is_content(role, message.get("content")):
            yield f"Invalid message: {message}"


def _is_content(role: str, content: Any) -> bool:
    if isinstance(content, list):
        return bool(content) and {part["type"] for part in content} <= _PARTS.get(role, {"text"})
    return isinstance(content, str) or (role == "assistant" and content is None)


def _plain(status: int, body: str, content_type: str, headers: Iterable[tuple[str, str]]) -> Reply:
    data = body.encode()
    own = (("content-type", content_type), ("content-length", str(len(data))))
    return Reply((Head(status, (*headers, *own)), Send(data)))


def _error_body(shape: Shape, status: int, message: str, kind: str, code: str | int | None) -> Any:
    openai = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    bodies: dict[Shape, Any] = {
        Shape.OPENAI: openai,
        Shape.DETAIL: {"detail": message},
        Shape.DETAILS: {"detail": [{"loc": ["body", "tools", 0], "msg": message, "type": "value_error"}]},
        Shape.MESSAGE: {"message": message, "request_id": _unique("req")},
        Shape.OBJECT: {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": status},
        Shape.STRING: {"error": message},
        Shape.PROBLEM: {"type": "about:blank", "status": status, "title": "A problem", "detail": message},
        Shape.ARRAY: [{"error": {"code": status, "message": message, "status": "INVALID_ARGUMENT"}}],
    }
    return bodies[shape]


@dataclass(frozen=True, slots=True)
class _Call:
    id: str
    name: str
    arguments: str
    pieces: tuple[str, ...]

    def head(self, arguments: Any) -> Json:
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": arguments}}


def _deltas(made: _Call, style: Calls, place: int) -> list[Json]:
    index = {} if style is Calls.NO_INDEX else {"index": 0 if style is Calls.SAME_INDEX else place}
    return [{**index, **each} for each in _fragments(made, style)]


def _fragments(made: _Call, style: Calls) -> list[Json]:
    rest = [{"function": {"arguments": piece}} for piece in made.pieces]
    match style:
        case Calls.WHOLE:
            return [made.head(made.arguments)]
        case Calls.OBJECT:
            return [made.head(json.loads(made.arguments))]
        case Calls.REPEATED:
            return [made.head(piece) for piece in made.pieces]
        case Calls.SNAPSHOTS:
            return [made.head("".join(made.pieces[: count + 1])) for count in range(len(made.pieces))]
        case Calls.SPLIT:
            first = {"id": made.id[:3], "type": "function", "function": {"name": made.name[:2], "arguments": ""}}
            return [first, {"id": made.id[3:], "function": {"name": made.name[2:]}}, *rest]
        case Calls.NO_ID:
            return [{"type": "function", "function": {"name": made.name, "arguments": ""}}, *rest]
    return [made.head(""), *rest]


def _legacy(made: _Call) -> list[Json]:
    return [{"name": made.name, "arguments": ""}, *({"arguments": piece} for piece in made.pieces)]


def _said(field: str, value: str, pieces: int) -> Part:
    return Part(field, value, lambda _: [{field: piece} for piece in _pieces(value, pieces)])


def _placed(parts: Iterable[Part]) -> Iterable[tuple[int, Part]]:
    calls = 0
    for part in parts:
        yield calls, part
        calls += part.field == "tool_calls"


def _counted(usage: Mapping[str, Any] | None, counts: Counts) -> tuple[Json, Json, Json]:
    """Members of every chunk, of the chunk with finish_reason, and of a chunk of its own ({}: there is none)."""
    if usage is None:
        return {}, {}, {}
    counted = {"usage": dict(usage)}
    match counts:
        case Counts.LAST:
            return {"usage": None}, {"usage": None}, counted
        case Counts.WITH_REASON:
            return {}, counted, {}
        case Counts.EVERY:
            return {"usage": {**usage, "completion_tokens": 1}}, counted, {}
        case Counts.X_GROQ:
            return {}, {"x_groq": {"id": "req_scripted", **counted}}, {}


def _shell(kind: str, completion_id: str, model: str, choices: list[Json]) -> Json:
    own = {"created": 1763600000, "model": model, "system_fingerprint": "fp_scripted"}
    return {"id": completion_id, "object": kind, **own, "choices": choices}


def _reason(parts: Iterable[Part]) -> str:
    fields = {part.field for part in parts}
    return "tool_calls" if "tool_calls" in fields else "function_call" if "function_call" in fields else "stop"


def _unique(prefix: str) -> str:
    joint = "-" if prefix == "chatcmpl" else "_"
    return f"{prefix}{joint}{uuid.uuid4().hex}"[:40]


def _pieces(value: str, count: int) -> list[str]:
    size = max(-(-len(value) // count), 1)
    return [value[start : start + size] for start in range(0, len(value), size)]
