"""A Chat Completions answer, streamed or whole, as neutral events. Pure.

Whatever the upstream's order, text, reasoning and tool calls come out as blocks one after the other. Text that
follows a tool call waits until the calls are whole, for a block once closed is a call that a client runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from providers import classify
from providers.chat.blocks import Blocks
from providers.chat.events import (
    BlockKind,
    BlockStarted,
    Ended,
    Event,
    Failed,
    Finished,
    Stop,
    TextDelta,
)
from providers.chat.reader import FrameReader
from providers.chat.sse import DONE, data_lines, is_json, name_of
from providers.dialects.openai_chat import deltas, reasoning_details
from providers.dialects.openai_chat import usage as usages
from providers.dialects.openai_chat.plain import PlainChunk, PlainDelta, plain_chunk
from providers.dialects.openai_chat.stops import failure_in, failure_in_choice, failure_of, stop_of
from providers.dialects.openai_chat.think_tags import Piece, ThinkTags
from providers.dialects.openai_chat.thought import Thought
from providers.dialects.openai_chat.tool_calls import ToolCalls
from providers.errors import ErrorKind
from providers.json_object import NotJson, decode
from providers.ports import Usage


class ChatReader(FrameReader):
    """See ``providers.chat.ports.EventReader``."""

    def __init__(
        self,
        token: str,
        provider: str,
        estimate: int,
        stop: tuple[str, ...],
        names: Mapping[str, str],
        tags: ThinkTags | None = None,
        hidden: bool = False,
    ) -> None:
        """``token`` makes ids, ``estimate`` is the input's tokens, ``stop`` and ``names`` are the request's.

        ``tags`` know how the model writes its thoughts into its text; ``hidden`` leaves all thoughts out.
        """
        super().__init__()
        self._usage = Usage(input_tokens=estimate)
        self._asked_stops = stop
        self._blocks = Blocks(token, partial(Thought, provider), hidden)
        self._tags: ThinkTags | None = tags or ThinkTags()
        self._told: list[str] = []  # reasoning that came in a field, while tags may repeat it
        self._repeated: list[str] = []  # thoughts in tags, while they may be the same again
        self._tools = ToolCalls(token, names, provider)
        self._calling = False  # a tool call has begun
        self._late: list[tuple[BlockKind, str]] = []  # text and reasoning that came after that
        self._counted = False
        self._unread: dict[str, Any] | None = None  # the latest counts of a stream that has them in every chunk
        self._stop: Stop | None = None
        self._sequence: str | None = None
        self._refused = False
        self._blank = False

    @property
    def closing(self) -> bool:
        """The reason to stop has come; only counts can follow."""
        return self._stop is not None

    def _frame(self, frame: bytes) -> Iterator[Event]:
        if not self._calling and (chunk := plain_chunk(frame)):
            delta = chunk.choices[0].delta
            text = delta.content
            if text and self._blocks.open is BlockKind.TEXT and chunk.usage is None and self._only_text(delta, text):
                self._blocks.said += len(text)
                yield TextDelta(text)
            else:
                yield from self._plain(chunk, delta)
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
        where = "in the middle of its answer" if self._blocks.said or self._calling else "before its answer began"
        yield self._failed(ErrorKind.CUT, f"the upstream closed the connection {where}")

    def _chunk(self, chunk: Mapping[str, Any], data: bytes) -> Iterator[Event]:
        if failure := failure_in(chunk, data):
            yield Failed(failure)
            return
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        self._count(usages.found(chunk, choice))
        if failure := failure_in_choice(choice):
            yield Failed(failure)
            return
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            yield from self._delta(delta)
        if not choice:
            return
        reason = choice.get("finish_reason")
        self._blank = reason == "" and self._calling  # xAI ends tool calls so (litellm 1.109.1)
        if isinstance(reason, str) and reason:
            yield from self._reason(reason, choice)

    def _count(self, reported: Usage | None) -> None:
        if reported is None:
            return
        self._unread = None
        if not (reported.input_tokens or reported.cache_read_tokens or reported.cache_write_tokens):
            reported.input_tokens = self._usage.input_tokens
        self._usage, self._counted = reported, reported.output_tokens > 0

    def _only_text(self, delta: PlainDelta, text: str) -> bool:
        if delta.reasoning_content or delta.reasoning:
            return False
        return self._tags is None or self._tags.passes(text)

    def _plain(self, chunk: PlainChunk, delta: PlainDelta) -> Iterator[Event]:
        if chunk.usage is not None and self._blocks.started:
            self._unread = chunk.usage
        elif chunk.usage is not None:
            self._count(usages.read(chunk.usage))
        if delta.reasoning_content:
            yield from self._reasoning("reasoning_content", delta.reasoning_content)
        elif delta.reasoning:
            yield from self._reasoning("reasoning", delta.reasoning)
        if delta.content:
            yield from self._content(delta.content)

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        for field, text in deltas.reasoning(delta):
            yield from self._reasoning(field, text)
        if not self._calling:
            self._blocks.thought.take(delta.get(reasoning_details.FIELD))
        yield from self._content(deltas.text_of(delta.get("content")))
        if sources := deltas.sources(delta):
            yield from self._cite(sources)
        for name in deltas.UNTOLD:
            if delta.get(name):
                self._lose(name)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._refused = True
            yield from self._say(BlockKind.REFUSAL, refusal)
        if pieces := deltas.calls(delta):
            yield from self._settle_tags()
            self._tools.take(pieces, deltas.call_signature(delta))
            self._calling = bool(self._tools)
            yield from self._tool_events()

    def _reasoning(self, field: str, text: str) -> Iterator[Event]:
        """Reasoning in a field of its own: the upstream tells it from text, so that no tag has to be looked for."""
        if self._tags is not None:
            self._tags.told()
            self._told += [text] if text.strip() else []
        self._blocks.thought.field = self._blocks.thought.field or field
        yield from self._say(BlockKind.THINKING, text)

    def _cite(self, sources: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
        """They come with the words or right behind them; what comes too late is lost."""
        if self._blocks.open is not BlockKind.TEXT:
            self._lose("citations")
        yield from self._blocks.cite(sources)

    def _content(self, text: str) -> Iterator[Event]:
        if self._tags is None or self._calling:
            yield from self._say(BlockKind.TEXT, text)
            return
        if text:
            yield from self._tagged(self._tags, self._tags.feed(text))
            if self._tags.done:
                self._tags = None

    def _tagged(self, tags: ThinkTags, pieces: Sequence[Piece]) -> Iterator[Event]:
        for kind, piece in pieces:
            if kind is BlockKind.THINKING and self._told:
                self._repeated.append(piece)
                continue
            if kind is BlockKind.THINKING:
                self._blocks.thought.field = self._blocks.thought.field or tags.name
            elif self._repeated:
                yield from self._not_repeated()
            yield from self._say(kind, piece)

    def _not_repeated(self) -> Iterator[Event]:
        """MiniMax and llama.cpp can send a thought twice, in its field and in tags: then it is said once.

        github.com/vellum-ai/vellum-assistant/pull/34556; llama.cpp's --reasoning-format deepseek-legacy (read 2026-11).
        """
        again, self._repeated = "".join(self._repeated), []
        if again.strip() not in "".join(self._told):
            yield from self._say(BlockKind.THINKING, again)

    def _settle_tags(self) -> Iterator[Event]:
        """No more text will be looked through for tags."""
        if self._tags is None:
            return
        tags, self._tags = self._tags, None
        yield from self._tagged(tags, tags.end())
        yield from self._not_repeated()
        # What a whole answer never closes was its text, however it began: no client may be left without.
        if self._stop is Stop.END_TURN and not (self._blocks.texted or self._calling or self._told):
            yield from self._say(BlockKind.TEXT, tags.unclosed)

    def _say(self, kind: BlockKind, text: str) -> Iterator[Event]:
        if self._calling and text:
            self._late.append((kind, text))
        elif text:
            yield from self._blocks.say(kind, text, self._usage)

    def _tool_events(self, final: bool = False) -> Iterator[Event]:
        for event in self._tools.events(final):
            if isinstance(event, BlockStarted):
                yield from self._blocks.make_way(self._usage)
                yield from self._blocks.begin(self._usage)
            self._blocks.said += 4
            yield event

    def _reason(self, reason: str, choice: Mapping[str, Any]) -> Iterator[Event]:
        if kind := failure_of(reason):
            yield self._failed(kind, f"the upstream ended its answer with finish_reason {reason!r}")
            return
        self._stop = stop_of(reason)
        matched = choice.get("stop_reason")  # vLLM names the sequence that it met
        if isinstance(matched, str) and matched in self._asked_stops:
            self._stop, self._sequence = Stop.STOP_SEQUENCE, matched
        yield from self._close_all()

    def _close_all(self) -> Iterator[Event]:
        yield from self._settle_tags()
        yield from self._tool_events(final=True)
        yield from self._blocks.close()
        for kind in (BlockKind.THINKING, BlockKind.TEXT, BlockKind.REFUSAL):
            late = "".join(text for said, text in self._late if said is kind)
            if late.strip() and self._blocks.shows(kind):
                yield from self._blocks.say(kind, late, self._usage)
                yield from self._blocks.close()
        self._late.clear()

    def _done(self) -> Iterator[Event]:
        if self._stop is None and not self._tools.all_whole:
            yield self._failed(ErrorKind.CUT, "the upstream ended in the middle of a tool call")
            return
        said_why = self._stop is not None
        self._stop = self._stop or Stop.END_TURN
        yield from self._settle_tags()
        if not (said_why or self._blocks.said or self._tools):
            yield self._failed(ErrorKind.CUT, "the upstream ended before its answer began")
            return
        yield from self._blocks.begin(self._usage)
        yield from self._close_all()
        yield Finished(self._why(self._stop), self._final_usage(), self._sequence)
        yield Ended()

    def _why(self, stop: Stop) -> Stop:
        if self._refused:
            return Stop.REFUSAL
        if self._calling:
            return Stop.TOOL_USE if stop is Stop.END_TURN else stop
        return Stop.END_TURN if stop is Stop.TOOL_USE else stop

    def _final_usage(self) -> Usage:
        self._count(usages.read(self._unread))
        if not self._counted:
            self._usage.output_tokens = max(1, self._blocks.said // 4)
        return self._usage
