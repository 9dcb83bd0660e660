"""Arguments of tool calls: snapshots, odd types, no arguments, and calls that are cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.chat.events import ArgumentsDelta, BlockKind, BlockStarted, BlockStopped, Event, Failed
from providers.errors import ErrorKind
from tests.providers.dialects.openai_chat.chunks import (
    DONE,
    answer,
    called,
    chunk,
    end,
    events,
    failure,
    piece,
    text,
    tools,
)

A, B = "call_aaaaaaaa", "call_bbbbbbbb"
LS, CAT = '{"command":"ls"}', '{"command":"cat"}'
END = end("tool_calls")
READ, BASH = (A, "Read", LS), (B, "Bash", CAT)


def begun(name: str = "Bash", identity: str = A, index: Any = 0, arguments: Any = "") -> bytes:
    return tools(piece(name, arguments, index=index, id=identity))


def more(arguments: Any, **where: Any) -> bytes:
    return tools(piece(None, arguments, **({"index": 0} | where)))


@pytest.mark.parametrize(
    "pieces",
    [
        ['{"comm', '{"command":"l', LS],
        ['{"comm', '{"command":"l', LS, LS],
        ['{"comm', '{"command":"l', LS, '{"comm'],
        ['{"comm', 'and":"ls"}', LS],
        [LS, LS],
        [LS, LS, LS],
        ["", '{"comm', "", 'and":"ls"}', ""],
        [None, LS],
        ["{", '{"command":"ls"}'],
    ],
    ids=[
        "cumulative",
        "cumulative, the last twice",
        "cumulative, an old one late",
        "pieces, then all of it",
        "all twice",
        "all three times",
        "empty pieces",
        "null first",
        "a brace, then all",
    ],
)
def test_snapshots_of_arguments_are_said_once(pieces: list[str | None]) -> None:
    assert called(begun(), *(more(each) for each in pieces), END) == [(A, "Bash", LS)]


def test_an_empty_object_before_the_real_arguments_is_not_said() -> None:
    """Some upstreams begin with {} as a placeholder (seed-systems 5.7)."""
    assert called(begun(arguments="{}"), more('{"comm'), more('and":"ls"}'), END) == [(A, "Bash", LS)]


def test_snapshots_that_contradict_what_was_said_are_an_error() -> None:
    said = failure(begun(), more('{"a":1'), more('{"a":1,"b'), more('{"b":2}'), END)
    assert said.kind is ErrorKind.MALFORMED
    assert "arguments that change what they said before" in said.words


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"command": "ls"}, LS),
        ({}, "{}"),
        (None, "{}"),
        ("", "{}"),
        ("{}", "{}"),
        ([], "{}"),
        (5, "{}"),
    ],
)
def test_arguments_of_any_type(arguments: Any, said: str) -> None:
    assert called(tools(piece("Bash", arguments, index=0, id=A)), END) == [(A, "Bash", said)]


def test_blank_arguments_are_none() -> None:
    """SDKs cannot read them: EOF while parsing a value."""
    (call,) = called(tools(piece("EnterPlanMode", " ", index=0, id=A)), END)
    assert json.loads(call[2]) == {}


def test_a_call_without_arguments_has_an_empty_object_streamed() -> None:
    assert events(begun("EnterPlanMode", A), END)[1:4] == [
        BlockStarted(BlockKind.TOOL_USE, A, "EnterPlanMode"),
        ArgumentsDelta("{}"),
        BlockStopped(),
    ]


def test_arguments_that_are_no_json_are_passed_as_the_model_made_them() -> None:
    """The client tells the model (Claude Code 2.1.197); to guess would run another call."""
    assert called(begun(arguments="{command: ls"), END) == [(A, "Bash", "{command: ls")]


def test_a_call_of_the_wrong_arguments_is_closed_when_the_answer_is_complete() -> None:
    message = answer(begun(arguments='{"command":"l'), end("length"))
    assert [(block.text, message.stop) for block in message.blocks] == [('{"command":"l', "max_tokens")]


@pytest.mark.parametrize("last", [[], [DONE]], ids=["the connection ended", "[DONE]"])
def test_a_cut_inside_a_call_does_not_close_it(last: list[bytes]) -> None:
    whole, half = begun("Read", A, 0, LS), begun("Bash", B, 1, '{"command":"rm -rf /tmp')
    made = events(text("Hi"), whole, half, *last)
    assert isinstance(made[-1], Failed)
    assert made[-1].failure.kind is ErrorKind.CUT
    assert made[-2] == ArgumentsDelta('{"command":"rm -rf /tmp')
    assert made.count(BlockStopped()) == 2  # the text and the call before


def test_a_stream_that_is_done_without_a_reason_closes_calls_that_are_whole() -> None:
    assert called(begun("Read", A, 0, LS), begun("EnterPlanMode", B, 1), DONE) == [READ, (B, "EnterPlanMode", "{}")]


@pytest.mark.parametrize("arguments", ["", '{"comm'])
def test_an_empty_reason_on_every_chunk_does_not_make_a_cut_call_whole(arguments: str) -> None:
    """Ollama had ``"finish_reason": ""`` on every chunk (github.com/ollama/ollama/issues/4357)."""
    half = chunk({"tool_calls": [piece("Bash", arguments, index=0, id=A)]}, "")
    assert failure(chunk({"content": "Hi"}, ""), half).kind is ErrorKind.CUT


def test_an_empty_reason_ends_calls_that_are_whole() -> None:
    """xAI ends tool calls so (litellm 1.109.1)."""
    last = chunk({"tool_calls": [piece("Bash", LS, index=0, id=A)]}, "")
    assert called(last, DONE) == called(last) == [(A, "Bash", LS)]


# Names that are no beginning of one another, as the pieces of one could not be told from those of two.
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["Read", "Bash", "Glob"]),
        st.dictionaries(st.sampled_from("abc"), st.text(max_size=6), max_size=2),
    ),
    min_size=1,
    max_size=4,
)


def pieces_of(draw: st.DrawFn, number: int, name: str, arguments: str) -> list[dict[str, Any]]:
    cuts = sorted(draw(st.lists(st.integers(0, len(arguments)), max_size=3)))
    parts = [arguments[one:two] for one, two in zip([0, *cuts], [*cuts, len(arguments)], strict=True)]
    head = {"index": number, "id": f"call_{number}_abcdef", "type": "function"}
    return [{**head, "function": {"name": name, "arguments": ""}}, *(piece(None, part, index=number) for part in parts)]


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[list[bytes], list[tuple[str, str, Any]]]:
    """Chunks of several calls, each call's pieces in order, the calls begun in order, else mixed at will."""
    calls = draw(CALLS)
    queues = [pieces_of(draw, number, name, json.dumps(said)) for number, (name, said) in enumerate(calls)]
    parts = [[queue.pop(0)] for queue in queues]
    while any(queues):
        queue = draw(st.sampled_from([queue for queue in queues if queue]))
        parts.append([queue.pop(0)])
    expected = [(f"call_{number}_abcdef", name, said) for number, (name, said) in enumerate(calls)]
    return [tools(*part) for part in parts], expected


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(case=interleaved())
def test_calls_cut_and_mixed_at_will_come_out_whole(case: tuple[list[bytes], list[tuple[str, str, Any]]]) -> None:
    parts, expected = case
    assert [(one, name, json.loads(said)) for one, name, said in called(*parts, END)] == expected
    cut: list[Event] = events(*parts)
    assert sum(isinstance(event, BlockStopped) for event in cut) < len(expected)
