"""What a Messages client is sent before there is an answer, and how the answer then continues it. Pure.

Claude Code gives up after 300 seconds without an event of an answer; pings do not count, empty deltas in an open block
do (observed with 2.1.197, 2026-11-20). So a long wait begins a message of our own, with an empty text block that the
answer's first text goes on in, or that is closed before anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from providers.call import Call
from providers.chat.events import BlockKind, BlockStarted, BlockStopped, Started, TextDelta
from providers.chat.sse import FrameSplitter, data_of, frame, name_of
from providers.dialects.anthropic.write_reply import MessageWriter
from providers.json_object import JsonObject, NotJson, encode
from providers.ports import Usage

_PING = frame(b"ping", b'{"type":"ping"}')
_BLOCK = 0  # the index of our own


class MessageWaiting:
    """See ``providers.call.Waiting``. ``hold`` is for the time before the answer: not after ``join``."""

    __slots__ = ("_call", "_held", "_open", "_shift", "_usage", "_writer")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._writer = MessageWriter(call.model)
        self._held = False
        self._open = False  # our block, and the answer has none yet
        self._shift = 0  # added to the index of each of the answer's blocks
        self._usage: dict[str, Any] = {}  # as the answer has reported it so far

    def ping(self) -> bytes:
        return _PING

    def hold(self) -> bytes:
        empty = TextDelta("")
        if self._held:
            return self._writer.write(empty)
        self._held = self._open = True
        identity = "msg_" + self._call.request_id.removeprefix("req_")
        started = Started(identity, self._call.model, Usage(input_tokens=max(1, self._call.estimate())))
        return b"".join(self._writer.write(event) for event in (started, BlockStarted(BlockKind.TEXT), empty))

    def join(self, data: bytes) -> bytes:
        if not self._held:
            return data
        splitter = FrameSplitter()
        passed = [self._take(event) for event in splitter.feed(data)]
        return b"".join(passed) + splitter.rest

    def _take(self, event: bytes) -> bytes:
        handler = _HANDLERS.get(name_of(event))
        if handler is None:
            return event
        try:
            return handler(self, event)
        except NotJson:
            return event

    def _message_start(self, event: bytes) -> bytes:
        """Ours has gone out, and there is one only: of this one the usage is kept."""
        with suppress(NotJson):
            message = JsonObject(data_of(event)).get("message")
            self._count(message.get("usage") if isinstance(message, dict) else None)
        return b""

    def _block_start(self, event: bytes) -> bytes:
        if not self._open:
            return self._shifted(event)
        start = JsonObject(data_of(event))
        block = start.get("content_block")
        if start.get("index") == _BLOCK and isinstance(block, dict) and block.get("type") == "text":
            self._open = False
            return b""
        return self._close() + self._shifted(event)

    def _block_stop(self, event: bytes) -> bytes:
        return self._close() if self._open else self._shifted(event)

    def _shifted(self, event: bytes) -> bytes:
        if not self._shift:
            return event
        outer = JsonObject(data_of(event))
        index = outer.get("index")
        return _with(event, outer, "index", index + self._shift) if type(index) is int else event

    def _message_delta(self, event: bytes) -> bytes:
        closed = self._close() if self._open else b""
        return closed + self._counted(event)

    def _counted(self, event: bytes) -> bytes:
        """With all that the answer has said of its usage before, since the client has seen none of it."""
        try:
            outer = JsonObject(data_of(event))
            reported = outer.get("usage")
        except NotJson:
            return event
        now = reported if isinstance(reported, dict) else {}
        before = {name: count for name, count in self._usage.items() if _unsaid(now, name)}
        self._count(now)
        return _with(event, outer, "usage", now | before) if before else event

    def _message_stop(self, event: bytes) -> bytes:
        return self._close() + event if self._open else event

    def _close(self) -> bytes:
        """Our block ends empty: the answer's own blocks come after it."""
        self._open = False
        self._shift = 1
        return self._writer.write(BlockStopped())

    def _count(self, reported: object) -> None:
        """Later reports win where they say something."""
        if isinstance(reported, dict):
            self._usage |= {name: count for name, count in reported.items() if count}


_HANDLERS: Mapping[bytes, Callable[[MessageWaiting, bytes], bytes]] = {
    b"message_start": MessageWaiting._message_start,
    b"content_block_start": MessageWaiting._block_start,
    b"content_block_delta": MessageWaiting._shifted,
    b"content_block_stop": MessageWaiting._block_stop,
    b"message_delta": MessageWaiting._message_delta,
    b"message_stop": MessageWaiting._message_stop,
}


def _unsaid(usage: Mapping[str, Any], name: str) -> bool:
    """A null or 0 is no report, but for output: an answer can be of nothing, a prompt cannot."""
    return usage.get(name) is None or (not usage[name] and name != "output_tokens")


def _with(event: bytes, outer: JsonObject, name: str, value: Any) -> bytes:
    """The event with one member of its data set; all its other bytes stay where they can."""
    data = outer.edited({name: encode(value)})
    return event.replace(outer.raw, data, 1) if outer.raw in event else frame(name_of(event), data)
