"""The provider that needs nothing: it lives in this process and speaks Anthropic Messages.

It says what it is and how to add a key, calls a declared tool when the prompt asks for one by name, thinks when
asked, and keeps to a JSON schema. ``answer`` and ``frames`` are pure; ``DemoTransport`` puts them behind the port
that every other provider stands behind, so that the whole gateway is at work when it answers.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from providers.call import UpstreamRequest
from providers.chat.request import OURS
from providers.chat.sse import frame
from providers.json_object import decode, encode
from providers.spec import ProviderConfig

INTRODUCTION = (
    "This is Keyturn's demo provider. No model is behind it: the gateway answers by itself, so that you can see "
    "the whole road from your client work before you own a key. To talk to a real model, put a key into .env, for "
    "example OPENROUTER_API_KEY=..., or name a local one, for example MODEL=ollama/qwen3-coder, and start Keyturn "
    "again. Until then I can call a tool that you ask for by name."
)

_QUOTED = re.compile(r"`([^`]+)`|\"([^\"]+)\"|'([^']+)'")
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_ASKING = r"(?:(?i:\b(?:use|using|call|run|invoke|try|with)\b)[^.\n]{0,40}?"
_DEEPEST = 8  # levels of a schema that are filled
_MOST = 1000  # characters of a string
_MOST_ITEMS = 16  # of a list; half as many one level down, so that nested ones stay small
_PIECES = re.compile(r"\S+\s*")


def answer(request: Mapping[str, Any], token: str) -> dict[str, Any]:
    """A whole Messages answer to a checked Messages request. ``token`` makes its ids unique."""
    prompt, result = _last_turn(request["messages"])
    content = _thinking(request, prompt) + _content(request, prompt, result, token)
    stop = "tool_use" if content[-1]["type"] == "tool_use" else "end_turn"
    limit = request.get("max_tokens")
    if isinstance(limit, int) and limit < 8:  # a probe
        content, stop = [{"type": "text", "text": "OK"}] if limit else [], "max_tokens"
    return {
        "id": f"msg_demo_{token}",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": _usage(len(encode(request["messages"])) // 4 + 1, len(encode(content)) // 4 + 1),
    }


def frames(message: Mapping[str, Any]) -> Iterator[bytes]:
    """The same answer as a stream, in the order of events that the API keeps."""
    usage = message["usage"]
    start = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield _event("message_start", message=start)
    for index, block in enumerate(message["content"]):
        empty, deltas = _in_pieces(block)
        yield _event("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=delta, usage=usage)
    yield _event("message_stop")


def _event(kind: str, **members: Any) -> bytes:
    return frame(kind.encode(), encode({"type": kind, **members}))


def _usage(sent: int, written: int) -> dict[str, int]:
    return {
        "input_tokens": sent,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": written,
    }


def _in_pieces(block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it starts, and the deltas that fill it."""
    match block["type"]:
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
            sealed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*deltas, sealed]
        case "tool_use":
            arguments = encode(block["input"]).decode()
            halves = (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :])
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": half} for half in halves]
    return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]


def _pieces(text: str) -> list[str]:
    words = _PIECES.findall(text)
    return ["".join(words[at : at + 4]) for at in range(0, len(words), 4)]


def _thinking(request: Mapping[str, Any], prompt: str) -> list[dict[str, Any]]:
    kind = (request.get("thinking") or {}).get("type")
    if kind != "enabled" and not (kind == "adaptive" and "think" in prompt.lower()):
        return []
    thought = "The demo provider has been asked to think. It has no model, so it thinks of a greeting."
    return [{"type": "thinking", "thinking": thought, "signature": f"{OURS}demo:thinking"}]


def _content(request: Mapping[str, Any], prompt: str, result: str | None, token: str) -> list[dict[str, Any]]:
    if result is not None:
        return [{"type": "text", "text": f"The tool answered: {result[:400]}"}]
    match request.get("output_config"):
        case {"format": {"schema": dict() as schema}}:
            return [{"type": "text", "text": encode(_fill(schema, "Keyturn demo")).decode()}]
    if tool := _asked_for(request.get("tools") or [], prompt):
        call = {
            "type": "tool_use",
            "id": f"toolu_demo_{token}",
            "name": tool["name"],
            "input": _fill(tool.get("input_schema") or {}, _quoted(prompt)),
        }
        return [{"type": "text", "text": f"I call {tool['name']}."}, call]
    return [{"type": "text", "text": INTRODUCTION}]


