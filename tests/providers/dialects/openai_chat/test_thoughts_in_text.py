"""Thoughts that come as text between tags: as blocks of their own, streamed and whole, shown and hidden."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.chat.blocks import PATIENCE
from providers.chat.events import BlockKind, Event, Failed, TextDelta
from providers.chat.fold import fold
from providers.chat.marks import thought_origin
from providers.dialects.openai_chat.read_reply import ChatReader
from providers.dialects.openai_chat.think_tags import ThinkTags
from tests.providers.dialects.openai_chat.chunks import (
    DONE,
    answer,
    chunk,
    end,
    events,
    piece,
    reader,
    shown,
    text,
    tools,
)

CALL = tools(piece("Bash", '{"command":"ls"}', index=0, id="call_aaaaaaaa"))
SAID = "<think>\nwhy, é\n</think>\n\nso `<think>`"
EXPECTED = [("thinking", "why, é\n"), ("text", "so `<think>`")]
property_test = settings(max_examples=150, deadline=None, derandomize=True)


def whole(message: Mapping[str, Any], reason: str = "stop", machine: ChatReader | None = None) -> list[Event]:
    body = {"choices": [{"message": message, "finish_reason": reason}]}
    return (machine or reader()).whole(json.dumps(body).encode())


def blocks(made: Iterable[Event]) -> list[tuple[str, str]]:
    return [(str(block.kind), block.text) for block in fold(made).blocks]


def streamed(said: str, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(cuts), len(said)]
    return [text(said[start:stop]) for start, stop in pairwise(places)]


def test_tags_split_over_deltas_anywhere() -> None:
    for first in range(len(SAID)):
        for second in range(first, len(SAID), 5):
            assert shown(*streamed(SAID, [first, second]), end()) == EXPECTED
    assert shown(*streamed(SAID, range(len(SAID))), end()) == EXPECTED
    assert blocks(whole({"content": SAID})) == EXPECTED


WORDS = st.sampled_from(["<think>", "</think>", "\n", " ", "a", "<", "</think", "```\n", "<think>\n"])


@property_test
@given(st.lists(WORDS, max_size=10).map("".join), st.sampled_from(["stop", "length"]), st.booleans(), st.booleans())
def test_whole_and_streamed_say_the_same(said: str, reason: str, known: bool, unopened: bool) -> None:
    def machine() -> ChatReader:
        return reader(tags=ThinkTags(known=known, unopened=unopened))

    made = blocks(events(*(text(letter) for letter in said), end(reason), machine=machine()))
    assert made == blocks(events(text(said), end(reason), machine=machine()))
    assert made == blocks(whole({"content": said}, reason, machine()))


def test_the_signature_says_that_it_was_between_tags() -> None:
    (thought, _) = answer(text(SAID), end()).blocks
    assert thought_origin(thought.signature, "acme") == ("think", "")
    own = reader(tags=ThinkTags(("mm:think", "think")))
    (thought, _) = answer(text("<mm:think>why</mm:think>so"), end(), machine=own).blocks
    assert thought_origin(thought.signature, "acme") == ("mm:think", "")


def test_text_and_thoughts_stream_as_they_come() -> None:
    machine = reader()
    assert machine.feed(text("<think>")) == []
    assert [type(event).__name__ for event in machine.feed(text("why"))] == ["Started", "BlockStarted", "ThinkingDelta"]
    assert [type(event).__name__ for event in machine.feed(text("</think>so"))][-1] == "TextDelta"
    assert machine.feed(text(" <think>")) == [TextDelta(" <think>")]


def test_a_thought_before_a_call_ends_there() -> None:
    assert shown(text("<think>why</think>\n"), CALL, end("tool_calls")) == [
        ("thinking", "why"),
        ("tool_use", '{"command":"ls"}'),
    ]
    assert shown(text("<think>why"), CALL, end("tool_calls"))[0] == ("thinking", "why")
    assert shown(text("<thi"), CALL, end("tool_calls"))[0] == ("text", "<thi")


def test_behind_a_call_there_are_no_tags() -> None:
    assert shown(CALL, text("<think>late</think>"), end("tool_calls"))[-1] == ("text", "<think>late</think>")


@pytest.mark.parametrize(
    "last", [[end()], [DONE], [end("a_reason_of_next_year"), DONE]], ids=["stop", "done", "unknown"]
)
def test_a_thought_that_a_whole_answer_never_closed_was_its_text(last: list[bytes]) -> None:
    said = "<think> is what models write\nbefore they answer."
    assert shown(text(said), *last) == [("thinking", said.removeprefix("<think> ")), ("text", said)]


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_thought_that_was_cut_is_a_thought(reason: str) -> None:
    assert shown(text("<think>why"), end(reason)) == [("thinking", "why")]


def test_a_cut_stream_says_no_more_than_it_had() -> None:
    made = events(text("<think>why</th"))
    assert isinstance(made[-1], Failed)
    assert [event.text for event in made if hasattr(event, "text")] == ["why"]


TWICE = {"content": "<think>\nwhy\n</think>\nso", "reasoning_content": "why"}


def test_a_thought_in_its_field_and_in_tags_is_said_once() -> None:
    expected = [("thinking", "why"), ("text", "so")]
    assert shown(chunk(TWICE), end()) == expected
    assert shown(chunk({"reasoning_content": "wh"}), chunk({**TWICE, "reasoning_content": "y"}), end()) == expected
    halves = [
        chunk({"content": "<think>w", "reasoning_content": "w"}),
        chunk({"content": "hy</think>so", "reasoning": "hy"}),
    ]
    assert shown(*halves, end()) == expected
    assert blocks(whole(TWICE)) == expected


def test_a_thought_in_tags_that_says_something_else_is_said_too() -> None:
    parts = [chunk({"reasoning_content": "why"}), text("<think>because</think>so")]
    assert shown(*parts, end()) == [("thinking", "whybecause"), ("text", "so")]
    assert shown(chunk({"reasoning_content": "why"}), text("<think>because"), end()) == [("thinking", "whybecause")]


def test_a_thought_in_its_field_ends_the_guessing() -> None:
    machine = reader(tags=ThinkTags(unopened=True))
    assert shown(chunk({"reasoning": "why"}), text("so"), end(), machine=machine) == [
        ("thinking", "why"),
        ("text", "so"),
    ]


class TestHidden:
    """What a client that switched thinking off is shown."""

    @pytest.mark.parametrize(
        "parts",
        [
            [text(SAID)],
            [text(letter) for letter in SAID],
            [chunk({"reasoning_content": "why"}), text("so `<think>`")],
            [chunk({"reasoning": "why", "reasoning_details": [{"text": "why"}]}), text("so `<think>`")],
            [chunk({"reasoning_details": [{"data": "x"}]}), text("so `<think>`")],
            [chunk({"content": [{"type": "thinking", "thinking": "why"}]}), text("so `<think>`")],
            [text("so "), chunk({"reasoning": "why"}), text("`<think>`")],
            [chunk(TWICE | {"content": "<think>why</think>so `<think>`"})],
        ],
    )
    def test_no_thought_and_all_text(self, parts: list[bytes]) -> None:
        assert shown(*parts, end(), machine=reader(hidden=True)) == [("text", "so `<think>`")]

    def test_a_call_without_text(self) -> None:
        parts = [chunk({"reasoning": "why"}), CALL, chunk({"reasoning": "late"}), end("tool_calls")]
        assert [kind for kind, _ in shown(*parts, machine=reader(hidden=True))] == ["tool_use"]

    def test_a_long_thought_behind_a_call(self) -> None:
        parts = [CALL, *[chunk({"reasoning": "late"})] * (PATIENCE + 2), end("tool_calls")]
        assert [kind for kind, _ in shown(*parts, machine=reader(hidden=True))] == ["tool_use"]
        parts = [*[chunk({"reasoning": "why"})] * (PATIENCE + 2), *parts]
        assert [kind for kind, _ in shown(*parts, machine=reader(hidden=True))] == ["text", "tool_use"]

    def test_what_was_never_closed_is_text(self) -> None:
        assert shown(text("<think> is a tag"), end(), machine=reader(hidden=True)) == [("text", "<think> is a tag")]

    @pytest.mark.parametrize("field", ["content", "reasoning"])
    def test_a_long_thought_keeps_the_client_waiting(self, field: str) -> None:
        machine = reader(hidden=True)
        machine.feed(text("<think>") if field == "content" else b"")
        thought = [machine.feed(chunk({field: "why "})) for _ in range(PATIENCE + 3)]
        assert not any(thought[:PATIENCE])
        assert [event for made in thought[PATIENCE + 1 :] for event in made] == [TextDelta("")] * 2
        rest = machine.feed(text("</think>" if field == "content" else "")) + machine.feed(text("so"))
        assert rest == [TextDelta("so")]

    def test_it_counts_as_output(self) -> None:
        shown_usage = answer(chunk({"reasoning": "why " * 100}), text("so"), end()).usage
        hidden_usage = answer(chunk({"reasoning": "why " * 100}), text("so"), end(), machine=reader(hidden=True)).usage
        assert hidden_usage == shown_usage


def test_only_blocks_that_hold_something_are_made() -> None:
    assert shown(text("<think>\n\n</think>\n\n"), end()) == []
    assert [block.kind for block in answer(text("<think> </think>so"), end()).blocks] == [BlockKind.TEXT]
