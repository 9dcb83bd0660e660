"""Calls that came properly are repaired on their way."""

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
from providers.chat.guardian import Repair
from providers.errors import ErrorKind, UpstreamFailure
from providers.ports import Usage
from tests.providers.chat.guardian.kit import guardian, passed, shown

GONE = Failed(UpstreamFailure(ErrorKind.CUT, "gone"))


def call(*pieces: str, name: str = "Bash", identity: str = "call_1") -> list[Event]:
    return [BlockStarted(BlockKind.TOOL_USE, identity, name), *map(ArgumentsDelta, pieces), BlockStopped()]


def text(*pieces: str) -> list[Event]:
    return [BlockStarted(BlockKind.TEXT), *map(TextDelta, pieces), BlockStopped()]


def whole(*blocks: list[Event], stop: Stop = Stop.TOOL_USE) -> list[Event]:
    return [Started("m", ""), *(event for block in blocks for event in block), Finished(stop, Usage()), Ended()]


@pytest.mark.parametrize(
    ("given", "made", "repairs"),
    [
        ('{"command": "ls"}', '{"command": "ls"}', {}),
        ("", "{}", {Repair.EMPTY_ARGUMENTS: 1}),
        (" \n", "{}", {Repair.EMPTY_ARGUMENTS: 1}),
        ("null", "{}", {Repair.EMPTY_ARGUMENTS: 1}),
        ('{"command": "ls", "timeout": null}', '{"command":"ls"}', {Repair.NULL: 1}),
        ('{"command": "ls", "timeout": "5"}', '{"command":"ls","timeout":5}', {Repair.VALUE: 1}),
        ('"{\\"command\\": \\"ls\\"}"', '{"command": "ls"}', {Repair.ENCODED_ARGUMENTS: 1}),
        ('{"command": "ls"', '{"command": "ls"', {}),
        ("ls -la", "ls -la", {}),
        ('["ls"]', '["ls"]', {}),
        ('"ls"', '"ls"', {}),
        ("5", "5", {}),
        ('{"command": "ls"}{"command": "ls"}', '{"command": "ls"}{"command": "ls"}', {}),
        ('{"command": null}', '{"command": null}', {}),
        ('{"command": "<tool_call> `x` [TOOL_CALLS]"}', '{"command": "<tool_call> `x` [TOOL_CALLS]"}', {}),
    ],
)
def test_arguments(given: str, made: str, repairs: dict[str, int]) -> None:
    for pieces in ([given], list(given)):
        machine = guardian()
        message = fold(passed(whole(call(*pieces)), machine))
        assert shown(message) == [["Bash", made]]
        assert machine.repairs == repairs


@pytest.mark.parametrize(
    ("name", "made"),
    [("Bash", "Bash"), ("bash", "Bash"), ("functions.Bash", "Bash"), ("BASH", "Bash"), ("Grep", "Grep"), ("", "")],
)
def test_names(name: str, made: str) -> None:
    machine = guardian()
    [block] = fold(passed(whole(call('{"a": 1}', name=name)), machine)).blocks
    assert (block.name, block.id) == (made, "call_1")
    assert machine.repairs == ({Repair.NAME: 1} if made != name else {})


def test_ids_that_are_missing_or_came_before_are_made_anew() -> None:
    machine = guardian()
    given = [call(identity=identity, name="TaskList") for identity in ("a", "a", "", "toolu_tok_m1", "b")]
    ids = [block.id for block in fold(passed(whole(*given), machine)).blocks]
    assert len(set(ids)) == 5
    assert (ids[0], ids[-1]) == ("a", "b")
    assert all(identity.startswith("toolu_tok_") for identity in ids[1:4])
    assert machine.repairs[Repair.DUPLICATE_ID] == 3


