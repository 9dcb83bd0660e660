"""A whole answer is the fold of its stream, and unfolds to a stream again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
from providers.chat.fold import AnswerBlock, WholeMessage, fold, unfold
from providers.chat.grammar import Grammar
from providers.errors import ErrorKind, UpstreamFailure
from providers.ports import Usage

property_test = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def test_a_stream_of_every_kind_of_block_folds() -> None:
    raw = {"type": "server_tool_use", "id": "s"}
    events: list[Event] = [
        Started("msg_1", "m", Usage(input_tokens=5)),
        BlockStarted(BlockKind.THINKING),
        ThinkingDelta("let "),
        ThinkingDelta("me"),
        SignatureDelta("sig"),
        BlockStopped(),
        BlockStarted(BlockKind.TEXT),
        TextDelta("a"),
        RawDelta({"type": "citations_delta"}),
        TextDelta("b"),
        BlockStopped(),
        BlockStarted(BlockKind.TOOL_USE, "toolu_1", "Bash"),
        ArgumentsDelta('{"a"'),
        ArgumentsDelta(":1}"),
        BlockStopped(),
        BlockStarted(BlockKind.RAW, raw=raw),
        ArgumentsDelta("{}"),
        BlockStopped(),
        Finished(Stop.STOP_SEQUENCE, Usage(input_tokens=6, output_tokens=7), "END"),
        Ended(),
    ]
    assert fold(events) == WholeMessage(
        id="msg_1",
        model="m",
        blocks=[
            AnswerBlock(BlockKind.THINKING, "let me", "sig"),
            AnswerBlock(BlockKind.TEXT, "ab", raw_deltas=[{"type": "citations_delta"}]),
            AnswerBlock(BlockKind.TOOL_USE, '{"a":1}', id="toolu_1", name="Bash"),
            AnswerBlock(BlockKind.RAW, "{}", raw=raw),
        ],
        stop=Stop.STOP_SEQUENCE,
        stop_sequence="END",
        usage=Usage(input_tokens=6, output_tokens=7),
    )


def test_what_a_failure_cut_short_keeps_its_whole_blocks() -> None:
    failed = Failed(UpstreamFailure(ErrorKind.CUT, "gone"))
    events: list[Event] = [Started("m", ""), BlockStarted(BlockKind.TEXT), TextDelta("a"), BlockStopped(), failed]
    assert fold(events).blocks == [AnswerBlock(BlockKind.TEXT, "a")]


def test_no_events_are_an_empty_message() -> None:
    assert fold([]) == WholeMessage()


def blocks() -> st.SearchStrategy[AnswerBlock]:
    words = st.text(max_size=8)
    raws: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({"type": st.just("new"), "x": words})
    return st.one_of(
        st.builds(AnswerBlock, st.just(BlockKind.TEXT), words, raw_deltas=st.lists(raws, max_size=2)),
        st.builds(AnswerBlock, st.just(BlockKind.THINKING), words, signature=words),
        st.builds(AnswerBlock, st.just(BlockKind.TOOL_USE), words, id=words, name=words),
        st.builds(AnswerBlock, st.just(BlockKind.RAW), words, raw=raws, raw_deltas=st.lists(raws, max_size=2)),
    )


def messages() -> st.SearchStrategy[WholeMessage]:
    words, counts = st.text(max_size=8), st.integers(0, 9)
    usages = st.builds(Usage, counts, counts, counts, counts, counts)
    several = st.lists(blocks(), max_size=4)
    return st.builds(WholeMessage, words, words, several, st.sampled_from(Stop), st.none() | words, usages)


@property_test
@given(message=messages())
def test_unfolding_is_in_order_and_folds_back(message: WholeMessage) -> None:
    grammar = Grammar()
    events = list(unfold(message))
    for event in events:
        grammar.take(event)
    assert grammar.ended
    assert grammar.blocks == len(message.blocks)
    assert fold(events) == message


@pytest.mark.parametrize("kind", list(BlockKind))
def test_an_empty_block_has_no_delta(kind: BlockKind) -> None:
    events = list(unfold(WholeMessage(blocks=[AnswerBlock(kind)])))
    assert events[1:3] == [BlockStarted(kind), BlockStopped()]
