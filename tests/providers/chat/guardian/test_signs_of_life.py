"""A client counts events of an answer: it is not left alone for long while a call is held."""

from __future__ import annotations

import pytest

from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    Started,
    Stop,
    TextDelta,
)
from providers.chat.fold import fold
from providers.ports import Usage
from tests.providers.chat.guardian.kit import answer, guardian, passed, read, text_of

LONG = '{"file_path": "/a", "content": "' + "x" * 6_000 + '"}'
WRITTEN = f'<tool_call>{{"name": "Write", "arguments": {LONG}}}</tool_call>'
MOST = 64  # pieces of 8 characters


def in_pieces(text: str, size: int = 8) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("before", ["", "\n", "I write it.\n"])
def test_while_a_call_in_text_is_held(before: str) -> None:
    """Empty text, in the block that is open or in one of its own."""
    machine = guardian()
    outs = [machine.take([event]) for event in answer(in_pieces(before + WRITTEN))]
    gaps = "".join("o" if out else "." for out in outs).split("o")
    assert max(map(len, gaps)) <= MOST
    assert sum(TextDelta("") in out for out in outs) >= 5
    message = fold(event for out in outs for event in out)
    assert [block.text for block in message.blocks] == [before.strip("\n") and before, LONG]
    passed(answer(in_pieces(before + WRITTEN)))  # in order


def test_while_the_arguments_of_a_proper_call_are_held() -> None:
    machine = guardian()
    made = machine.take([Started("msg_1", ""), BlockStarted(BlockKind.TOOL_USE, "toolu_1", "Write")])
    outs = [machine.take([ArgumentsDelta(piece)]) for piece in in_pieces(LONG)]
    assert {tuple(out) for out in outs} == {(), (ArgumentsDelta(""),)}
    assert outs.count([ArgumentsDelta("")]) >= 5
    made += [event for out in outs for event in out]
    end: list[Event] = [BlockStopped(), Finished(Stop.TOOL_USE, Usage()), Ended()]
    made += machine.take(end)
    assert [block.text for block in fold(made).blocks] == [LONG]


@pytest.mark.parametrize("blank", [" " * 2_000, "\n " * 700])
def test_a_long_run_of_white_space_is_not_lost(blank: str) -> None:
    assert text_of(read(in_pieces(blank))) == blank
    assert text_of(read(in_pieces(f"{blank}Hello"))) == f"{blank}Hello"
