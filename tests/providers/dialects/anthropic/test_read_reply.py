"""A Messages stream as neutral events: what is odd is put right, what is broken is one clear failure."""

from __future__ import annotations

from typing import Any

import pytest

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
from providers.chat.fold import fold
from providers.chat.grammar import Grammar
from providers.dialects.anthropic.read_reply import MessageReader, stop_of
from providers.ports import Usage
from tests.upstream import (
    block,
    block_delta,
    block_start,
    block_stop,
    frames,
    message_delta,
    message_start,
    message_stop,
    ping,
    sse,
    text,
    thinking,
    tool_use,
)

START = message_start("upstream", {"input_tokens": 11, "output_tokens": 1}, "msg_1")
HI = b"".join(block(0, text("Hi", 1)))
END = message_delta() + message_stop()


def events(*parts: bytes) -> list[Event]:
    """All events of these reads and the upstream's end, which are in order."""
    machine = MessageReader()
    made = [event for part in parts for event in machine.feed(part)] + machine.finish()
    grammar = Grammar()
    for event in made:
        grammar.take(event)
    assert isinstance(made[-1], Ended | Failed)
    return made


def test_every_kind_of_block() -> None:
    call = tool_use("Bash", {"a": 1}, "toolu_1", 2)
    made = events(*frames("upstream", [thinking("hm", "sig", 1), text("Hi", 1), call]))
    assert [event for event in made if not isinstance(event, Started)] == [
        BlockStarted(BlockKind.THINKING),
        ThinkingDelta("hm"),
        SignatureDelta("sig"),
        BlockStopped(),
        BlockStarted(BlockKind.TEXT),
        TextDelta("Hi"),
        BlockStopped(),
        BlockStarted(BlockKind.TOOL_USE, "toolu_1", "Bash"),
        ArgumentsDelta('{"a"'),
        ArgumentsDelta(": 1}"),
        BlockStopped(),
        Finished(Stop.TOOL_USE, Usage(11, 7)),
        Ended(),
    ]


def test_events_come_as_they_arrive() -> None:
    machine = MessageReader()
    assert machine.feed(START) == [Started("msg_1", "upstream", Usage(11, 1))]
    opened, delta, closed = block(0, text("Hi", 1))
    assert machine.feed(opened) == [BlockStarted(BlockKind.TEXT)]
    assert machine.feed(delta) == [TextDelta("Hi")]
    assert machine.feed(closed) == [BlockStopped()]
    assert not machine.closing
    assert machine.feed(message_delta()) == []
    assert machine.closing
    assert machine.feed(message_stop())[-1] == Ended()


def test_unknown_blocks_and_deltas_are_kept_as_they_came() -> None:
    odd = {"type": "new_block", "x": [1]}
    made = events(
        START,
        sse({"type": "content_block_start", "index": 0, "content_block": odd}),
        block_delta(0, {"type": "new", "y": 2}),
        block_stop(0),
        END,
    )
    assert made[1:4] == [BlockStarted(BlockKind.RAW, raw=odd), RawDelta({"type": "new", "y": 2}), BlockStopped()]


@pytest.mark.parametrize(
    "noise",
    [
        ping(),
        b": hi\n\n",
        sse({"type": "new_event"}),
        b"data: not json\n\n",
        b"\n\n",
        b"event: ping\n\n",
        b"data: []\n\n",
    ],
)
def test_noise_says_nothing(noise: bytes) -> None:
    assert events(noise, START + noise, noise + HI + noise, message_delta() + noise, message_stop()) == events(
        START, HI, END
    )


@pytest.mark.parametrize("value", ["", None, 5, [], {}])
def test_deltas_that_say_nothing_are_none(value: Any) -> None:
    opened, delta, closed = block(0, text("Hi", 1))
    empty = block_delta(0, {"type": "text_delta", "text": value})
    assert events(START, opened, empty, delta, empty, closed, END) == events(START, HI, END)


