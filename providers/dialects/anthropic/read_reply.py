"""A Messages answer, streamed or whole, as neutral events. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import msgspec

from providers import classify
from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Failed,
    Finished,
    RawDelta,
    SignatureDelta,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from providers.chat.grammar import Grammar, OutOfOrder, State
from providers.chat.reader import Confused, FrameReader
from providers.chat.sse import data_of
from providers.dialects.anthropic.usage import read_usage
from providers.errors import ErrorKind
from providers.json_object import NotJson, decode, encode
from providers.ports import Usage

_KINDS = {"text": BlockKind.TEXT, "thinking": BlockKind.THINKING, "tool_use": BlockKind.TOOL_USE}
_DELTAS: Mapping[str, tuple[Callable[[str], Event], str]] = {
    "text_delta": (TextDelta, "text"),
    "thinking_delta": (ThinkingDelta, "thinking"),
    "signature_delta": (SignatureDelta, "signature"),
    "input_json_delta": (ArgumentsDelta, "partial_json"),
}


_DELTA = b"event: content_block_delta\ndata: {"


class _Text(msgspec.Struct, gc=False):
    type: Literal["text_delta"]
    text: str


class _TextPiece(msgspec.Struct, gc=False):
    """The event that nearly every event is, read fast."""

    delta: _Text
    index: int


_piece = msgspec.json.Decoder(_TextPiece).decode


class MessageReader(FrameReader):
    """See ``providers.chat.ports.EventReader``."""

    def __init__(self) -> None:
        super().__init__()
        self._usage = Usage()
        self._grammar = Grammar()
        self._open: int | None = None
        self._input: Mapping[str, Any] = {}  # of the open call, where it came with the block's start
        self._finished: Finished | None = None
        self._started = False

    @property
    def open(self) -> int | None:
        """The index of the block that is."""
        return self._open

    @property
    def in_text(self) -> bool:
        """Whether a block of text is open."""
        return self._grammar.state is State.TEXT

    @property
    def closing(self) -> bool:
        """The reason to stop has come; only the end can follow."""
        return self._finished is not None

    def _checked(self, event: Event) -> Event:
        """Nothing out of order comes out: to guess which block a piece belongs to would run the wrong call."""
        try:
            self._grammar.take(event)
        except OutOfOrder as error:
            raise Confused("its events out of order") from error
        return event

    def _finish(self) -> Iterator[Event]:
        yield from self._frame(self._frames.last())
        if self._over:
            return
        if self._finished is not None and self._open is None:
            yield from self._end()
            return
        where = "in the middle of its answer" if self._started else "before its answer began"
        yield self._failed(ErrorKind.CUT, f"the upstream closed the connection {where}")

    def _frame(self, frame: bytes) -> Iterator[Event]:
        if frame.startswith(_DELTA) and (text := self._plain_text(frame)):
            yield TextDelta(text)
            return
        data = data_of(frame)
        if not data.startswith(b"{"):
            return
        try:
            event = decode(data)
        except NotJson as error:
            raise Confused("an event that is not JSON") from error
        yield from self._event(event, data)

    def _plain_text(self, frame: bytes) -> str:
        """The next piece of the open text; "" where the event has to be looked at more closely."""
        end = len(frame) - 2
        if self._grammar.state is not State.TEXT or frame.find(b"\n", len(_DELTA)) != end:
            return ""
        try:
            piece = _piece(frame[len(_DELTA) - 1 : end])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return ""
        return piece.delta.text if piece.index == self._open else ""

    def _event(self, event: Mapping[str, Any], data: bytes) -> Iterator[Event]:
        match event:
            case {"type": "message_start", "message": dict() as message}:
                yield self._start(message)
            case {"type": "content_block_start", "content_block": dict() as block}:
                yield from self._block(block, event.get("index"))
            case {"type": "content_block_delta", "delta": dict() as delta}:
                yield from self._delta(delta, event.get("index"))
            case {"type": "content_block_stop"}:
                yield from self._stopped(event.get("index"))
            case {"type": "message_delta"}:
                self._note(event)
            case {"type": "message_stop"}:
                yield from self._end()
            case {"type": "error"}:
                yield Failed(classify.error_inside(data))

    def _start(self, message: Mapping[str, Any]) -> Event:
        self._started = True
        read_usage(message.get("usage"), self._usage)
        return Started(str(message.get("id") or ""), str(message.get("model") or ""), self._counts())

    def _block(self, block: Mapping[str, Any], index: Any = 0) -> Iterator[Event]:
        if not self._started:
            raise Confused("content before message_start")
        if self._open is not None and self._grammar.state is not State.TEXT:
            raise Confused("a block inside another")
        yield from self._close()
        self._open = index if isinstance(index, int) else 0
        kind = _KINDS.get(str(block.get("type")), BlockKind.RAW)
        if kind is BlockKind.TOOL_USE:
            given = block.get("input")
            self._input = given if isinstance(given, dict) else {}
            yield BlockStarted(kind, str(block.get("id") or ""), str(block.get("name") or ""))
        elif kind is BlockKind.RAW:
            yield BlockStarted(kind, raw={**block, "input": {}} if block.get("input") else block)
        else:
            yield BlockStarted(kind)

    def _delta(self, delta: Mapping[str, Any], index: Any) -> Iterator[Event]:
        if self._open is None or index not in (self._open, None):
            raise Confused("a delta outside of a block")
        kind = str(delta.get("type"))
        if kind not in _DELTAS:
            yield RawDelta(delta)
            return
        event, field = _DELTAS[kind]
        value = delta.get(field)
        if isinstance(value, str) and value:
            self._input = {}
            yield event(value)

    def _stopped(self, index: Any) -> Iterator[Event]:
        """A second stop, or one of a block that never was, says nothing."""
        if self._open is not None and index in (self._open, None):
            yield from self._close()

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            self._open = None
            if self._input:
                yield ArgumentsDelta(encode(self._input).decode())
                self._input = {}
            yield BlockStopped()

    def _note(self, event: Mapping[str, Any]) -> None:
        read_usage(event.get("usage"), self._usage)
        delta = event.get("delta")
        if isinstance(delta, dict) and delta.get("stop_reason"):
            self._finished = self._why(delta)

    def _why(self, said: Mapping[str, Any]) -> Finished:
        details = said.get("stop_details")
        told = details if isinstance(details, dict) else None
        return Finished(stop_of(said.get("stop_reason")), self._counts(), said.get("stop_sequence"), told)

    def _end(self) -> Iterator[Event]:
        yield from self._close()
        yield replace(self._finished or Finished(Stop.END_TURN, Usage()), usage=self._counts())
        yield Ended()

    def _counts(self) -> Usage:
        return replace(self._usage)

    def _whole(self, body: bytes) -> Iterator[Event]:
        try:
            message = decode(body)
        except NotJson:
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("content"), list) or message.get("error"):
            yield Failed(classify.no_answer(body, "message"))
            return
        yield self._start(message)
        for block in message["content"]:
            yield from self._whole_block(block if isinstance(block, dict) else {})
        self._finished = self._why(message)
        yield from self._end()

    def _whole_block(self, block: Mapping[str, Any]) -> Iterator[Event]:
        yield from self._block(block)
        match block:
            case {"type": "text", "text": str() as text}:
                if text:
                    yield TextDelta(text)
                for citation in block.get("citations") or ():
                    yield RawDelta({"type": "citations_delta", "citation": citation})
            case {"type": "thinking"}:
                if thought := str(block.get("thinking") or ""):
                    yield ThinkingDelta(thought)
                if signature := str(block.get("signature") or ""):
                    yield SignatureDelta(signature)
            case {"type": "tool_use"} | {"input": dict()}:
                self._input = {}
                yield ArgumentsDelta(encode(block.get("input") or {}).decode())
        yield from self._close()


def stop_of(reason: Any) -> Stop:
    """An unknown reason, of which new ones come, is a plain end."""
    try:
        return Stop(reason)
    except ValueError:
        return Stop.END_TURN
