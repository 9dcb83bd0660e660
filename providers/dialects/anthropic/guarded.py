"""A Messages upstream's answer on its way to a Messages client, its tool calls repaired.

What the guardian leaves as it is goes out in the upstream's own bytes; most of it is not even read: deltas that cannot
begin a call are passed on after one look for the characters that all marks have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from providers.chat.events import BlockKind, BlockStarted, Ended, Event, Failed, Finished, TextDelta
from providers.chat.fold import fold
from providers.chat.guardian import Guardian
from providers.chat.guardian.scanner import never_json
from providers.chat.sse import data_of, frame, name_of
from providers.dialects.anthropic.read_reply import MessageReader
from providers.dialects.anthropic.replies import MessageStream, PassedMessage, only_deltas
from providers.dialects.anthropic.write_reply import MessageWriter
from providers.json_object import JsonObject, encode

_MOST_PASSED = 256  # reads whose text is kept


class _Delta(msgspec.Struct, gc=False):
    type: str
    text: str = ""


class _Piece(msgspec.Struct, gc=False):
    delta: _Delta
    index: int = 0


_piece = msgspec.json.Decoder(_Piece).decode
_literal = msgspec.json.Decoder(str).decode
_TEXT = re.compile(rb'"text"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"')


class GuardedStream(MessageStream):
    """See ``providers.call.StreamReader``. The stream is checked as any other, then read a second time for calls."""

    def __init__(self, echo: str, request_id: str, guardian: Guardian) -> None:
        super().__init__(echo, request_id)
        self._guardian = guardian
        self._reader = MessageReader()
        self._writer = MessageWriter(echo, request_id)
        self._passed: list[bytes] = []  # deltas of text that were not read
        self._stirs: Callable[[bytes], object] | None = None  # in deltas; None where all have to be read
        self._start = b""  # of a block of text, which waits for what it turns out to be
        self._last: list[bytes] = []  # that wait for the end, which says whether the model has called
        self._blind = False  # the upstream's events are out of order, and pass as they are

    def feed(self, data: bytes) -> bytes:
        if not (self._blind or self._over or self._frames.holding) and only_deltas(data):
            if self.begun and self._stirs is not None and not self._stirs(data):
                self._keep(data)
                return data
            if self._reader.in_text and (pieces := _texts(data, self._reader.open)) is not None:
                return self._read_text(data, pieces)
        return super().feed(data) + self._flush()

    def finish(self) -> bytes:
        return super().finish() + self._flush()

    def _unread(self, data: bytes) -> bool:
        return self._blind and super()._unread(data)

    def _keep(self, data: bytes) -> None:
        if self._stirs is not never_json:
            self._passed.append(data)
            if len(self._passed) > _MOST_PASSED:
                self._catch_up()

    def _read_text(self, data: bytes, pieces: list[Event]) -> bytes:
        """Deltas of the open block of text, past all that looks at other events."""
        self.begun = True
        self._catch_up()
        made = self._guardian.take(pieces)
        new = len(made) - len(pieces)  # what begins the block, where its text goes out as it came
        if made[new:] == pieces and self._follows(made[:new]):
            passed = self._written(made[:new]) + data
        else:
            passed = self._written(made)
        self._stirs = self._guardian.lets_pass if self._in_step else None
        return passed

    def _follows(self, made: list[Event]) -> bool:
        """Whether the client knows the open block by the upstream's number once it has got these events."""
        begun = sum(isinstance(event, BlockStarted) for event in made)
        return self._reader.open == self._writer.index + begun

    @property
    def _in_step(self) -> bool:
        """Whether the client knows the open block, and by the same number."""
        return self._reader.open == self._writer.index

    def _take(self, event: bytes) -> bytes:
        taken = super()._take(event)
        if not taken or self._blind:
            return taken
        name, before = name_of(taken), self._reader.open
        if name == b"message_delta":
            self._last.append(taken)
        if name != b"content_block_stop":
            self._catch_up()
        self._passed.clear()
        events = self._reader.feed(taken)
        index = before if self._reader.open is None else self._reader.open
        passed = self._guarded(taken, name, events, index)
        self._stirs = self._guardian.lets_pass if self._in_step else None
        return passed

    def _guarded(self, taken: bytes, name: bytes, events: list[Event], index: int | None) -> bytes:
        """What goes out for the events of one frame; ``index`` is the upstream's, of their block."""
        if not events:
            return self._wordless(taken, name)
        made = self._guardian.take(events)
        last = events[-1]
        if isinstance(last, Failed):
            return self._give_up(last, taken, made, index)
        if isinstance(last, Ended):
            return b"".join(self._closing(taken, events, made))
        begins = isinstance(last, BlockStarted)
        if begins:
            self._start = b"" if made else taken
        if len(events) > 1 or made[-1:] != events:
            return self._written(made)
        before = self._written(made[:-1])
        if index is not None and index != self._writer.index + begins:
            return before + self._written(events)
        self._writer.index += begins
        return before + taken

    def _wordless(self, taken: bytes, name: bytes) -> bytes:
        """A frame without a meaning, such as a ping, or an empty delta, which needs its block."""
        if name == b"message_delta" or name == b"content_block_stop":
            return b""
        return taken if name != b"content_block_delta" or self._in_step else b""

    def _closing(self, taken: bytes, events: list[Event], made: list[Event]) -> Iterator[bytes]:
        for event in made:
            if not isinstance(event, Finished | Ended):
                yield self._writer.write(event)
            elif isinstance(event, Ended):
                yield taken
            elif event in events:
                yield from self._last
            else:
                yield from (_stopped(last, event) for last in self._last)

    def _give_up(self, failed: Failed, taken: bytes, made: list[Event], index: int | None) -> bytes:
        """Events out of order, as clients take them. They may have them, if no block was made or left out before."""
        written = self._written(made)
        if (-1 if index is None else index) != self._writer.index:
            self.failure = failed.failure
            return written
        self._blind = True
        return b"".join((written, *self._last, taken))

    def _written(self, made: list[Event]) -> bytes:
        return b"".join(self._write(event) for event in made if not isinstance(event, Failed))

    def _write(self, event: Event) -> bytes:
        if not (self._start and isinstance(event, BlockStarted) and event.kind is BlockKind.TEXT):
            return self._writer.write(event)
        start, self._start = self._start, b""
        if self._reader.open != self._writer.index + 1:
            return self._writer.write(event)
        self._writer.index += 1
        return start

    def _catch_up(self) -> None:
        if self._passed:
            self._guardian.went_past(_said(b"".join(self._passed)))
            self._passed.clear()

    def _flush(self) -> bytes:
        """What the guardian holds of an answer that has failed goes out as it came."""
        if self.failure is None or self._blind:
            return b""
        self._blind = True
        self._catch_up()
        return self._written(self._guardian.take([Failed(self.failure)]))