def test_a_block_begins_at_once_and_its_arguments_come_when_they_are_whole() -> None:
    machine = guardian()
    started, *pieces, stopped = call('{"command"', ': "ls"}')
    assert machine.take([Started("m", ""), started]) == [Started("m", ""), started]
    assert machine.take(pieces) == []
    assert machine.take([stopped]) == [ArgumentsDelta('{"command": "ls"}'), BlockStopped()]


def test_a_call_that_is_cut_goes_out_as_it_came_and_stays_open() -> None:
    events = [Started("m", ""), *call('{"command": "ls", ', '"timeout": nul')[:-1], GONE]
    made = passed(events)
    assert made == [*events[:2], ArgumentsDelta('{"command": "ls", "timeout": nul'), GONE]


def test_text_beside_a_proper_call_is_text() -> None:
    written = '<tool_call>{"name": "Read", "arguments": {"file_path": "/a"}}</tool_call>'
    machine = guardian()
    message = fold(passed(whole(call('{"command": "ls"}'), text("so: ", written, " ", "x")), machine))
    assert shown(message) == [["Bash", '{"command": "ls"}'], ["text", f"so: {written} x"]]
    assert machine.repairs == {}


def test_a_call_that_came_both_ways_is_made_once() -> None:
    written = '<tool_call>{"name": "Bash", "arguments": {"command": "ls"}}</tool_call>'
    machine = guardian()
    other, same = call('{"command": "pwd"}'), call('{"command": ', '"ls"}', identity="call_2")
    message = fold(passed(whole(text(written), other, same, stop=Stop.END_TURN), machine))
    assert shown(message) == [["Bash", '{"command": "ls"}'], ["Bash", '{"command": "pwd"}']]
    assert (message.stop, machine.repairs[Repair.REPEATED_CALL]) == (Stop.TOOL_USE, 1)


def test_a_repeated_call_that_is_cut_is_not_lost() -> None:
    written = '<tool_call>{"name": "Bash", "arguments": {"command": "ls"}}</tool_call>'
    started, piece, _ = call('{"command": "l')
    made = passed([Started("m", ""), *text(written), started, piece, GONE])
    assert made[-3:] == [started, piece, GONE]


def test_all_other_events_pass_as_they_are() -> None:
    raw: dict[str, Any] = {"type": "server_tool_use", "id": "s"}
    events = whole(
        [BlockStarted(BlockKind.THINKING), ThinkingDelta("<tool_call>"), SignatureDelta("s"), BlockStopped()],
        [BlockStarted(BlockKind.TEXT), BlockStopped()],
        [BlockStarted(BlockKind.TEXT), TextDelta(" \n"), BlockStopped()],
        [BlockStarted(BlockKind.TEXT), TextDelta("a"), RawDelta({"type": "citation"}), TextDelta("b"), BlockStopped()],
        [BlockStarted(BlockKind.RAW, raw=raw), ArgumentsDelta("{"), ArgumentsDelta("}"), BlockStopped()],
        stop=Stop.END_TURN,
    )
    machine = guardian()
    assert passed(events, machine) == events
    assert guardian().take(events) == events
    assert machine.repairs == {}


def test_a_proper_call_has_its_reason_to_stop_too() -> None:
    """Clients that run their tools by it would end their turn."""
    machine = guardian()
    message = fold(passed(whole(call("{}", name="TaskList"), stop=Stop.END_TURN), machine))
    assert message.stop is Stop.TOOL_USE
    assert machine.repairs == {Repair.STOP_REASON: 1}


@pytest.mark.parametrize("stop", list(Stop))
def test_the_reason_to_stop(stop: Stop) -> None:
    """Where text was cut, or refused, the reason is the upstream's own."""
    written = '<tool_call>{"name": "TaskList", "arguments": {}}</tool_call>'
    message = fold(passed(whole(text(written), stop=stop)))
    assert shown(message) == [["TaskList", "{}"]]
    assert message.stop is (Stop.TOOL_USE if stop is Stop.END_TURN else stop)
