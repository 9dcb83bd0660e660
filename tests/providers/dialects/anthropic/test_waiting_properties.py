"""Any answer, however it comes and ends, says after a long wait what it would have said at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providers.call import Call, Operation
from providers.chat.events import BlockKind, BlockStarted, BlockStopped, Event, Failed, Finished, Started
from providers.dialects.anthropic import DIALECT
from providers.dialects.anthropic.read_reply import MessageReader
from providers.json_object import JsonObject
from providers.ports import Usage
from tests.providers.support import Counted, by_the_book, property_test
from tests.upstream import Block, block, redacted_thinking, text, thinking, tool_use

ESTIMATE = 77
NOISE = [b": a comment", b'event: ping\ndata: {"type": "ping"}', b"event: news\ndata: 1", b"id: 7"]

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.just('"index":0}\n\n')
blocks = st.lists(
    st.builds(text, words)
    | st.just(text(""))
    | st.builds(thinking, words, words)
    | st.builds(redacted_thinking, words)
    | st.builds(tool_use, st.just("Bash"), st.dictionaries(words, words, max_size=2), st.just("toolu_1")),
    max_size=4,
)
counts = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": st.integers(0, 9) | st.none(),
        "cache_read_input_tokens": st.integers(0, 9) | st.none(),
        "cache_creation_input_tokens": st.integers(0, 9),
        "output_tokens": st.integers(1, 9),
    },
)
usages = st.none() | counts
groups = st.lists(st.integers(0, 40), max_size=6)


@dataclass(frozen=True)
class Answer:
    """An answer's events as a stream, each a whole frame."""

    frames: tuple[bytes, ...]

    def grouped(self, cuts: Sequence[int]) -> list[bytes]:
        """The same bytes in reads of whole frames, some of them empty."""
        edges = [0, *sorted(min(cut, len(self.frames)) for cut in cuts), len(self.frames)]
        return [b"".join(self.frames[start:end]) for start, end in pairwise(edges)]


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    content = draw(blocks)
    events = [_start(draw(usages)), *_content(content), *_end(content, draw(usages))]
    if draw(st.booleans()):
        at = draw(st.integers(0, len(events)))
        failure = {"type": "error", "error": {"type": "api_error", "message": "Sorry"}}
        events[at:] = [failure] if draw(st.booleans()) else []
    frames = [piece for event in events for piece in (*draw(st.lists(st.sampled_from(NOISE), max_size=1)), event)]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    return Answer(tuple(_frame(each, end, separators) for each in frames))


def _frame(event: bytes | dict[str, Any], end: str, separators: tuple[str, str]) -> bytes:
    if isinstance(event, dict):
        event = f"event: {event['type']}\ndata: {json.dumps(event, separators=separators)}".encode()
    return (event + b"\n\n").replace(b"\n", end.encode())


def _start(usage: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "msg_up", "model": "asked/for", "content": [], "usage": usage}}


def _content(content: list[Block]) -> list[Any]:
    raw = b"".join(piece for index, each in enumerate(content) for piece in block(index, each))
    return [json.loads(data) for _, data in by_the_book(raw)]


def _end(content: list[Block], usage: Any) -> list[Any]:
    stop = "tool_use" if any(each.whole["type"] == "tool_use" for each in content) else "end_turn"
    return [{"type": "message_delta", "delta": {"stop_reason": stop}, "usage": usage}, {"type": "message_stop"}]


def sent(answer: Answer, cuts: Sequence[int], holds: int) -> bytes:
    body = JsonObject(b"{}")
    call = Call("req_1", "anthropic", Operation.MESSAGES, body, "asked/for", True, estimate=Counted(ESTIMATE))
    waiting = DIALECT.waiting(call)
    before = b"".join(waiting.ping() + waiting.hold() for _ in range(holds)) + waiting.ping()
    return before + b"".join([waiting.join(data) for data in answer.grouped(cuts)])


def read(raw: bytes) -> list[Event]:
    """Its neutral events; the reader fails where they are out of order."""
    reader = MessageReader()
    return reader.feed(raw) + reader.finish()


@property_test
@given(answer=answers(), cuts=groups, holds=st.integers(0, 3))
def test_a_joined_answer_says_what_the_answer_says(answer: Answer, cuts: list[int], holds: int) -> None:
    own = read(b"".join(answer.frames))
    joined = read(sent(answer, cuts, holds))
    if not holds:
        assert _told(joined) == _told(own)
        return
    assert joined[0] == Started("msg_1", "asked/for", Usage(input_tokens=ESTIMATE, output_tokens=1))
    said: list[Event] = [event for event in own if not isinstance(event, Started)]
    assert _told(joined[1:]) == _told(_after_ours(said))


def _after_ours(events: list[Event]) -> list[Event]:
    """With our block before an answer that does not begin with text; left open where nothing but a failure comes."""
    first = events[0]
    if isinstance(first, BlockStarted) and first.kind is BlockKind.TEXT:
        return events
    ours: list[Event] = [BlockStarted(BlockKind.TEXT)]
    return ours + ([] if isinstance(first, Failed) else [BlockStopped()]) + events


def _told(events: list[Event]) -> list[object]:
    """Events as far as a client can tell them apart; what is never reported is what was told at the beginning."""
    return [_kind(event) if isinstance(event, Failed) else _counted(event) for event in events]


def _kind(failed: Failed) -> object:
    return failed.failure.kind


def _counted(event: Event) -> object:
    if not isinstance(event, Finished):
        return event
    usage = event.usage
    counted = (usage.input_tokens or ESTIMATE, usage.output_tokens or 1)
    return event.stop, counted, usage.cache_read_tokens, usage.cache_write_tokens


@property_test
@given(answer=answers(), cuts=groups, holds=st.integers(1, 3))
def test_a_joined_answer_has_one_beginning_and_its_blocks_in_order(answer: Answer, cuts: list[int], holds: int) -> None:
    events = [(name, json.loads(data)) for name, data in by_the_book(sent(answer, cuts, holds)) if name != b"news"]
    assert [name for name, _ in events].count(b"message_start") == 1
    opened, closed = 0, 0
    for name, event in events:
        if name == b"content_block_start":
            assert event["index"] == opened == closed
            opened += 1
        elif name.startswith(b"content_block"):
            assert event["index"] == closed == opened - 1
            closed += name == b"content_block_stop"
        elif name.startswith(b"message_") and name != b"message_start":
            assert opened == closed


@property_test
@given(answer=answers(), cuts=groups, holds=st.integers(0, 3))
def test_it_is_all_one_how_the_answer_is_cut(answer: Answer, cuts: list[int], holds: int) -> None:
    whole = sent(answer, [], holds)
    assert sent(answer, cuts, holds) == whole
    if not holds:
        assert whole.endswith(b"".join(answer.frames))
