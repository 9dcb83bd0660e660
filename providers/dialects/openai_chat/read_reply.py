"""A Chat Completions answer, streamed or whole, as neutral events. Pure.

Whatever the upstream's order, text, reasoning and tool calls come out as blocks one after the other. Text that
follows a tool call waits until the calls are whole, for a block once closed is a call that a client runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from providers import classify
from providers.chat.events import (
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Failed,
    Finished,
    SignatureDelta,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from providers.chat.reader import FrameReader
from providers.chat.request import OURS
from providers.chat.sse import DONE, data_lines, is_json, name_of
from providers.dialects.openai_chat import usage as usages
from providers.dialects.openai_chat.plain import plain_text
from providers.dialects.openai_chat.tool_calls import ToolCalls
from providers.errors import ErrorKind
from providers.json_object import NotJson, decode
from providers.ports import Usage

# Reasons to stop, with those that litellm 1.109.1 and the providers' own pages name (read 2026-11).
STOPS: Mapping[str, Stop] = {
    "stop": Stop.END_TURN,
    "end_turn": Stop.END_TURN,
    "eos": Stop.END_TURN,
    "eos_token": Stop.END_TURN,
    "stop_sequence": Stop.STOP_SEQUENCE,
    "length": Stop.MAX_TOKENS,
    "max_tokens": Stop.MAX_TOKENS,
    "model_length": Stop.MAX_TOKENS,
    "tool_calls": Stop.TOOL_USE,
    "function_call": Stop.TOOL_USE,
    "tool_use": Stop.TOOL_USE,
    "content_filter": Stop.REFUSAL,
    "refusal": Stop.REFUSAL,
    "sensitive": Stop.REFUSAL,
    "guardrail_intervened": Stop.REFUSAL,
    "safety": Stop.REFUSAL,
    "recitation": Stop.REFUSAL,
    "blocklist": Stop.REFUSAL,
    "prohibited_content": Stop.REFUSAL,
    "spii": Stop.REFUSAL,
    "language": Stop.REFUSAL,
    "other": Stop.REFUSAL,
}
_FAILURES: Mapping[str, ErrorKind] = {
    "error": ErrorKind.SERVER_ERROR,
    "network_error": ErrorKind.SERVER_ERROR,
    "insufficient_system_resource": ErrorKind.OVERLOADED,
    "malformed_function_call": ErrorKind.SERVER_ERROR,
    "unexpected_tool_call": ErrorKind.SERVER_ERROR,
    "too_many_tool_calls": ErrorKind.SERVER_ERROR,
    "missing_thought_signature": ErrorKind.SERVER_ERROR,
}

_REASONING = ("reasoning_content", "reasoning", "reasoning_details")


class ChatReader(FrameReader):
    """See ``providers.call.EventReader``."""

    def __init__(
        self, token: str, provider: str, estimate: int, stop: tuple[str, ...], names: Mapping[str, str]
    ) -> None:
        """``token`` makes ids, ``estimate`` is the input's tokens, ``stop`` and ``names`` are the request's."""
        super().__init__()
        self._token = token
        self._provider = provider
        self._usage = Usage(input_tokens=estimate)
        self._asked_stops = stop
        self._tools = ToolCalls(token, names)
        self._open: BlockKind | None = None  # text or thinking; tool calls have their own book
        self._late: list[tuple[BlockKind, str]] = []  # text and reasoning that came after a tool call began
        self._field = ""  # that reasoning came in
        self._said = 0  # characters of the answer
        self._counted = False
        self._stop: Stop | None = None
        self._sequence: str | None = None
        self._refused = False
        self._blank = False
        self._started = False

    @property
    def closing(self) -> bool:
        """The reason to stop has come; only counts can follow."""
        return self._stop is not None

    def _frame(self, frame: bytes) -> Iterator[Event]:
        if self._open is BlockKind.TEXT and not self._tools and (text := plain_text(frame)):
            self._said += len(text)
            yield TextDelta(text)
            return
        lines = data_lines(frame)
        if len(lines) == 1 and frame.startswith(b"data"):
            yield from self._data(lines[0])
            return
        joined = b"\n".join(lines)
        if not joined.strip():
            return
        if name_of(frame) == b"error":
            yield Failed(classify.error_inside(joined))
            return
        # Some servers leave out the blank line between events: then each line is one.
        for data in [joined] if len(lines) == 1 or is_json(joined) else lines:
            yield from self._data(data)

    def _data(self, data: bytes) -> Iterator[Event]:
        if not data.startswith(b"{"):
            data = data.strip()
            if data.startswith(DONE):
                yield from self._done()
            if not data or data.startswith(DONE):
                return
        try:
            chunk = decode(data)
        except NotJson:
            yield self._failed(ErrorKind.MALFORMED, "the upstream sent an event that is not JSON")
            return
        if isinstance(chunk, dict):
            yield from self._chunk(chunk, data)
        elif isinstance(chunk, list) and classify.words(data):
            yield Failed(classify.error_inside(data))

    def _whole(self, body: bytes) -> Iterator[Event]:
        try:
            answer = decode(body)
        except NotJson:
            answer = None
        if not isinstance(answer, dict) or not answer.get("choices"):
            yield Failed(classify.no_answer(body, "chat completion"))
            return
        yield from self._chunk(answer, body)
        yield from self._done()

    def _finish(self) -> Iterator[Event]:
        if last := self._frames.last():
            yield from self._frame(last)
        if self._over:
            return
        if self._stop is not None or (self._blank and self._tools.all_said):
            yield from self._done()
            return
        where = "in the middle of its answer" if self._said or self._tools else "before its answer began"
        yield self._failed(ErrorKind.CUT, f"the upstream closed the connection {where}")

    def _chunk(self, chunk: Mapping[str, Any], data: bytes) -> Iterator[Event]:
        if chunk.get("error") or (chunk.get("choices") is None and classify.words(data)):
            yield Failed(classify.error_inside(data))
            return
        self._count(chunk)
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
        if choice is None:
            return
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            yield from self._delta(delta)
        reason = choice.get("finish_reason")
        self._blank = reason == "" and bool(self._tools)  # xAI ends tool calls so (litellm 1.109.1)
        if isinstance(reason, str) and reason:
            yield from self._reason(reason, choice)

    def _count(self, chunk: Mapping[str, Any]) -> None:
        groq = chunk.get("x_groq")
        reported = usages.read(chunk.get("usage")) or usages.read(groq.get("usage") if isinstance(groq, dict) else None)
        if reported is None:
            return
        if not (reported.input_tokens or reported.cache_read_tokens or reported.cache_write_tokens):
            reported.input_tokens = self._usage.input_tokens
        self._usage, self._counted = reported, reported.output_tokens > 0

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        for field, reasoning in _reasoning(delta):
            self._field = self._field or field
            yield from self._say(BlockKind.THINKING, reasoning)
        yield from self._say(BlockKind.TEXT, _text(delta.get("content")))
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._refused = True
            yield from self._say(BlockKind.TEXT, refusal)
        pieces = delta.get("tool_calls") or _legacy(delta.get("function_call"))
        if pieces:
            self._tools.take(pieces)
            yield from self._tool_events()

    def _say(self, kind: BlockKind, text: str) -> Iterator[Event]:
        if not text:
            return
        if self._tools:
            self._late.append((kind, text))
            return
        self._said += len(text)
        if self._open is not kind:
            yield from self._close()
            yield from self._begin_block(kind)
        yield TextDelta(text) if kind is BlockKind.TEXT else ThinkingDelta(text)

    def _begin_block(self, kind: BlockKind) -> Iterator[Event]:
        yield from self._begin()
        self._open = kind
        yield BlockStarted(kind)

    def _begin(self) -> Iterator[Event]:
        if not self._started:
            self._started = True
            yield Started(f"msg_{self._token}", "", Usage(input_tokens=self._usage.input_tokens))

    def _close(self) -> Iterator[Event]:
        if self._open is BlockKind.THINKING:
            yield SignatureDelta(f"{OURS}{self._provider}:{self._field}")
        if self._open is not None:
            yield BlockStopped()
        self._open = None

    def _tool_events(self, final: bool = False) -> Iterator[Event]:
        for event in self._tools.events(final):
            if isinstance(event, BlockStarted):
                yield from self._close()
                yield from self._begin()
            self._said += 4
            yield event

    def _reason(self, reason: str, choice: Mapping[str, Any]) -> Iterator[Event]:
        if kind := failure_kind(reason):
            yield self._failed(kind, f"the upstream ended its answer with finish_reason {reason!r}")
            return
        self._stop = _stop_of(reason.lower())
        matched = choice.get("stop_reason")  # vLLM names the sequence that it met
        if isinstance(matched, str) and matched in self._asked_stops:
            self._stop, self._sequence = Stop.STOP_SEQUENCE, matched
        yield from self._close_all()

    def _close_all(self) -> Iterator[Event]:
        yield from self._tool_events(final=True)
        yield from self._close()
        for kind in (BlockKind.THINKING, BlockKind.TEXT):
            late = "".join(text for said, text in self._late if said is kind)
            if late.strip():
                yield from self._begin_block(kind)
                yield TextDelta(late) if kind is BlockKind.TEXT else ThinkingDelta(late)
                yield from self._close()
        self._late.clear()

    def _done(self) -> Iterator[Event]:
        if self._stop is None and not self._tools.all_whole:
            yield self._failed(ErrorKind.CUT, "the upstream ended in the middle of a tool call")
            return
        yield from self._begin()
        yield from self._close_all()
        yield Finished(self._why(), self._final_usage(), self._sequence)
        yield Ended()

    def _why(self) -> Stop:
        stop = self._stop or Stop.END_TURN
        if self._refused:
            return Stop.REFUSAL
        if self._tools:
            return Stop.TOOL_USE if stop is Stop.END_TURN else stop
        return Stop.END_TURN if stop is Stop.TOOL_USE else stop

    def _final_usage(self) -> Usage:
        if not self._counted:
            self._usage.output_tokens = max(1, self._said // 4)
        return self._usage


def _stop_of(reason: str) -> Stop:
    """An unknown reason, of which new ones come, is a plain end; Gemini's IMAGE_... ones are all refusals."""
    return STOPS.get(reason, Stop.REFUSAL if reason.startswith("image_") else Stop.END_TURN)


def failure_kind(reason: str) -> ErrorKind | None:
    """What failed, where a finish_reason says that something did."""
    return _FAILURES.get(reason.lower())


def _reasoning(delta: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The first field that holds reasoning, and Mistral's thinking parts inside ``content``."""
    for field in _REASONING:
        if text := _details(delta.get(field)):
            yield field, text
            return
    content = delta.get("content")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and part.get("type") == "thinking" and (text := _text(part.get("thinking"))):
            yield "content", text


def _details(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    parts = (part.get("text") or part.get("summary") for part in value if isinstance(part, dict))
    return "".join(part for part in parts if isinstance(part, str))


def _text(content: Any) -> str:
    """A string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, dict) and part.get("type", "text") == "text")
    return "".join(part for part in parts if isinstance(part, str))


def _legacy(call: Any) -> list[dict[str, Any]]:
    """The ``function_call`` of before 2023-11, as a tool call."""
    return [{"index": 0, "function": call}] if isinstance(call, dict) else []


def signature_field(signature: str, provider: str) -> str:
    """The field that this provider sent a thought in, "" where another made it."""
    mark = f"{OURS}{provider}:"
    return signature.removeprefix(mark) if signature.startswith(mark) else ""
