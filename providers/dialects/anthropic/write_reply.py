"""Neutral events as a Messages stream, and a whole answer as a Messages body. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from providers.chat import citations
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
    TextDelta,
    ThinkingDelta,
)
from providers.chat.fold import AnswerBlock, WholeMessage
from providers.chat.reader import note
from providers.chat.sse import frame
from providers.dialects.anthropic.errors import error_event
from providers.dialects.anthropic.write_request import arguments
from providers.errors import Fault
from providers.json_object import encode
from providers.ports import Usage

_EMPTY: dict[BlockKind, dict[str, Any]] = {
    BlockKind.TEXT: {"type": "text", "text": ""},
    BlockKind.REFUSAL: {"type": "text", "text": ""},
    BlockKind.THINKING: {"type": "thinking", "thinking": "", "signature": ""},
}

_HEAD = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":'
_DELTAS: Mapping[type, Callable[[Any], tuple[bytes, str]]] = {
    TextDelta: lambda event: (b'"text_delta","text":', event.text),
    ThinkingDelta: lambda event: (b'"thinking_delta","thinking":', event.text),
    ArgumentsDelta: lambda event: (b'"input_json_delta","partial_json":', event.json),
    SignatureDelta: lambda event: (b'"signature_delta","signature":', event.signature),
}


class MessageWriter:
    """``model`` is the name that the client asked for."""

    def __init__(self, model: str, request_id: str = "") -> None:
        self.lost: list[str] = []
        self._model = model
        self._request_id = request_id
        self.index = -1  # of the last block

    def write(self, event: Event) -> bytes:
        """The event's bytes; ``event`` has passed the grammar."""
        match event:
            case TextDelta() | ThinkingDelta() | ArgumentsDelta() | SignatureDelta():
                return self._delta(event)
            case BlockStarted():
                self.index += 1
                return _event("content_block_start", index=self.index, content_block=_start(event))
            case BlockStopped():
                return _event("content_block_stop", index=self.index)
            case RawDelta(value={"type": citations.ADDRESS}):
                note(self.lost, "citations")  # those of Messages are signed, and sent back
            case RawDelta():
                return _event("content_block_delta", index=self.index, delta=event.value)
            case Started():
                return _event("message_start", message=_message(event.id, self._model, [], None, None, event.usage, 1))
            case Finished():
                details = {"stop_details": event.details} if event.details else {}
                delta = {"stop_reason": event.stop, "stop_sequence": event.stop_sequence, **details}
                return _event("message_delta", delta=delta, usage=usage(event.usage))
            case Ended():
                return _event("message_stop")
        return b""

    def _delta(self, event: TextDelta | ThinkingDelta | ArgumentsDelta | SignatureDelta) -> bytes:
        """By hand, since this is done for every piece of every answer."""
        kind, text = _DELTAS[type(event)](event)
        return _HEAD % self.index + kind + encode(text) + b"}}\n\n"

    def whole(self, message: WholeMessage) -> bytes:
        """The body of an answer that is not streamed."""
        content = [_whole(block) for block in message.blocks]
        if any(delta.get("type") == citations.ADDRESS for block in message.blocks for delta in block.raw_deltas):
            note(self.lost, "citations")
        told = _message(message.id, self._model, content, message.stop, message.stop_sequence, message.usage, None)
        return encode({**told, "stop_details": message.details} if message.details else told)

    def failed(self, fault: Fault) -> bytes:
        """The event that ends a stream which cannot go on."""
        return error_event(fault, self._request_id)


def usage(counts: Usage) -> dict[str, Any]:
    """Every count is a number: a null makes clients fail."""
    thought = {"output_tokens_details": {"thinking_tokens": counts.reasoning_tokens}} if counts.reasoning_tokens else {}
    return {
        "input_tokens": counts.input_tokens,
        "cache_creation_input_tokens": counts.cache_write_tokens,
        "cache_read_input_tokens": counts.cache_read_tokens,
        "output_tokens": counts.output_tokens,
        **thought,
    }


def _message(
    identity: str,
    model: str,
    content: list[dict[str, Any]],
    stop: str | None,
    sequence: str | None,
    counts: Usage,
    output: int | None,
) -> dict[str, Any]:
    return {
        "id": identity,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": sequence,
        "usage": usage(counts) if output is None else {**usage(counts), "output_tokens": output},
    }


def _start(event: BlockStarted) -> dict[str, Any]:
    if event.kind is BlockKind.TOOL_USE:
        return {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
    return dict(event.raw) if event.kind is BlockKind.RAW else _EMPTY[event.kind]


def _whole(block: AnswerBlock) -> dict[str, Any]:
    match block.kind:
        case BlockKind.TEXT | BlockKind.REFUSAL:
            cited = [delta["citation"] for delta in block.raw_deltas if "citation" in delta]
            return {"type": "text", "text": block.text, **({"citations": cited} if cited else {})}
        case BlockKind.THINKING:
            return {"type": "thinking", "thinking": block.text, "signature": block.signature}
        case BlockKind.TOOL_USE:
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": arguments(block.text)}
        case BlockKind.RAW:
            return {**block.raw, "input": arguments(block.text)} if block.text else dict(block.raw)


def _event(kind: str, **members: Any) -> bytes:
    return frame(kind.encode(), encode({"type": kind, **members}))
