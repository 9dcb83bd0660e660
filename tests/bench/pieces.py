"""``python -m tests.bench.pieces``: CPU time of the parts that see every request or every chunk, in one process.

Microseconds of CPU, the least of several rounds, so that other work on the machine hardly counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway import local_answers
from providers.call import Call, Dialect, Operation, StreamReader
from providers.dialects import discover, of_clients
from providers.exchange import arrange
from providers.json_object import JsonObject
from providers.quirks import Quirks
from providers.spec import ProviderConfig, ProviderSpec
from tests.bench import bodies

ROUNDS = 5
MANY = 2000  # chunks of an answer, and requests
_WORD = "and so on "
_CODE = ["for `x` in ", "[1, 2]: ", "if a < b ", "~ c "]  # every piece has something of a mark's first character

Json = dict[str, Any]
_DIALECTS = discover()
_CLIENT = of_clients(_DIALECTS)["anthropic"]


def _call(tools: bool) -> Call:
    body = bodies.big_body("m", True)
    if not tools:
        del body["tools"]
    return Call("req_1", "anthropic", Operation.MESSAGES, JsonObject(json.dumps(body).encode()), "m", True)


def _event(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _messages(pieces: list[str]) -> tuple[bytes, list[bytes], bytes]:
    deltas = [
        _event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
        for piece in pieces
    ]
    return bodies.stream_start("m"), deltas, bodies.stream_end(len(pieces))


def _chat(pieces: list[str]) -> tuple[bytes, list[bytes], bytes]:
    def chunk(delta: Json, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return (
            b"data: "
            + json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}).encode()
            + b"\n\n"
        )

    deltas = [chunk({"content": piece}) for piece in pieces]
    return chunk({"role": "assistant", "content": ""}), deltas, chunk({}, "stop") + b"data: [DONE]\n\n"


_WRITERS: Mapping[str, Callable[[list[str]], tuple[bytes, list[bytes], bytes]]] = {
    "anthropic": _messages,
    "openai_chat": _chat,
}


def _reader(upstream: Dialect, call: Call, guardian: bool | None) -> StreamReader:
    spec = ProviderSpec("p", "P", ("P",), upstream.name, "http://127.0.0.1:9/v1", local=True)
    config = ProviderConfig(spec, spec.base_url, quirks=Quirks(), guardian=guardian)
    return arrange(_CLIENT, upstream, call, "m", True, config, "", "tok").reader


def _per_chunk(dialect: str, guardian: bool | None, pieces: list[str]) -> float:
    """In seconds."""
    start, deltas, end = _WRITERS[dialect](pieces)
    call = _call(tools=True)
    least = float("inf")
    for _ in range(ROUNDS):
        reader = _reader(_DIALECTS[dialect], call, guardian)
        reader.feed(start)
        began = time.process_time()
        for delta in deltas:
            reader.feed(delta)
        least = min(least, time.process_time() - began)
        reader.feed(end)
        assert reader.ended
    return least / len(deltas)


def _per_request(tools: bool, count: int) -> float:
    """In seconds."""
    call = _call(tools)
    least = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(count):
            assert local_answers.answer(call.body) is None
        least = min(least, time.process_time() - began)
    return least / count


def _in_pieces(text: str, size: int = 12) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def figures(many: int = MANY) -> Iterator[tuple[str, float]]:
    """(what, seconds)."""
    arguments = json.dumps({"field_0": _WORD * many})
    call = f'<tool_call>{{"name": "Tool1", "arguments": {arguments}}}</tool_call>'
    texts = {
        "prose": [_WORD] * many,
        "code, each piece with a mark's first character": _CODE * (many // 4),
        "a call in the text": _in_pieces(call),
    }
    lines = {"anthropic": "straight line", "openai_chat": "translated"}
    for dialect, line in lines.items():
        for what, pieces in texts.items():
            for guardian, state in ((False, "no guardian"), (None, "for proper calls"), (True, "for calls in text")):
                if dialect != "anthropic" or guardian is not None:
                    yield f"chunk, {line}, {state}: {what}", _per_chunk(dialect, guardian, pieces)
    yield "request of 100 KB with tools: is it a probe?", _per_request(True, many)
    yield "request of 60 KB without tools: is it a probe?", _per_request(False, many)


def main() -> int:
    for what, seconds in figures():
        print(f"{seconds * 1e6:8.2f} us  {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
