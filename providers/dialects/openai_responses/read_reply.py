"""A Responses answer, streamed or whole, as neutral events. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from providers import classify
from providers.chat.events import Ended, Event, Failed, Finished, Started, Stop, TextDelta
from providers.chat.reader import Confused, FrameReader
from providers.chat.sse import DONE, data_of
from providers.dialects.openai_responses import usage as usages
from providers.dialects.openai_responses.output_items import OutputItems
from providers.errors import ErrorKind
from providers.json_object import NotJson, decode, encode
from providers.ports import Usage

# Why an answer is incomplete (openai SDK 3.51.0, IncompleteDetails); any other reason is a plain end.
_INCOMPLETE: Mapping[str, Stop] = {
    "max_output_tokens": Stop.MAX_TOKENS,
    "content_filter": Stop.REFUSAL,
}
_BEGINNINGS = ("response.created", "response.in_progress", "response.queued")
_ENDS = ("response.completed", "response.incomplete", "response.done")
_FAILURES = ("error", "response.error", "response.failed", "response.cancelled")
_DELTA = b"event: response.output_text.delta\ndata: {"


class _TextPiece(msgspec.Struct, gc=False):
    """The event that nearly every event is, read fast."""

    delta: str
    output_index: int = 0
    content_index: int = 0


_piece = msgspec.json.Decoder(_TextPiece).decode


class ResponseReader(FrameReader):
    """See ``providers.chat.ports.EventReader``."""

    def __init__(self, token: str, provider: str, estimate: int, names: Mapping[str, str]) -> None:
        """``token`` makes ids, ``estimate`` is the input's tokens, ``names`` gives a tool its own name back."""
        super().__init__()
        self._token = token
        self._estimate = estimate
        self._items = OutputItems(token, provider, names, self.lost)
        self._said = 0  # characters of the answer
        self._started = False

    @property
    def closing(self) -> bool:
        """The reason to stop is the end itself."""
        return False

    def _frame(self, frame: bytes) -> Iterator[Event]:
        if frame.startswith(_DELTA) and (text := self._plain_text(frame)):
            yield TextDelta(text)
            return
        data = data_of(frame).strip()
        if not data or data.startswith(DONE):
            return
        try:
            event = decode(data)
        except NotJson as error:
            raise Confused("an event that is not JSON") from error
        if isinstance(event, dict):
            yield from self._event(event, data)
        elif classify.words(data):
            yield Failed(classify.error_inside(data))

    def _plain_text(self, frame: bytes) -> str:
        """The next piece of the open text; "" where the event has to be looked at more closely."""
        end = len(frame) - 2
        if frame.find(b"\n", len(_DELTA)) != end:
            return ""
        try:
            piece = _piece(frame[len(_DELTA) - 1 : end])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return ""
        if not self._items.text(piece.output_index, piece.content_index, piece.delta):
            return ""
        self._said += len(piece.delta)
        return piece.delta

    def _event(self, event: Mapping[str, Any], data: bytes) -> Iterator[Event]:
        kind = event.get("type")
        response = event.get("response")
        if kind in _FAILURES or (event.get("error") and not isinstance(response, dict)):
            yield _failure(event, response, data)
        elif kind in _BEGINNINGS:
            yield from self._begin()
        elif kind in _ENDS:
            yield from self._end(response if isinstance(response, dict) else {})
        elif isinstance(kind, str) and kind.startswith("response."):
            yield from self._counted(self._item_event(kind.removeprefix("response."), event))

    def _item_event(self, kind: str, event: Mapping[str, Any]) -> Iterator[Event]:
        index, item = event.get("output_index"), event.get("item")
        if not kind.startswith("output_item."):
            yield from self._items.take(kind, event)
        elif isinstance(item, dict):
            number = index if isinstance(index, int) else 0
            yield from (self._items.done if kind == "output_item.done" else self._items.added)(number, item)

    def _counted(self, events: Iterator[Event]) -> Iterator[Event]:
        """The same, after the beginning of the answer."""
        for event in events:
            yield from self._begin()
            self._said += len(getattr(event, "text", "") or getattr(event, "json", ""))
            yield event

    def _begin(self) -> Iterator[Event]:
        if not self._started:
            self._started = True
            yield Started(f"msg_{self._token}", "", Usage(input_tokens=self._estimate))

    def _end(self, response: Mapping[str, Any]) -> Iterator[Event]:
        yield from self._begin()
        yield from self._counted(self._items.end(response.get("output")))
        yield Finished(self._why(response), self._usage(response))
        yield Ended()

    def _why(self, response: Mapping[str, Any]) -> Stop:
        if self._items.notes.refused:
            return Stop.REFUSAL
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        if isinstance(reason, str):
            return _INCOMPLETE.get(reason, Stop.END_TURN)
        return Stop.TOOL_USE if self._items.notes.called else Stop.END_TURN

    def _usage(self, response: Mapping[str, Any]) -> Usage:
        usage = usages.read(response.get("usage")) or Usage()
        if not (usage.input_tokens or usage.cache_read_tokens or usage.cache_write_tokens):
            usage.input_tokens = self._estimate
        usage.output_tokens = usage.output_tokens or max(1, self._said // 4)
        return usage

    def _whole(self, body: bytes) -> Iterator[Event]:
        try:
            response = decode(body)
        except NotJson:
            response = None
        if not isinstance(response, dict) or response.get("error") or not isinstance(response.get("output"), list):
            yield Failed(classify.no_answer(body, "response"))
            return
        if response.get("status") not in (None, "completed", "incomplete"):
            words = f"the upstream's response is {response['status']!r}, not completed"
            yield self._failed(ErrorKind.MALFORMED, words)
            return
        yield from self._end(response)

    def _finish(self) -> Iterator[Event]:
        if last := self._frames.last():
            yield from self._frame(last)
        if not self._over:
            where = "in the middle of its answer" if self._items else "before its answer began"
            yield self._failed(ErrorKind.CUT, f"the upstream closed the connection {where}")


def _failure(event: Mapping[str, Any], response: Any, data: bytes) -> Failed:
    """The error stands in the event itself, under ``error``, or in the response that failed."""
    if isinstance(response, dict):
        said = response.get("error") or {"code": "server_error", "message": "the response failed without an error"}
        return Failed(classify.error_inside(encode({"error": said})))
    return Failed(classify.error_inside(data))
