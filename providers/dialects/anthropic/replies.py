"""A Messages upstream's answer on its way to a Messages client.

The bytes are the upstream's; only the model name is set back to the one that was asked for (Claude Code drops
signed thinking from its history where the two differ). JSON is read in three kinds of event only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from providers import classify
from providers.chat.sse import FrameSplitter, FrameTooLarge, data_of, frame, name_of
from providers.dialects.anthropic.errors import error_body, error_event
from providers.dialects.anthropic.usage import read_usage
from providers.errors import ErrorKind, Fault, UpstreamFailure
from providers.json_object import JsonObject, NotJson, encode
from providers.ports import Usage


class MessageStream:
    """See ``providers.call.StreamReader``."""

    def __init__(self, echo: str, request_id: str = "") -> None:
        self.begun = False
        self.ended = False
        self.failure: UpstreamFailure | None = None
        self.usage = Usage()
        self._echo = echo
        self._request_id = request_id
        self._frames = FrameSplitter()
        self._started = False  # message_start has come
        self._stopped = False  # a stop_reason has come
        self._blocks = 0  # open ones

    def feed(self, data: bytes) -> bytes:
        if self._over:
            return b""
        if self.begun and not self._frames.holding and self._unread(data):
            return data
        try:
            frames = self._frames.feed(data)
        except FrameTooLarge:
            self._broken("an event without an end")
            return b""
        passed: list[bytes] = []
        for each in frames:
            if self.ended or self.failure:
                break
            passed.append(self._take(each))
        return b"".join(passed)

    def _unread(self, data: bytes) -> bool:
        """Whether these bytes, which begin an event, can be passed on unread."""
        return only_deltas(data)

    def finish(self) -> bytes:
        if self._over:
            return b""
        rest = self._frames.last()
        last = self._take(rest) if rest else b""
        if self._over:
            return last
        if self._stopped and not self._blocks:
            return last + self._take(frame(b"message_stop", b'{"type":"message_stop"}'))
        where = "in the middle of its answer" if self.begun else "before its answer began"
        self.failure = UpstreamFailure(ErrorKind.CUT, f"the upstream closed the connection {where}")
        return last

    def take_whole(self, body: bytes) -> bytes:
        failure = classify.error_inside(body)
        if failure.body is None:
            said = classify.words(body)[:200] or "JSON without an error in it"
            words = f"the upstream answered a streamed request with one body: {said}"
            failure = UpstreamFailure(ErrorKind.MALFORMED, words)
        self.failure = failure
        return b""

    def failed(self, fault: Fault) -> bytes:
        return error_event(fault, self._request_id)

    @property
    def closing(self) -> bool:
        return self._stopped

    @property
    def _over(self) -> bool:
        return self.ended or self.failure is not None

    def _take(self, event: bytes) -> bytes:
        name = name_of(event)
        if not name and (name := _name_inside(event)):
            event = frame(name, data_of(event))
        handler = _HANDLERS.get(name)
        return handler(self, event) if handler else event

    def _delta(self, event: bytes) -> bytes:
        return event if self._content() else b""

    def _block_start(self, event: bytes) -> bytes:
        self._blocks += 1
        return event

    def _block_stop(self, event: bytes) -> bytes:
        self._blocks -= 1
        return self._delta(event)

    def _content(self) -> bool:
        if not self._started:
            self._broken("content before message_start")
        self.begun = self._started
        return self._started

    def _message_start(self, event: bytes) -> bytes:
        try:
            outer = JsonObject(data_of(event))
            message = outer.child("message")
            self._count(message)
            edited = message.edited(_model_edit(message, self._echo))
        except (NotJson, KeyError):
            self._broken("a message_start that cannot be read")
            return b""
        self._started = True
        if edited == message.raw:
            return event
        data = outer.edited({"message": edited})
        return event.replace(outer.raw, data, 1) if outer.raw in event else frame(b"message_start", data)

    def _message_delta(self, event: bytes) -> bytes:
        try:
            outer = JsonObject(data_of(event))
            self._count(outer)
            delta = outer.get("delta")
        except NotJson:
            self._broken("a message_delta that cannot be read")
            return b""
        self._stopped = self._stopped or (isinstance(delta, dict) and bool(delta.get("stop_reason")))
        return self._delta(event)

    def _message_stop(self, event: bytes) -> bytes:
        self.ended = self._content()
        return event if self.ended else b""

    def _error(self, event: bytes) -> bytes:
        self.failure = classify.error_inside(data_of(event))
        return b""

    def _broken(self, what: str) -> None:
        self.failure = UpstreamFailure(ErrorKind.MALFORMED, f"the upstream sent {what}")

    def _count(self, holder: JsonObject) -> None:
        read_usage(holder.get("usage"), self.usage)


_DELTA = b"event: content_block_delta\n"
_HANDLERS: Mapping[bytes, Callable[[MessageStream, bytes], bytes]] = {
    b"content_block_delta": MessageStream._delta,
    b"content_block_start": MessageStream._block_start,
    b"content_block_stop": MessageStream._block_stop,
    b"message_start": MessageStream._message_start,
    b"message_delta": MessageStream._message_delta,
    b"message_stop": MessageStream._message_stop,
    b"error": MessageStream._error,
}


class Verbatim:
    """See ``providers.call.StreamReader``. An answer that comes as one body, and is passed on as it is."""

    begun = closing = False

    def __init__(self) -> None:
        self.ended = False
        self.failure: UpstreamFailure | None = None
        self.usage = Usage()

    def feed(self, data: bytes) -> bytes:
        """Never called: no stream was asked for."""
        return self.take_whole(data)

    def finish(self) -> bytes:
        return self.take_whole(b"")

    def take_whole(self, body: bytes) -> bytes:
        self.ended = True
        return body

    def failed(self, fault: Fault) -> bytes:
        """Never called: what comes as one body fails before any of it is sent."""
        return error_body(fault, "")


class Count(Verbatim):
    """See ``providers.call.StreamReader``. What a counter of tokens answers."""

    def take_whole(self, body: bytes) -> bytes:
        try:
            count = JsonObject(body).get("input_tokens")
        except NotJson:
            count = None
        if isinstance(count, int) and not isinstance(count, bool):
            return super().take_whole(body)
        self.failure = UpstreamFailure(ErrorKind.MALFORMED, "the upstream's counter answered without a count")
        return b""


class PassedMessage(Verbatim):
    """See ``providers.call.StreamReader``. A whole message, its model named ``echo``."""

    def __init__(self, echo: str) -> None:
        super().__init__()
        self._echo = echo

    def take_whole(self, body: bytes) -> bytes:
        try:
            return self._edited(JsonObject(body), body)
        except NotJson:
            said = classify.words(body)[:200]
            self.failure = UpstreamFailure(ErrorKind.MALFORMED, f"the upstream answered 200 without JSON: {said}")
        return b""

    def _edited(self, message: JsonObject, body: bytes) -> bytes:
        if message.get("type") == "error" or message.get("error"):
            self.failure = classify.error_inside(body)
        elif not isinstance(message.get("content"), list):
            words = "the upstream's answer is no message: it has no content list"
            self.failure = UpstreamFailure(ErrorKind.MALFORMED, words)
        else:
            read_usage(message.get("usage"), self.usage)
            edited = message.edited(_model_edit(message, self._echo))
            self.ended = True
            return edited
        return b""


def only_deltas(data: bytes) -> bool:
    """Whether a read is whole delta events and nothing else, as nearly all are."""
    if not data.endswith(b"\n\n") or b"\r" in data:
        return False
    deltas = data.count(_DELTA)
    return data.startswith(_DELTA) and deltas == data.count(b"event:") == data.count(b"\n\n")


def _model_edit(message: JsonObject, echo: str) -> dict[str, bytes | None]:
    return {} if message.get("model") == echo else {"model": encode(echo)}


def _name_inside(event: bytes) -> bytes:
    """The type in the data of an event that came without an ``event:`` line, which clients would not read."""
    data = data_of(event)
    if not data.startswith(b"{"):
        return b""
    try:
        event_data = JsonObject(data)
        kind = event_data.get("type") or ("error" if event_data.get("error") else "")
    except NotJson:
        return b""
    return kind.encode() if isinstance(kind, str) and kind.isprintable() else b""
