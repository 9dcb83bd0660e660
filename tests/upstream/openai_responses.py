"""The Responses dialect as OpenAI writes it: items, the events of a stream, whole responses, failures.

Shapes: the types of openai-python 3.51.0 and developers.openai.com, streaming events (read 2026-11).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.upstream.openai_chat import EVENTS
from tests.upstream.reply import Head, Reply, Send, Step, json_reply
from tests.upstream.request import Request

USAGE = {
    "input_tokens": 21,
    "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0},
    "output_tokens": 8,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 29,
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """An output item: whole, as it is added, and the events between."""

    whole: Json
    added: Json
    events: tuple[Json, ...]


def text(value: str, pieces: int = 2) -> Item:
    part = {"type": "output_text", "text": value, "annotations": [], "logprobs": []}
    shell = {"id": "msg_scripted", "type": "message", "role": "assistant"}
    deltas = [_event("output_text.delta", content_index=0, delta=each, logprobs=[]) for each in _pieces(value, pieces)]
    events = (
        _event("content_part.added", content_index=0, part={**part, "text": ""}),
        *deltas,
        _event("output_text.done", content_index=0, text=value, logprobs=[]),
        _event("content_part.done", content_index=0, part=part),
    )
    done = {**shell, "status": "completed", "content": [part]}
    return Item(done, {**shell, "status": "in_progress", "content": []}, events)


def refusal(value: str, pieces: int = 2) -> Item:
    part = {"type": "refusal", "refusal": value}
    shell = {"id": "msg_scripted", "type": "message", "role": "assistant"}
    deltas = [_event("refusal.delta", content_index=0, delta=each) for each in _pieces(value, pieces)]
    events = (
        _event("content_part.added", content_index=0, part={**part, "refusal": ""}),
        *deltas,
        _event("refusal.done", content_index=0, refusal=value),
        _event("content_part.done", content_index=0, part=part),
    )
    done = {**shell, "status": "completed", "content": [part]}
    return Item(done, {**shell, "status": "in_progress", "content": []}, events)


def reasoning(value: str, sealed: str = "gAAAAsealed", pieces: int = 2) -> Item:
    part = {"type": "summary_text", "text": value}
    shell: Json = {"id": "rs_scripted", "type": "reasoning"}
    deltas = [_event("reasoning_summary_text.delta", summary_index=0, delta=each) for each in _pieces(value, pieces)]
    events = (
        _event("reasoning_summary_part.added", summary_index=0, part={**part, "text": ""}),
        *deltas,
        _event("reasoning_summary_text.done", summary_index=0, text=value),
        _event("reasoning_summary_part.done", summary_index=0, part=part),
    )
    done = {**shell, "summary": [part], "encrypted_content": sealed}
    return Item(done, {**shell, "summary": [], "encrypted_content": sealed[:4]}, events)


def call(name: str, arguments: Mapping[str, Any] | str, call_id: str, pieces: int = 3) -> Item:
    """A function call. ``arguments`` that are text are sent as they are, whole JSON or not."""
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    shell = {"id": f"fc_{call_id}", "type": "function_call", "call_id": call_id, "name": name}
    deltas = [_event("function_call_arguments.delta", delta=each) for each in _pieces(written, pieces)]
    done = {**shell, "status": "completed", "arguments": written}
    added = {**shell, "status": "in_progress", "arguments": ""}
    return Item(done, added, (*deltas, _event("function_call_arguments.done", name=name, arguments=written)))


def frames(model: str, items: Iterable[Item], status: str = "completed", **more: Any) -> list[bytes]:
    """Every event of a streamed response; ``more`` are members of its end."""
    made = enumerate(_events(model, list(items), status, more))
    return [event({**each, "sequence_number": number}) for number, each in made]


def event(value: Json) -> bytes:
    return f"event: {value['type']}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def response(
    *items: Item, model: str | None = None, ignores_stream: bool = False, **more: Any
) -> Callable[[Request], Reply]:
    """Answer with these items, streamed or whole as the request asks."""

    def answer(request: Request) -> Reply:
        named = model or request.model
        if request.json.get("stream") and not ignores_stream:
            return stream(*frames(named, items, **more))
        return json_reply(shell(named, "completed", output=[item.whole for item in items], usage=USAGE, **more))

    return answer


def stream(*parts: bytes | Step) -> Reply:
    """An event stream of these events and steps, each event in a chunk of its own."""
    return Reply((Head(200, EVENTS), *(Send(part) if isinstance(part, bytes) else part for part in parts)))


def failed(code: str, message: str) -> bytes:
    """The event of a response that failed inside a 200."""
    body = shell("m", "failed", error={"code": code, "message": message})
    return event({"type": "response.failed", "sequence_number": 2, "response": body})


def shell(model: str, status: str, **more: Any) -> Json:
    own = {"id": "resp_scripted", "object": "response", "created_at": 1763600000, "status": status, "model": model}
    return {**own, "error": None, "incomplete_details": None, "output": [], "usage": None, **more}


def _events(model: str, items: list[Item], status: str, more: Mapping[str, Any]) -> Iterator[Json]:
    for kind in ("created", "in_progress"):
        yield {"type": f"response.{kind}", "response": shell(model, "in_progress")}
    for index, item in enumerate(items):
        yield {"type": "response.output_item.added", "output_index": index, "item": item.added}
        for each in item.events:
            yield {**each, "item_id": item.whole["id"], "output_index": index}
        yield {"type": "response.output_item.done", "output_index": index, "item": item.whole}
    end = shell(model, status, **{"output": [item.whole for item in items], "usage": USAGE, **more})
    yield {"type": f"response.{status}", "response": end}


def _event(kind: str, **members: Any) -> Json:
    return {"type": f"response.{kind}", **members}


def _pieces(value: str, count: int) -> list[str]:
    size = max(-(-len(value) // count), 1)
    return [value[start : start + size] for start in range(0, len(value), size)]
