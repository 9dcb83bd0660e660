"""Neutral events as Chat Completions chunks, and a whole answer as one completion. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from providers.chat.fold import WholeMessage
from providers.dialects.openai_chat import usage as usages
from providers.dialects.openai_chat.errors import error_chunk
from providers.errors import Fault
from providers.json_object import encode

_REASONS: Mapping[Stop, str] = {
    Stop.END_TURN: "stop",
    Stop.STOP_SEQUENCE: "stop",
    Stop.PAUSE_TURN: "stop",
    Stop.MAX_TOKENS: "length",
    Stop.CONTEXT_EXCEEDED: "length",
    Stop.TOOL_USE: "tool_calls",
    Stop.REFUSAL: "content_filter",
}


_DELTA = b',"choices":[{"index":0,"delta":{'
_REST = b'},"finish_reason":null,"logprobs":null}]}\n\n'


class ChunkWriter:
    """``model`` is the name that the client asked for, ``created`` a Unix time."""

    def __init__(self, model: str, created: int, with_usage: bool) -> None:
        self._model = model
        self._created = created
        self._with_usage = with_usage
        self._id = ""
        self._lead = b""  # of every chunk with a piece of the answer
        self._call = -1
        self._in_call = False
        self._argued = False  # the call has arguments

    def write(self, event: Event) -> bytes:
        """The event's bytes; ``event`` has passed the grammar."""
        match event:
            case TextDelta():
                return self._piece(b'"content":', event.text)
            case ThinkingDelta():
                return self._piece(b'"reasoning_content":', event.text)
            case ArgumentsDelta() if self._in_call:
                self._argued = True
                return self._piece(
                    b'"tool_calls":[{"index":%d,"function":{"arguments":' % self._call, event.json, b"}}]"
                )
            case BlockStarted():
                return self._begin(event)
            case BlockStopped() if self._in_call and not self._argued:
                return self._chunk({"tool_calls": [{"index": self._call, "function": {"arguments": "{}"}}]})
            case Started():
                self._id = f"chatcmpl-{event.id}"
                self._lead = b"data: " + encode(self._head("chat.completion.chunk"))[:-1] + _DELTA
                return self._chunk({"role": "assistant", "content": ""})
            case Finished():
                return self._chunk({}, _REASONS[event.stop]) + self._usage(event)
            case Ended():
                return b"data: [DONE]\n\n"
        return b""

    def _piece(self, field: bytes, text: str, end: bytes = b"") -> bytes:
        """By hand, since this is done for every piece of every answer."""
        return self._lead + field + encode(text) + end + _REST

    def _begin(self, event: BlockStarted) -> bytes:
        """Blocks that only Messages knows have no place in a completion."""
        self._in_call = event.kind is BlockKind.TOOL_USE
        self._argued = False
        if not self._in_call:
            return b""
        self._call += 1
        function = {"name": event.name, "arguments": ""}
        call = {"index": self._call, "id": event.id, "type": "function", "function": function}
        return self._chunk({"tool_calls": [call]})

    def whole(self, message: WholeMessage) -> bytes:
        """The body of an answer that is not streamed."""
        text = _joined(message, BlockKind.TEXT) or None
        answer: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if thought := _joined(message, BlockKind.THINKING):
            answer["reasoning_content"] = thought
        calls = [
            {
                "id": block.id,
                "type": "function",
                "function": {"name": block.name, "arguments": block.text.strip() or "{}"},
            }
            for block in message.blocks
            if block.kind is BlockKind.TOOL_USE
        ]
        if calls:
            answer["tool_calls"] = calls
        self._id = f"chatcmpl-{message.id}"
        choice = {"index": 0, "message": answer, "finish_reason": _REASONS[message.stop], "logprobs": None}
        return encode({**self._head("chat.completion"), "choices": [choice], "usage": usages.write(message.usage)})

    def failed(self, fault: Fault) -> bytes:
        """The event that ends a stream which cannot go on."""
        return error_chunk(fault)

    def _usage(self, event: Finished) -> bytes:
        if not self._with_usage:
            return b""
        chunk = {**self._head("chat.completion.chunk"), "choices": [], "usage": usages.write(event.usage)}
        return b"data: " + encode(chunk) + b"\n\n"

    def _chunk(self, delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return b"data: " + encode({**self._head("chat.completion.chunk"), "choices": [choice]}) + b"\n\n"

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model}


def _joined(message: WholeMessage, kind: BlockKind) -> str:
    return "".join(block.text for block in message.blocks if block.kind is kind)