class GuardedMessage(PassedMessage):
    """See ``providers.call.StreamReader``. A whole message, its model named ``echo`` and its calls repaired."""

    def __init__(self, echo: str, guardian: Guardian) -> None:
        super().__init__(echo)
        self._guardian = guardian

    def take_whole(self, body: bytes) -> bytes:
        passed = super().take_whole(body)
        if not self.ended:
            return passed
        message = fold(self._guardian.take(MessageReader().whole(body)))
        if not self._guardian.repairs:
            return passed
        written = JsonObject(MessageWriter("").whole(message))
        return JsonObject(passed).edited({name: bytes(written.view(name)) for name in ("content", "stop_reason")})


def _said(deltas: bytes) -> str:
    """The text of many deltas at once. They have passed unread, so their JSON may be broken."""
    try:
        return _literal(b'"' + b"".join(_TEXT.findall(deltas)) + b'"')
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _texts(deltas: bytes, index: int | None) -> list[Event] | None:
    """The text in whole delta events of one block; None where they are anything else."""
    try:
        pieces = [_piece(event.partition(b"\ndata:")[2]) for event in deltas.split(b"\n\n")[:-1]]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if any(piece.delta.type != "text_delta" or piece.index != index for piece in pieces):
        return None
    return [TextDelta(piece.delta.text) for piece in pieces if piece.delta.text]


def _stopped(event: bytes, finished: Finished) -> bytes:
    """A message_delta with another reason to stop."""
    outer = JsonObject(data_of(event))
    if not isinstance(outer.get("delta"), dict) or not outer.get("delta").get("stop_reason"):
        return event
    delta = outer.child("delta").edited({"stop_reason": encode(finished.stop)})
    return frame(name_of(event), outer.edited({"delta": delta}))