def _last_turn(messages: list[dict[str, Any]]) -> tuple[str, str | None]:
    """What the user wrote last, and a tool's result where that is what came last."""
    last = next((message for message in reversed(messages) if message["role"] == "user"), {"content": ""})
    content = last["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    results = [block for block in blocks if block["type"] == "tool_result"]
    text = "\n".join(block["text"] for block in blocks if block["type"] == "text")
    return _REMINDER.sub("", text).strip(), _plain(results[-1].get("content")) if results else None


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(str(block.get("text", f"[{block['type']}]")) for block in content or ())


def _asked_for(tools: list[dict[str, Any]], prompt: str) -> dict[str, Any] | None:
    """The declared tool that stands first in the prompt, by its name."""
    found = [(at, tool) for tool in tools if (at := _position(str(tool.get("name") or ""), prompt)) is not None]
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _position(name: str, prompt: str) -> int | None:
    """Where the prompt asks for the tool. A name that is a plain word, such as Read, needs a verb or "tool" by it."""
    if not name:
        return None
    word = rf"(?<!\w){re.escape(name)}(?!\w)"
    plain = name.isalpha() and name[1:].islower()
    asked = re.search(rf"{_ASKING}{word})|{word}\s+tool\b" if plain else word, prompt)
    return asked.start() if asked else None


def _quoted(prompt: str) -> str:
    quoted = _QUOTED.search(prompt)
    return next(part for part in quoted.groups() if part) if quoted else "demo"


def _fill(schema: Any, text: str, depth: int = 0) -> Any:
    """A small value that fits a JSON schema: the required properties only. Nothing in a schema makes it fail."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {}
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    for several in ("enum", "anyOf", "oneOf", "allOf"):
        choices = schema.get(several)
        if isinstance(choices, list) and choices:
            return choices[0] if several == "enum" else _fill(choices[0], text, depth + 1)
    kind = schema.get("type")
    return _fill_kind(kind[0] if isinstance(kind, list) and kind else kind, schema, text, depth)


def _fill_kind(kind: Any, schema: Mapping[str, Any], text: str, depth: int) -> Any:
    match kind:
        case "string":
            return text[: int(_bound(schema, "maxLength", _MOST))].ljust(int(_bound(schema, "minLength", 0)), ".")
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return False
        case "array":
            least = min(int(_bound(schema, "minItems", 0)), _MOST_ITEMS >> depth)
            return [_fill(schema.get("items", {}), text, depth + 1) for _ in range(least)]
        case "null":
            return None
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list):
        return {}
    return {name: _fill(properties.get(name), text, depth + 1) for name in required if isinstance(name, str)}


def _number(schema: Mapping[str, Any]) -> float:
    """1 where the bounds allow it, else the nearest whole number that they do."""
    low = max(_bound(schema, "minimum", 1), _bound(schema, "exclusiveMinimum", 0) + 1)
    return min(low, _bound(schema, "maximum", low), _bound(schema, "exclusiveMaximum", low + 1) - 1)


def _bound(schema: Mapping[str, Any], name: str, default: float) -> float:
    """A number of the schema; sizes are kept below what could fill the memory."""
    value = schema.get(name)
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else default
    return number if name.endswith("imum") else max(0, min(number, _MOST))


class DemoReply:
    """See ``providers.transport.UpstreamReply``."""

    __slots__ = ("_parts", "headers", "status")

    def __init__(self, parts: Iterator[bytes], content_type: str) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {"content-type": content_type}
        self._parts = parts

    async def read(self) -> bytes:
        return next(self._parts, b"")

    async def aclose(self) -> None:
        self._parts = iter(())


class DemoTransport:
    """See ``providers.transport.Transport``."""

    def __init__(self, _: ProviderConfig) -> None:
        """Takes what every transport takes, and needs none of it."""

    async def send(self, request: UpstreamRequest) -> DemoReply:
        if request.method == "GET":
            return DemoReply(iter((encode({"data": [{"id": "demo", "object": "model"}]}),)), "application/json")
        asked = decode(request.body)
        message = answer(asked, secrets.token_hex(12))
        if asked.get("stream"):
            return DemoReply(frames(message), "text/event-stream")
        return DemoReply(iter((encode(message),)), "application/json")

    async def aclose(self) -> None:
        return
