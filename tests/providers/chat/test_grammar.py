"""The order of events: every event in every state, and every run of events."""

from __future__ import annotations

from itertools import product

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
from providers.chat.grammar import Grammar, OutOfOrder
from providers.errors import ErrorKind, UpstreamFailure
from providers.ports import Usage

STARTED = Started("msg_1", "m")
FINISHED = Finished(Stop.END_TURN, Usage())
FAILED = Failed(UpstreamFailure(ErrorKind.CUT, "gone"))
TEXT, REFUSAL, THINKING, TOOL, RAW = (BlockStarted(kind) for kind in BlockKind)

EVENTS: dict[str, Event] = {
    "Started": STARTED,
    "text block": TEXT,
    "refusal block": REFUSAL,
    "thinking block": THINKING,
    "tool block": TOOL,
    "raw block": RAW,
    "TextDelta": TextDelta("x"),
    "ThinkingDelta": ThinkingDelta("x"),
    "SignatureDelta": SignatureDelta("x"),
    "ArgumentsDelta": ArgumentsDelta("{}"),
    "RawDelta": RawDelta({}),
    "BlockStopped": BlockStopped(),
    "Finished": FINISHED,
    "Ended": Ended(),
    "Failed": FAILED,
}

# How to come to a state, and what may follow there.
STATES: dict[str, tuple[list[Event], set[str]]] = {
    "NEW": ([], {"Started", "Failed"}),
    "BETWEEN": (
        [STARTED],
        {"text block", "refusal block", "thinking block", "tool block", "raw block", "Finished", "Failed"},
    ),
    "TEXT": ([STARTED, TEXT], {"TextDelta", "RawDelta", "BlockStopped", "Failed"}),
    "THINKING": ([STARTED, THINKING], {"ThinkingDelta", "SignatureDelta", "BlockStopped", "Failed"}),
    "TOOL_USE": ([STARTED, TOOL], {"ArgumentsDelta", "BlockStopped", "Failed"}),
    "RAW": ([STARTED, RAW], {"ArgumentsDelta", "RawDelta", "BlockStopped", "Failed"}),
    "FINISHED": ([STARTED, FINISHED], {"Ended", "Failed"}),
    "ENDED": ([STARTED, FINISHED, Ended()], set()),
    "FAILED": ([STARTED, FAILED], set()),
}


def grammar_after(events: list[Event]) -> Grammar:
    grammar = Grammar()
    for event in events:
        grammar.take(event)
    return grammar


@pytest.mark.parametrize(("state", "name"), list(product(STATES, EVENTS)))
def test_an_event_is_taken_where_it_may_come_and_nowhere_else(state: str, name: str) -> None:
    before, allowed = STATES[state]
    grammar = grammar_after(before)
    assert grammar.state.name == state
    if name in allowed:
        grammar.take(EVENTS[name])
        return
    with pytest.raises(OutOfOrder, match=f"may not come while {state}"):
        grammar.take(EVENTS[name])
    assert grammar.state.name == state


@pytest.mark.parametrize("block", [TEXT, THINKING, TOOL, RAW], ids=lambda block: str(block.kind))
def test_a_block_closes_to_between_and_is_counted(block: BlockStarted) -> None:
    grammar = grammar_after([STARTED, block])
    assert (grammar.blocks, grammar.begun) == (1, False)
    grammar.take(BlockStopped())
    assert (grammar.state.name, grammar.blocks, grammar.begun) == ("BETWEEN", 1, True)


@pytest.mark.parametrize("delta", [TextDelta("x"), RawDelta({})])
def test_the_first_content_begins_an_answer(delta: Event) -> None:
    grammar = grammar_after([STARTED, TEXT])
    grammar.take(delta)
    assert grammar.begun


def test_an_empty_answer_begins_with_its_end() -> None:
    grammar = grammar_after([STARTED])
    assert not grammar.begun
    grammar.take(FINISHED)
    assert (grammar.begun, grammar.ended) == (True, False)
    grammar.take(Ended())
    assert grammar.ended


def test_a_signature_alone_is_no_content() -> None:
    assert not grammar_after([STARTED, THINKING, SignatureDelta("s")]).begun


def test_a_failure_ends_nothing_well() -> None:
    grammar = grammar_after([STARTED, TEXT, TextDelta("x"), FAILED])
    assert (grammar.begun, grammar.ended) == (True, False)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(names=st.lists(st.sampled_from(list(EVENTS)), max_size=20))
def test_in_any_run_one_block_is_open_at_a_time_and_one_end_is_last(names: list[str]) -> None:
    grammar, taken = Grammar(), list[Event]()
    for name in names:
        try:
            grammar.take(EVENTS[name])
        except OutOfOrder:
            continue
        taken.append(EVENTS[name])
    opened = 0
    for number, event in enumerate(taken):
        opened += isinstance(event, BlockStarted) - isinstance(event, BlockStopped)
        assert opened in (0, 1)
        assert (number == 0) is isinstance(event, Started) or isinstance(event, Failed)
        assert not isinstance(event, Ended | Failed) or number == len(taken) - 1
    assert grammar.blocks == sum(isinstance(event, BlockStarted) for event in taken)
