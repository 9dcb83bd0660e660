"""Prose and code that mention calls come through as they are."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.chat.events import Stop, TextDelta
from providers.chat.guardian.forms import FORMS
from tests.providers.chat.guardian.kit import Outcome, Sample, answer, passed, read, samples, talk
from tests.providers.support import property_test


def each_line(prefix: str) -> Callable[[str], str]:
    return lambda text: "".join(prefix + line for line in text.splitlines(keepends=True))


# How documents, tutorials and code hold a call that nobody makes.
PLACES: Mapping[str, Callable[[str], str]] = {
    "a fence, and prose after it": lambda text: f"See:\n\n````xml\n{text}\n````\n\nThat is a call.",
    "a fence with tildes": lambda text: f"~~~\n{text}\n~~~",
    "a quotation": each_line("> "),
    "an indented block": each_line("    "),
    "a comment": each_line("# "),
    "a diff": each_line("+"),
    "a string of several lines": lambda text: f'text = """\n{text}\n"""',
    "a string": lambda text: f"text = {json.dumps(text)}",
    "JSON": lambda text: json.dumps({"role": "assistant", "content": text}),
    "an example": lambda text: f"<example>\n{text}\n</example>",
    "inline code": lambda text: "It says `" + text.replace("\n", " ") + "` there.",
    "quotation marks": lambda text: f'It says "{text}" there.',
}


def from_its_mark(sample: Sample) -> str:
    """Without the prose before the call."""
    starts = [at for mark in (*FORMS, b"```") if (at := sample.text.find(mark.decode())) >= 0]
    return sample.text[min(starts, default=0) :].strip()


def unchanged(text: str) -> Outcome:
    return Outcome([["text", text]], Stop.END_TURN)


@pytest.mark.parametrize("text", [text for _, text in talk()], ids=[name for name, _ in talk()])
def test_talk_is_text(text: str) -> None:
    assert read([text]) == unchanged(text)
    assert read(text) == unchanged(text)


def documents() -> Iterator[Any]:
    for sample, place in itertools.product(samples(), PLACES):
        kinds = [kind == "text" for kind, _ in sample.blocks]
        prose_between = True in kinds[kinds.index(False) : -1]
        # JSON needs no mark, so it may be indented.
        if not prose_between and not (place == "an indented block" and "json" in sample.form):
            yield pytest.param(PLACES[place](from_its_mark(sample)), id=f"{sample.name}, {place}")


@pytest.mark.parametrize("text", list(documents()))
def test_a_call_in_a_document_is_text(text: str) -> None:
    assert read([text]) == unchanged(text)
    assert read(text) == unchanged(text)


def test_there_are_enough_samples() -> None:
    assert len(list(talk())) >= 200
    assert len(list(documents())) >= 400


MARKS = sorted(mark.decode() for mark in FORMS)
WORDS = [
    "the",
    "model",
    "writes",
    "a",
    "call",
    ",",
    ".",
    "<b>",
    "x < y",
    "[1]",
    "1.",
    "- ",
    "Bash",
    "{",
    "}",
    '"',
    "é",
    "\n",
]


# Whole marks, and beginnings of them.
mentions = st.tuples(st.sampled_from(MARKS), st.integers(1, 40)).map(lambda drawn: drawn[0][: drawn[1]])


@property_test
@given(st.lists(st.sampled_from(WORDS) | mentions, max_size=30), st.integers(1, 7))
def test_marks_between_words_are_text(words: list[str], size: int) -> None:
    text = " ".join(words) + "."
    assert read([text[at : at + size] for at in range(0, len(text), size)]) == unchanged(text)


@property_test
@given(st.text(st.sampled_from("<tool_call>[TOOL_CALLS]`~{}\"':,=/\\ \n|x1é\uff5c▁"), max_size=200), st.integers(1, 5))
def test_nothing_of_any_text_is_lost(text: str, size: int) -> None:
    outcome = read([text[at : at + size] for at in range(0, len(text), size)])
    assert outcome == unchanged(text)


PROSE = 'The quick brown fox: 1, 2 and 3; (it jumps) over "the" lazy dog\'s fence! Ça va? 北京 🙂\n\n# Title\n* item\n'


def test_prose_goes_out_piece_by_piece_as_it_came() -> None:
    pieces = [PROSE[at : at + 3] for at in range(0, len(PROSE), 3)]
    events = answer(pieces)
    assert passed(events) == events


@pytest.mark.parametrize(
    ("piece", "held"),
    [
        ("a <", "<"),
        ("a <too", "<too"),
        ("a <b>", ""),
        ("a < b", ""),
        ("a [TOOL_CA", "[TOOL_CA"),
        ("a [link", ""),
        ("a `", "`"),
        ("a `b` c", ""),
        ("a <tool_call>", "<tool_call>"),
        ("a <tool_call>\n{", "<tool_call>\n{"),
        ("a <tool_call>\nx y", ""),
        ('a <tool_call>{"thought":', ""),
        ('a <tool_call>{"name": "Nothing"', ""),
        ("a <function=No>", ""),
        ("a <function=Ba", "<function=Ba"),
        ("a\n```", "```"),
        ("a\n```py", ""),
        ("a\n```json\n{", "```json\n{"),
        ('a\n```json\n{"version"', ""),
        ('a\n```json\n{"name": "app"', ""),
        ("a\n```json\n// x", ""),
        ("a\n```js\n<tool_call>", ""),
        ('a <invoke name="No">', ""),
        ("a <\uff5ctool▁calls", "<\uff5ctool▁calls"),
        ("a <|im_start|>", ""),
        ("a <|tool_calls_section_begin|> and", ""),
    ],
)
def test_text_is_held_only_from_where_a_call_may_begin(piece: str, held: str) -> None:
    out = passed(answer([piece])[:3])
    assert "".join(event.text for event in out if isinstance(event, TextDelta)) == piece.removesuffix(held)


@pytest.mark.parametrize("first", ['{"title"', '{"name": "app"', "[1", "[ ]", "[{}", "{}", "{ x", "Hello"])
def test_json_that_is_no_call_streams(first: str) -> None:
    out = passed(answer([first])[:3])
    assert "".join(event.text for event in out if isinstance(event, TextDelta)) == first
