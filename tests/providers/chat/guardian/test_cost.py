"""The guardian reads every byte a bounded number of times, whatever an upstream sends."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

import pytest

from providers.chat.events import BlockKind, BlockStarted, BlockStopped, Event, Finished, Stop, TextDelta
from providers.chat.guardian import scanner
from providers.ports import Usage
from tests.providers.chat.guardian.kit import guardian, read, text_of

BIG = "print('{x}') # <p> \\\" é\n"


def written(form: str, size: int) -> str:
    """A call with an argument of about ``size`` characters."""
    content = BIG * (size // len(BIG))
    arguments = {"file_path": "/a", "content": content}
    match form:
        case "hermes":
            return f"<tool_call>{json.dumps({'name': 'Write', 'arguments': arguments})}</tool_call>"
        case "mistral":
            return f"[TOOL_CALLS]Write{json.dumps(arguments)}"
        case "fenced":
            return f"```json\n{json.dumps({'name': 'Write', 'arguments': arguments})}\n```"
        case "qwen":
            return (
                f"<function=Write>\n<parameter=file_path>\n/a\n</parameter>\n<parameter=content>\n{content}\n"
                "</parameter>\n</function>"
            )
    keys = "".join(f"<arg_key>{key}</arg_key><arg_value>{value}</arg_value>" for key, value in arguments.items())
    return f"<tool_call>Write{keys}</tool_call>"


HOSTILE = {
    "marks": "<tool_call>",
    "other marks": "<function=Bash>",
    "marks of all kinds": '<function_calls>\n<invoke name="Bash">\n[TOOL_CALLS]Bash <|tool_call_begin|>',
    "beginnings of marks": "<tool_cal",
    "ticks": "`",
    "ticks and blanks": "` `` ",
    "fences": "\n```\n",
    "fences of JSON": "\n```json\n{",
    "tildes": "~~~~\n",
    "white space": " \n",
    "brackets": "[",
    "calls in strings": '<tool_call>{"name":"Bash","arguments":{"command":"',
    "names": '<tool_call>{"name":',
    "values that do not end": "<function=Bash>\n<parameter=command>",
    "ends of values": "<function=Bash>\n<parameter=command>" + "</parameter>\n" * 40 + "x",
    "openings of values": "<function=Bash>\n<parameter=command>" + "\n<parameter=command" * 40,
    "ends of other values": "<tool_call>Bash<arg_key>command</arg_key><arg_value>" + "</arg_value>x" * 40,
    "talk of calls": '"<tool_call>{"name": "Bash", "arguments": {"command": "ls"}}</tool_call>" ',
}


class Steps:
    """How many lines of the guardian's code were run."""

    count = 0


@contextmanager
def counted() -> Iterator[Steps]:
    steps = Steps()

    def ours(code: CodeType) -> bool:
        return "guardian" in code.co_filename

    def line(_: Any, event: str, __: Any) -> Any:
        steps.count += event == "line"
        return line

    def call(frame: Any, _: str, __: Any) -> Any:
        return line if ours(frame.f_code) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield steps
    finally:
        sys.settrace(before)


def steps_of(text: str, size: int) -> int:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    with counted() as steps:
        read(pieces)
    return steps.count


@pytest.mark.parametrize("form", ["hermes", "mistral", "fenced", "qwen", "glm"])
def test_arguments_of_100_kb(form: str) -> None:
    text = written(form, 100_000)
    outcome = read([text[at : at + 5] for at in range(0, len(text), 5)])
    [[name, arguments]] = outcome.blocks
    assert (name, outcome.stop) == ("Write", Stop.TOOL_USE)
    assert json.loads(arguments)["content"].rstrip("\n") == (BIG * (100_000 // len(BIG))).rstrip("\n")


@pytest.mark.parametrize("form", ["hermes", "mistral", "fenced", "qwen", "glm"])
def test_a_call_twice_as_long_takes_twice_the_steps(form: str) -> None:
    small, large = (steps_of(written(form, size), 5) for size in (4_000, 8_000))
    assert large < small * 2.2


@pytest.mark.parametrize("size", [3, 100_000])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_text_and_takes_steps_in_proportion(kind: str, size: int) -> None:
    unit = HOSTILE[kind]
    most = 8_000 // len(unit)
    small, large = (unit * most, unit * most * 2)
    assert text_of(read([large])) == large
    assert steps_of(large, size) < steps_of(small, size) * 2.2 + 2_000


def test_bytes_are_read_again_only_so_often() -> None:
    """An answer that begins call after call and ends none is passed on at last without a look."""
    call = '\n\n<tool_call>{"name": "TaskList", "arguments": {}}</tool_call>'
    for times, calls in ((3, 1), (3_000, 0)):
        text = HOSTILE["values that do not end"] * times + call
        outcome = read([text])
        assert len(outcome.blocks) == 1 + calls
        assert text == text_of(outcome) + call.strip() * calls


def text_of_events(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_a_call_without_an_end_is_not_held_for_ever() -> None:
    machine = guardian()
    machine.take([BlockStarted(BlockKind.TEXT)])
    piece = "x" * 65_536
    pieces = ['<tool_call>{"name": "Write", "arguments": {"content": "', *[piece] * (scanner.MAX_HELD // len(piece))]
    out: list[Event] = []
    for text in pieces:
        assert text_of_events(out) == ""
        out = machine.take([TextDelta(text)])
    assert out == [TextDelta("".join(pieces))]
    assert machine.take([TextDelta("<tool_call>")]) == [TextDelta("<tool_call>")]
    end: list[Event] = [BlockStopped(), Finished(Stop.END_TURN, Usage())]
    assert machine.take(list(end)) == end


def test_an_idle_guardian_takes_few_steps_a_piece() -> None:
    machine = guardian()
    machine.take([BlockStarted(BlockKind.TEXT), TextDelta("Hello")])
    pieces: list[list[Event]] = [[TextDelta(f" word{number}")] for number in range(1_000)]
    with counted() as steps:
        for piece in pieces:
            assert machine.take(piece) == piece
    assert steps.count < 10 * len(pieces)


def test_reading_a_call_makes_no_cycles() -> None:
    import gc

    text = written("hermes", 100) + written("qwen", 100) + "\n```json\n{"
    read([text])
    gc.collect()
    gc.disable()
    try:
        machine = guardian()
        for part in itertools.batched(text, 3) if hasattr(itertools, "batched") else ([text[:40]], [text[40:]]):
            machine.take([BlockStarted(BlockKind.TEXT), TextDelta("".join(part))])
        del machine
        assert gc.collect() == 0
    finally:
        gc.enable()