def test_data_without_event_lines_is_read() -> None:
    stream = b"".join(line + b"\n\n" for line in (START + HI + END).split(b"\n") if line.startswith(b"data:"))
    assert events(stream) == events(START, HI, END)


@pytest.mark.parametrize(
    ("usage", "late", "made"),
    [
        ({"input_tokens": 9, "output_tokens": 1}, {"output_tokens": 7}, Usage(9, 7)),
        (
            {},
            {"input_tokens": 9, "output_tokens": 7, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3},
            Usage(9, 7, 5, 3),
        ),
        ({"input_tokens": 9}, {"input_tokens": 0, "output_tokens": 7}, Usage(9, 7)),
        ({"input_tokens": 9, "output_tokens": 1}, {}, Usage(9, 1)),
        ({"input_tokens": None, "output_tokens": None}, {"output_tokens": None}, Usage()),
        ({"input_tokens": "9"}, {"output_tokens": -7}, Usage()),
    ],
)
def test_later_counts_win_where_they_say_something(usage: Any, late: Any, made: Usage) -> None:
    (finished,) = (
        event
        for event in events(message_start("m", usage), HI, message_delta(usage=late), message_stop())
        if isinstance(event, Finished)
    )
    assert finished.usage == made


@pytest.mark.parametrize("reported", [None, 5, [], "x"])
def test_usage_of_another_type_is_none(reported: Any) -> None:
    message = {"id": "m", "model": "m", "usage": reported}
    assert events(sse({"type": "message_start", "message": message}), HI, END)[0] == Started("m", "m")


def test_counts_of_the_start_do_not_change_afterwards() -> None:
    made = events(
        message_start("m", {"input_tokens": 9}),
        HI,
        message_delta(usage={"input_tokens": 99, "output_tokens": 7}),
        message_stop(),
    )
    assert made[0] == Started(made[0].id, "m", Usage(9)) if isinstance(made[0], Started) else False


@pytest.mark.parametrize("reason", [str(stop) for stop in Stop])
def test_reasons_are_the_same_words(reason: str) -> None:
    assert fold(events(START, HI, message_delta(reason), message_stop())).stop == reason


@pytest.mark.parametrize("reason", ["compaction", "next_year", None, 5, []])
def test_an_unknown_reason_is_a_plain_end(reason: Any) -> None:
    assert stop_of(reason) is Stop.END_TURN


def test_the_sequence_that_was_met() -> None:
    late = sse(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
            "usage": {"output_tokens": 7},
        }
    )
    message = fold(events(START, HI, late, message_stop()))
    assert (message.stop, message.stop_sequence) == (Stop.STOP_SEQUENCE, "END")


def test_several_message_deltas_are_one_end() -> None:
    late = sse({"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 99}})
    message = fold(events(START, HI, message_delta("max_tokens"), late, message_stop()))
    assert (message.stop, message.usage.output_tokens) == (Stop.MAX_TOKENS, 99)


@pytest.mark.parametrize(
    "last",
    [[message_delta()], [message_stop()], [message_delta(), message_stop()]],
    ids=["no stop", "no delta", "both"],
)
def test_ends_that_clients_take_too(last: list[bytes]) -> None:
    assert events(START, HI, *last)[-1] == Ended()


def test_a_block_that_is_open_at_the_end_is_closed() -> None:
    made = events(START, block_start(0, text("Hi", 1)), block_delta(0, {"type": "text_delta", "text": "Hi"}), END)
    assert made[-3:-1] == [BlockStopped(), Finished(Stop.END_TURN, Usage(11, 7))]


def test_stops_of_no_block_say_nothing() -> None:
    assert events(START, HI, block_stop(0), block_stop(5), END) == events(START, HI, END)


def test_text_blocks_that_never_stop_are_closed_by_the_next() -> None:
    first, second = block(0, text("a", 1)), block(1, text("b", 1))
    assert fold(events(START, *first[:2], *second, END)).blocks == fold(events(START, *first, *second, END)).blocks
