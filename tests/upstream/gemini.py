"""The Gemini dialect as Google writes it: parts, chunks, whole answers, errors; and what Google would refuse.

Shapes: ai.google.dev/api/generate-content and the types of google-genai 3.3.0; lines end in CRLF (read 2026-11).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.upstream.openai_chat import EVENTS
from tests.upstream.reply import Head, Reply, Send, Step, json_reply
from tests.upstream.request import Request
from tests.upstream.server import ScriptedServer

USAGE = {
    "promptTokenCount": 21,
    "cachedContentTokenCount": 5,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 3,
    "totalTokenCount": 29,
}

Json = dict[str, Any]
Usage = Mapping[str, Any] | None


class GeminiUpstream(ScriptedServer):
    """A scripted Gemini API, as strict as that one: see ``objection``."""

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1beta"

    @property
    def chats(self) -> list[Request]:
        """The requests for a stream so far."""
        return [request for request in self.requests if request.path.endswith(":streamGenerateContent")]

    def reply_to(self, request: Request) -> Reply:
        """As ever, but a request that Google would refuse is refused, and leaving the context then raises."""
        reply = super().reply_to(request)
        words = objection(request.json) if request.method == "POST" else ""
        if not words:
            return reply
        self.failures.append(AssertionError(words))
        return error(400, words)


def text(value: str, signature: str = "", pieces: int = 2) -> list[Json]:
    """The parts of a text as they are streamed; the last is signed."""
    return _signed([{"text": piece} for piece in _pieces(value, pieces)], signature)


def thought(value: str, signature: str = "", pieces: int = 2) -> list[Json]:
    return _signed([{"text": piece, "thought": True} for piece in _pieces(value, pieces)], signature)


def call(name: str, arguments: Mapping[str, Any], call_id: str = "", signature: str = "") -> list[Json]:
    """A call, which is always one part; without ``call_id`` as before Gemini 3."""
    made = {"name": name, "args": arguments, **({"id": call_id} if call_id else {})}
    return _signed([{"functionCall": made}], signature)


def chunk(*parts: Json, model: str = "scripted", reason: str = "", usage: Usage = None, **more: Any) -> bytes:
    """One event; ``more`` are top-level members."""
    return event(body(parts, model, reason, usage, **more))


def body(parts: Sequence[Json], model: str = "scripted", reason: str = "", usage: Usage = None, **more: Any) -> Json:
    """A chunk, or a whole answer."""
    candidate: Json = {"content": {"parts": list(parts), "role": "model"}} if parts else {}
    if reason:
        candidate["finishReason"] = reason
    counted = {"usageMetadata": dict(usage)} if usage is not None else {}
    shell = {"modelVersion": model, "responseId": "scripted"}
    return {"candidates": [{**candidate, "index": 0}], **counted, **shell, **more}


def event(value: Any) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\r\n\r\n".encode()


def frames(model: str, parts: Iterable[list[Json]], reason: str = "STOP", usage: Usage = USAGE) -> list[bytes]:
    """Every event of a streamed answer, one part in each; the last has the reason and all counts."""
    said = [part for made in parts for part in made] or [{"text": ""}]
    begun = {"promptTokenCount": usage["promptTokenCount"]} if usage else None
    return [
        *(chunk(part, model=model, usage=begun) for part in said[:-1]),
        chunk(said[-1], model=model, reason=reason, usage=usage),
    ]


def answer(
    *parts: list[Json], model: str | None = None, reason: str = "STOP", ignores_stream: bool = False
) -> Callable[[Request], Reply]:
    """Answer with these parts, streamed where the path asks for it."""

    def reply(request: Request) -> Reply:
        named = model or request.model
        if ":streamGenerateContent" in request.path and not ignores_stream:
            return stream(*frames(named, parts, reason))
        return json_reply(body([part for made in parts for part in made], named, reason, USAGE))

    return reply


def stream(*parts: bytes | Step) -> Reply:
    """An event stream of these events and steps, each event in a chunk of its own."""
    return Reply((Head(200, EVENTS), *(Send(part) if isinstance(part, bytes) else part for part in parts)))


# google.rpc.Code by HTTP status (cloud.google.com/apis/design/errors).
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_body(status: int, message: str) -> Json:
    return {"error": {"code": status, "message": message, "status": _STATUSES.get(status, "UNKNOWN")}}


def error(status: int, message: str, headers: Iterable[tuple[str, str]] = (), listed: bool = False) -> Reply:
    """A refusal; ``listed`` as a stream without ``alt=sse`` has it."""
    made = error_body(status, message)
    return json_reply([made] if listed else made, status, headers)


_MEMBERS = frozenset({"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings"})
_CONFIG = frozenset(
    (
        *("temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "seed", "thinkingConfig"),
        *("responseMimeType", "responseJsonSchema"),
    )
)
_PARTS = frozenset(
    ("text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall", "functionResponse")
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def objection(asked: Json) -> str:
    """What Google would refuse in this request; "" where it would take it.

    Its rules as its API reference and its refusals word them (read 2026-11).
    """
    return next(_objections(asked), "")


def _objections(asked: Json) -> Iterator[str]:
    yield from (f'Invalid JSON payload received. Unknown name "{name}"' for name in asked.keys() - _MEMBERS)
    config = asked.get("generationConfig", {})
    unknown = config.keys() - _CONFIG
    yield from (f"Invalid JSON payload received. Unknown name \"{name}\" at 'generation_config'" for name in unknown)
    if {"thinkingBudget", "thinkingLevel"} <= config.get("thinkingConfig", {}).keys():
        yield "You can only set only one of thinking budget and thinking level."
    for tool in asked.get("tools", ()):
        yield from (f"Invalid function name: {each}" for each in _named(tool) if not _NAME.fullmatch(each))
    yield from _in_contents(asked["contents"])


def _named(tool: Json) -> list[str]:
    return [declared["name"] for declared in tool["functionDeclarations"]]


def _in_contents(contents: list[Json]) -> Iterator[str]:
    owed: list[str] = []
    before = ""
    for content in contents:
        parts = content["parts"]
        if not parts or any(part.keys() - _PARTS for part in parts):
            yield f"contents.parts must not be empty, nor hold this: {parts}"
        results = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
        calls = [part["functionCall"]["name"] for part in parts if "functionCall" in part]
        if results != owed or (results and len(results) != len(parts)):
            yield "Please ensure that the number of function response parts is equal to that of function call parts"
        if calls and (not before or content["role"] != "model"):
            yield "Please ensure that function call turn comes immediately after a user turn"
        owed, before = calls, content["role"]
    if owed or before != "user":
        yield "Requests ending with a model turn are not supported."


def _signed(parts: list[Json], signature: str) -> list[Json]:
    return [*parts[:-1], {**parts[-1], "thoughtSignature": signature}] if signature else parts


def _pieces(value: str, count: int) -> list[str]:
    size = max(-(-len(value) // count), 1)
    return [value[start : start + size] for start in range(0, len(value), size)] or [""]
