"""Neutral events as Chat Completions chunks, and a whole answer as one completion. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.chat import citations
from providers.chat.citations import Address
from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    RawDelta,
    SignatureDelta,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from providers.chat.fold import AnswerBlock, WholeMessage
from providers.chat.marks import is_bare
from providers.chat.reader import note
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
        self.lost: list[str] = []
        self._model = model
        self._created = created
        self._with_usage = with_usage
        self._id = ""
        self._lead = b""  # of every chunk with a piece of the answer
        self._call = -1
        self._in_call = False
        self._argued = False  # the call has arguments
        self._text = b'"content":'  # where the open block's text goes
        self._refused = False
        self._length = 0  # of the text so far, and where the open block of it begins
        self._begins = 0
        self._cited: list[Address] = []  # by the open block
        self._annotations: list[dict[str, Any]] = []

    def write(self, event: Event) -> bytes:
        """The event's bytes; ``event`` has passed the grammar."""
        match event:
            case TextDelta():
                self._length += len(event.text)
                return self._piece(self._text, event.text)
            case ThinkingDelta():
                return self._piece(b'"reasoning_content":', event.text)
            case ArgumentsDelta() if self._in_call:
                self._argued = True
                return self._piece(
                    b'"tool_calls":[{"index":%d,"function":{"arguments":' % self._call, event.json, b"}}]"
                )
            case BlockStarted():
                return self._begin(event)
            case BlockStopped():
                return self._stop()
            case RawDelta() | SignatureDelta():
                self._hear(event)
            case Started():
                self._id = f"chatcmpl-{event.id}"
                self._lead = b"data: " + encode(self._head("chat.completion.chunk"))[:-1] + _DELTA
                return self._chunk({"role": "assistant", "content": ""})
            case Finished():
                return self._finish(event)
            case Ended():
                return b"data: [DONE]\n\n"
        return b""

    def _piece(self, field: bytes, text: str, end: bytes = b"") -> bytes:
        """By hand, since this is done for every piece of every answer."""
        return self._lead + field + encode(text) + end + _REST

    def _begin(self, event: BlockStarted) -> bytes:
        """Blocks that only Messages knows have no place in a completion."""
        kind = event.kind
        self._in_call = kind is BlockKind.TOOL_USE
        self._argued = False
        self._begins = self._length
        self._refused = self._refused or kind is BlockKind.REFUSAL
        self._text = b'"refusal":' if kind is BlockKind.REFUSAL else b'"content":'
        if kind is BlockKind.RAW:
            note(self.lost, str(event.raw.get("type")))
        if not self._in_call:
            return b""
        self._call += 1
        function = {"name": event.name, "arguments": ""}
        call = {"index": self._call, "id": event.id, "type": "function", "function": function}
        return self._chunk({"tool_calls": [call]})

    def _stop(self) -> bytes:
        """The open block is whole: a call has its arguments, and of a text it is known how long it is."""
        self._annotations += [cited.within(self._begins, self._length).annotation for cited in self._cited]
        self._cited.clear()
        if self._in_call and not self._argued:
            return self._chunk({"tool_calls": [{"index": self._call, "function": {"arguments": "{}"}}]})
        return b""

    def _hear(self, event: RawDelta | SignatureDelta) -> None:
        if isinstance(event, RawDelta):
            self._cite(event.value)
        else:
            self._sign(event.signature)

    def _cite(self, delta: Mapping[str, Any]) -> None:
        if (address := citations.address_of(delta)) is not None:
            self._cited.append(address)
        else:
            note(self.lost, "citations" if "citation" in delta else str(delta.get("type")))

    def _sign(self, signature: str) -> None:
        """What an upstream signed or sealed has no place here; a mark of ours that only names a field says nothing."""
        if not is_bare(signature):
            note(self.lost, "signature")

    def _finish(self, event: Finished) -> bytes:
        """Annotations stand together, for OpenAI's SDK puts no two lists of them together."""
        told = b""
        if self._annotations:
            told = self._chunk({"annotations": _cited(self._annotations)})
        if why := _explained(event.details):
            told += self._piece(b'"refusal":', why)
        return told + self._chunk({}, self._reason(event.stop), **_matched(event.stop_sequence)) + self._usage(event)

    def _reason(self, stop: Stop) -> str:
        """OpenAI's models end as ever where they refuse in words of their own."""
        return "stop" if self._refused and stop is Stop.REFUSAL else _REASONS[stop]

    def whole(self, message: WholeMessage) -> bytes:
        """The body of an answer that is not streamed."""
        for block in message.blocks:
            self._note(block)
        refusal = _joined(message, BlockKind.REFUSAL) or _explained(message.details) or None
        answer: dict[str, Any] = {"role": "assistant", "content": _joined(message, BlockKind.TEXT) or None}
        answer["refusal"] = refusal
        if self._annotations:
            answer["annotations"] = _cited(self._annotations)
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
        choice = {"index": 0, "message": answer, "finish_reason": self._reason(message.stop), "logprobs": None}
        choice |= _matched(message.stop_sequence)
        return encode({**self._head("chat.completion"), "choices": [choice], "usage": usages.write(message.usage)})

    def _note(self, block: AnswerBlock) -> None:
        """What a stream's events would have told."""
        self._begin(BlockStarted(block.kind, raw=block.raw))
        self._length += len(block.text) if block.kind is BlockKind.TEXT else 0
        for delta in block.raw_deltas:
            self._cite(delta)
        if block.signature:
            self._sign(block.signature)
        self._stop()

    def failed(self, fault: Fault) -> bytes:
        """The event that ends a stream which cannot go on."""
        return error_chunk(fault)

    def _usage(self, event: Finished) -> bytes:
        if not self._with_usage:
            return b""
        chunk = {**self._head("chat.completion.chunk"), "choices": [], "usage": usages.write(event.usage)}
        return b"data: " + encode(chunk) + b"\n\n"

    def _chunk(self, delta: Mapping[str, Any], reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None, **more}
        return b"data: " + encode({**self._head("chat.completion.chunk"), "choices": [choice]}) + b"\n\n"

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model}


def _matched(sequence: str | None) -> dict[str, Any]:
    """The sequence that was met, as vLLM names it: OpenAI has no word for it."""
    return {} if sequence is None else {"stop_reason": sequence}


def _explained(details: Mapping[str, Any] | None) -> str:
    """Why Anthropic's classifiers refused."""
    why = (details or {}).get("explanation")
    return why if isinstance(why, str) else ""


def _cited(annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": citations.ADDRESS, citations.ADDRESS: each} for each in annotations]


def _joined(message: WholeMessage, kind: BlockKind) -> str:
    return "".join(block.text for block in message.blocks if block.kind is kind)
