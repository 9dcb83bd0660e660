"""The Messages dialect as Anthropic writes it: blocks, stream frames, whole messages, errors.

Shapes: https://docs.anthropic.com/en/api/messages-streaming (event order, usage in message_start and message_delta).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.upstream.reply import Head, Headers, Reply, Send, Step, json_reply
from tests.upstream.request import Request
from tests.upstream.server import ScriptedServer

SSE: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
START_USAGE = {"input_tokens": 11, "output_tokens": 1}
END_USAGE = {"output_tokens": 7}

Json = dict[str, Any]


class Upstream(ScriptedServer):
    """A scripted Anthropic API: count_tokens is answered with 321 unless the test says otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.on("/v1/messages/count_tokens", count_tokens(321))


@dataclass(frozen=True, slots=True)
class Block:
    """One content block: whole, as its start event shows it, and the deltas between."""

    whole: Json
    start: Json
    deltas: tuple[Json, ...]


def text(value: str, pieces: int = 2) -> Block:
    deltas = tuple({"type": "text_delta", "text": piece} for piece in _pieces(value, pieces))
    return Block({"type": "text", "text": value}, {"type": "text", "text": ""}, deltas)


def tool_use(name: str, arguments: Mapping[str, Any], tool_id: str | None = None, pieces: int = 3) -> Block:
    """A tool call; its arguments are streamed as an empty fragment and ``pieces`` more."""
    start = {"type": "tool_use", "id": tool_id or _unique("toolu"), "name": name, "input": {}}
    fragments = ["", *_pieces(json.dumps(arguments), pieces)]
    deltas = tuple({"type": "input_json_delta", "partial_json": fragment} for fragment in fragments)
    return Block({**start, "input": dict(arguments)}, start, deltas)


def thinking(value: str, signature: str, pieces: int = 2) -> Block:
    deltas = tuple({"type": "thinking_delta", "thinking": piece} for piece in _pieces(value, pieces))
    signed = {"type": "signature_delta", "signature": signature}
    whole = {"type": "thinking", "thinking": value, "signature": signature}
    return Block(whole, {"type": "thinking", "thinking": "", "signature": ""}, (*deltas, signed))


def redacted_thinking(data: str) -> Block:
    whole = {"type": "redacted_thinking", "data": data}
    return Block(whole, whole, ())


def image(data: str, media_type: str = "image/png") -> Json:
    """The image block that a client sends."""
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def sse(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def message_start(model: str, usage: Mapping[str, Any] | None = None, message_id: str | None = None) -> bytes:
    shell = _shell(model, [], None, START_USAGE if usage is None else usage)
    return sse({"type": "message_start", "message": {**shell, "id": message_id or shell["id"]}})


def ping() -> bytes:
    return sse({"type": "ping"})


def block_start(index: int, opened: Block) -> bytes:
    return sse({"type": "content_block_start", "index": index, "content_block": opened.start})


def block_delta(index: int, delta: Json) -> bytes:
    return sse({"type": "content_block_delta", "index": index, "delta": delta})


def block_stop(index: int) -> bytes:
    return sse({"type": "content_block_stop", "index": index})


def block(index: int, whole: Block) -> list[bytes]:
    """All frames of one block."""
    deltas = [block_delta(index, delta) for delta in whole.deltas]
    return [block_start(index, whole), *deltas, block_stop(index)]


def message_delta(stop_reason: str | None = "end_turn", usage: Mapping[str, Any] | None = None) -> bytes:
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return sse({"type": "message_delta", "delta": delta, "usage": dict(END_USAGE if usage is None else usage)})


def message_stop() -> bytes:
    return sse({"type": "message_stop"})


def error_event(kind: str, message: str) -> bytes:
    return sse({"type": "error", "error": {"type": kind, "message": message}})


def frames(
    model: str,
    blocks: Sequence[Block],
    stop_reason: str | None = None,
    usage: Mapping[str, Any] | None = None,
    late_usage: Mapping[str, Any] | None = None,
) -> list[bytes]:
    """Every frame of a whole streamed message, a ping included."""
    content = [frame for index, whole in enumerate(blocks) for frame in block(index, whole)]
    end = message_delta(stop_reason or _stop_reason(blocks), late_usage)
    return [message_start(model, usage), ping(), *content, end, message_stop()]


def stream(*parts: bytes | Step, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """An event stream of these frames and steps, each frame in a chunk of its own."""
    head = Head(status, (*headers, ("request-id", _unique("req")), *SSE))
    return Reply((head, *(Send(part) if isinstance(part, bytes) else part for part in parts)))


def message(
    *blocks: Block,
    model: str | None = None,
    stop_reason: str | None = None,
    usage: Mapping[str, Any] | None = None,
    late_usage: Mapping[str, Any] | None = None,
    split: int | None = None,
) -> Callable[[Request], Reply]:
    """Answer with these blocks, streamed or whole as the request asks, under the model that it names.

    ``usage`` is what message_start reports, ``late_usage`` what message_delta reports (a whole message has both, the
    late one winning); ``split`` is the size of the TCP writes.
    """

    def answer(request: Request) -> Reply:
        named = model or request.model
        if request.json.get("stream"):
            reply = stream(*frames(named, blocks, stop_reason, usage, late_usage))
        else:
            reply = _whole(named, blocks, stop_reason, {**(usage or START_USAGE), **(late_usage or END_USAGE)})
        return replace(reply, write_size=split)

    return answer


def error(status: int, kind: str, message: str, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    request_id = _unique("req")
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}
    return json_reply(body, status, (*headers, ("request-id", request_id)))


def count_tokens(count: int) -> Reply:
    return json_reply({"input_tokens": count})


def _whole(model: str, blocks: Sequence[Block], stop_reason: str | None, usage: Mapping[str, Any]) -> Reply:
    content = [whole.whole for whole in blocks]
    body = _shell(model, content, stop_reason or _stop_reason(blocks), usage)
    return json_reply(body, headers=[("request-id", _unique("req"))])


def _shell(model: str, content: list[Json], stop_reason: str | None, usage: Mapping[str, Any]) -> Json:
    return {
        "id": _unique("msg"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": dict(usage),
    }


def _stop_reason(blocks: Sequence[Block]) -> str:
    return "tool_use" if any(whole.whole["type"] == "tool_use" for whole in blocks) else "end_turn"


def _unique(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"


def _pieces(value: str, count: int) -> list[str]:
    size = max(-(-len(value) // count), 1)
    return [value[start : start + size] for start in range(0, len(value), size)]
