"""A Chat Completions upstream's answer on its way to a Chat Completions client.

The bytes are the upstream's; only the model is named as it was asked for. Of a stream the first chunks are read, and
those that end it, count it or break it; any other has only the beginning that all chunks share replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from providers import classify
from providers.call import Call
from providers.chat.sse import DONE, FrameSplitter, FrameTooLarge, begins_stream, data_lines, is_json, name_of
from providers.dialects.openai_chat import deltas
from providers.dialects.openai_chat import usage as usages
from providers.dialects.openai_chat.errors import error_chunk
from providers.dialects.openai_chat.read_reply import ChatReader
from providers.dialects.openai_chat.requests import asks_for_usage
from providers.dialects.openai_chat.stops import failure_in, failure_in_choice, failure_of
from providers.dialects.openai_chat.write_reply import ChunkWriter
from providers.errors import ErrorKind, Fault, UpstreamFailure
from providers.json_object import JsonObject, NotJson, encode
from providers.ports import Usage
from providers.translation import Translation

_END = b"data: [DONE]\n\n"
# Inside a text the quotes of these would be escaped.
_UNFINISHED = (b'"finish_reason":null', b'"finish_reason": null')
_CALLS = re.compile(rb'"tool_calls"\s*:\s*\[\s*\{')
_SAID = ("content", *deltas.REASONING, "refusal", "tool_calls", "function_call")


class ChunkStream:
    """See ``providers.call.StreamReader``."""

    def __init__(self, call: Call) -> None:
        self.begun = False
        self.ended = False
        self.failure: UpstreamFailure | None = None
        self.usage = Usage()
        self._call = call
        self._counted = asks_for_usage(call.body)  # the client wants the chunk with the counts
        self._frames = FrameSplitter()
        self._naming: tuple[bytes, bytes] | None = None  # how chunks begin up to the model's name, and should
        self._unfinished = _UNFINISHED[0]  # how chunks say that more will come
        self._stopped = False  # a finish_reason has come
        self._blank = False  # an empty one has: so xAI ends tool calls (litellm 1.109.1)
        self._calling = False

    def feed(self, data: bytes) -> bytes:
        if self._over:
            return b""
        if self.begun and not self._frames.holding and (passed := self._at_once(data)):
            return passed
        try:
            frames = self._frames.feed(data)
        except FrameTooLarge:
            self._broken("an event without an end")
            return b""
        return b"".join(self._take(each) for each in frames)

    def finish(self) -> bytes:
        if self._over:
            return b""
        rest = self._frames.last()
        last = self._take(rest) if rest else b""
        if self._over:
            return last
        if self._stopped or self._blank:
            self.ended = True
            return last + _END
        where = "in the middle of its answer" if self.begun else "before its answer began"
        self.failure = UpstreamFailure(ErrorKind.CUT, f"the upstream closed the connection {where}")
        return last

    def take_whole(self, body: bytes) -> bytes:
        """Some servers answer whole whatever was asked."""
        return _otherwise(self, _translation(self._call, True), body)

    def failed(self, fault: Fault) -> bytes:
        return error_chunk(fault)

    @property
    def closing(self) -> bool:
        return self._stopped

    @property
    def _over(self) -> bool:
        return self.ended or self.failure is not None

    def _at_once(self, data: bytes) -> bytes:
        """A read of whole chunks that hold nothing but pieces of the answer, as nearly all do; else nothing."""
        if self._naming is None or not data.endswith(b"\n\n"):
            return b""
        old, new = self._naming
        chunks = data.count(b"\n\n")
        plain = data.startswith(old) and data.count(old) == chunks == data.count(self._unfinished)
        if not plain or b'"usage":{' in data or b'"usage": {' in data or b'"error"' in data:
            return b""
        self._calling = self._calling or (b'"tool_calls"' in data and bool(_CALLS.search(data)))
        return data if old is new else data.replace(old, new)

    def _take(self, frame: bytes) -> bytes:
        if self._over:
            return b""
        lines = data_lines(frame)
        joined = b"\n".join(lines).strip()
        if name_of(frame) == b"error" and joined:
            self.failure = classify.error_inside(joined)
            return b""
        if len(lines) > 1 and not is_json(joined):  # no blank lines between events
            return b"".join(self._take(b"data: " + line + b"\n\n") for line in lines)
        if not joined:
            return frame
        if joined.startswith(DONE):
            return self._done(frame)
        try:
            return self._chunk(JsonObject(joined), frame)
        except NotJson:
            return self._no_chunk(joined)

    def _no_chunk(self, data: bytes) -> bytes:
        if is_json(data) and classify.words(data):
            self.failure = classify.error_inside(data)
        else:
            self._broken("an event that is not JSON")
        return b""

    def _chunk(self, chunk: JsonObject, frame: bytes) -> bytes:
        choice = _choice(chunk)
        self.failure = failure_in(chunk, chunk.raw) or failure_in_choice(choice)
        if self.failure:
            return b""
        counted = usages.found(chunk, choice)
        self.usage = counted or self.usage
        if not choice:
            return b"" if counted and not self._counted else self._named(chunk, frame)
        self._note(choice)
        return b"" if self.failure else self._named(chunk, frame)

    def _note(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta") or choice.get("message") or {}
        if isinstance(delta, dict):
            self.begun = self.begun or any(delta.get(field) for field in _SAID)
            self._calling = self._calling or bool(delta.get("tool_calls") or delta.get("function_call"))
        reason = choice.get("finish_reason")
        self._blank = reason == "" and self._calling
        if isinstance(reason, str) and reason:
            self._stopped = self.begun = True
            if kind := failure_of(reason):
                words = f"the upstream ended its answer with finish_reason {reason!r}"
                self.failure = UpstreamFailure(kind, words)

    def _done(self, frame: bytes) -> bytes:
        if self._stopped or self._blank or (self.begun and not self._calling):
            self.ended = True
            return frame
        where = "in the middle of a tool call" if self.begun else "before its answer began"
        self.failure = UpstreamFailure(ErrorKind.CUT, f"the upstream ended {where}")
        return b""

    def _named(self, chunk: JsonObject, frame: bytes) -> bytes:
        """The chunk with the model that was asked for."""
        named = chunk.get("model")
        if not isinstance(named, str):
            return frame
        renamed = chunk.edited(_model_edit(chunk, self._call.model))
        self._learn(chunk.raw, renamed, named)
        return frame if renamed is chunk.raw else b"data: " + renamed + b"\n\n"

    def _learn(self, raw: bytes, renamed: bytes, named: str) -> None:
        """How this upstream's chunks begin. Its model stands early in them, before the answer's piece."""
        for colon in (b":", b": "):
            head, member, _ = raw.partition(b'"model"' + colon + encode(named))
            if not member or b'"choices"' in head:
                continue
            new = head + b'"model"' + colon + encode(self._call.model)
            if renamed.startswith(new) and (said := next((each for each in _UNFINISHED if each in raw), b"")):
                self._unfinished = said
                old = b"data: " + head + member
                self._naming = (old, old if renamed is raw else b"data: " + new)

    def _broken(self, what: str) -> None:
        self.failure = UpstreamFailure(ErrorKind.MALFORMED, f"the upstream sent {what}")


class PassedCompletion:
    """See ``providers.call.StreamReader``. A whole completion, its model named as it was asked for."""

    begun = closing = False

    def __init__(self, call: Call) -> None:
        self.ended = False
        self.failure: UpstreamFailure | None = None
        self.usage = Usage()
        self._call = call

    def feed(self, data: bytes) -> bytes:
        """Never called: no stream was asked for."""
        return self.take_whole(data)

    def finish(self) -> bytes:
        return self.take_whole(b"")

    def take_whole(self, body: bytes) -> bytes:
        """A stream, where that came all the same, is folded."""
        if body and begins_stream(body):
            return _otherwise(self, _translation(self._call, False), body)
        try:
            completion = JsonObject(body)
            choice = _choice(completion)
            if not completion.get("choices"):
                raise NotJson
        except NotJson:
            self.failure = classify.no_answer(body, "chat completion")
            return b""
        self.failure = failure_in(completion, body) or failure_in_choice(choice)
        return b"" if self.failure else self._passed(completion, choice)

    def failed(self, fault: Fault) -> bytes:
        """Never called: what comes as one body fails before any of it is sent."""
        return error_chunk(fault)

    def _passed(self, completion: JsonObject, choice: Mapping[str, Any]) -> bytes:
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and (kind := failure_of(reason)):
            self.failure = UpstreamFailure(kind, f"the upstream ended its answer with finish_reason {reason!r}")
            return b""
        self.usage = usages.found(completion, choice) or self.usage
        self.ended = True
        return completion.edited(_model_edit(completion, self._call.model))


def _translation(call: Call, stream: bool) -> Translation:
    """For an answer that came in the other form than the one that was asked for."""
    token = call.request_id.removeprefix("req_")
    reader = ChatReader(token, "", call.estimate(), (), {})
    return Translation(reader, ChunkWriter(call.model, call.received, asks_for_usage(call.body)), stream)


def _otherwise(reader: ChunkStream | PassedCompletion, translation: Translation, body: bytes) -> bytes:
    """All that the client gets of such an answer; the reader ends as the translation does."""
    streamed = begins_stream(body)
    passed = translation.feed(body) + translation.finish() if streamed else translation.take_whole(body)
    reader.ended, reader.failure, reader.usage = translation.ended, translation.failure, translation.usage
    return passed


def _choice(holder: JsonObject) -> Mapping[str, Any]:
    choices = holder.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _model_edit(holder: JsonObject, echo: str) -> dict[str, bytes | None]:
    return {} if holder.get("model") == echo else {"model": encode(echo)}
