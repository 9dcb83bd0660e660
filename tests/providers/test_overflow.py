"""A prompt that does not fit: what a refusal tells, and what clients are told (tests/wire/overflow.toml)."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.shapes import error_body
from providers.classify import classify
from providers.errors import ErrorKind, Fault, Overflow
from providers.learning.overflow import (
    LEAST_ROOM,
    completed,
    for_anthropic,
    for_openai,
    left,
    measured,
    room,
    understood,
)

CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parents[1] / "wire" / "overflow.toml").read_text())["case"]
IDS = [case["name"] for case in CASES]
ESTIMATE = 70_000

# What Claude Code 2.1.197 reads out of an error's message, as it stands in its program.
CLIENT_COMPACTS = re.compile(r"prompt is too long[^0-9]*(\d+)\s*tokens?\s*>\s*(\d+)", re.IGNORECASE)
CLIENT_SHORTENS = re.compile(r"input length and `max_tokens` exceed context limit: (\d+) \+ (\d+) > (\d+)")


def told(overflow: Overflow, said: str = "") -> str:
    return for_anthropic(completed(overflow, ESTIMATE, None), said)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_numbers_of_a_refusal(case: dict[str, Any]) -> None:
    assert case["source"]
    expected = Overflow(case.get("prompt"), case.get("limit"), case.get("answer"), case.get("at_least", False))
    assert measured(case["body"].encode()) == expected


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_it_is_known_as_an_overflow_and_told_in_the_words_of_its_clients(case: dict[str, Any]) -> None:
    failure = classify(case.get("provider", ""), case.get("status", 400), {}, case["body"].encode())
    assert failure.kind is ErrorKind.CONTEXT_OVERFLOW
    assert told(measured(case["body"].encode()), failure.words) == case["told"]


def numbers() -> st.SearchStrategy[Overflow]:
    size, limit = st.none() | st.integers(0, 3_000_000), st.none() | st.integers(2 * LEAST_ROOM, 3_000_000)
    return st.builds(Overflow, size, limit, size, st.booleans())


@given(
    overflow=numbers(), estimate=st.integers(0, 3_000_000), window=st.none() | st.integers(2 * LEAST_ROOM, 2_000_000)
)
def test_the_client_finds_numbers_that_say_how_much_is_too_much(
    overflow: Overflow, estimate: int, window: int | None
) -> None:
    whole = completed(overflow, estimate, window)
    words = for_anthropic(whole, "so said the upstream")
    compacts, shortens = CLIENT_COMPACTS.search(words), CLIENT_SHORTENS.search(words)
    if overflow.limit or window:
        assert understood(words)
        assert bool(compacts) is not bool(shortens)
    else:
        assert words == "prompt is too long: so said the upstream"
    if compacts:
        assert int(compacts[1]) > int(compacts[2])
    if shortens:
        prompt, answer, limit = map(int, shortens.groups())
        assert prompt + answer > limit
        assert limit - prompt >= LEAST_ROOM


def test_what_the_refusal_counted_is_believed_and_the_rest_is_estimated() -> None:
    assert completed(Overflow(9000, 8000), 100, 5000) == Overflow(9000, 8000)
    assert completed(Overflow(None, 8000), 9100, 5000) == Overflow(9100, 8000)
    assert completed(Overflow(), 9100, 5000) == Overflow(9100, 5000)
    assert completed(Overflow(), 4000, 5000) == Overflow(5001, 5000)
    assert completed(Overflow(), 4000, None) == Overflow(4000)
    assert completed(Overflow(700, 8000, 7500, at_least=True), 9100, None) == Overflow(9100, 8000)


def test_an_answer_that_does_not_fit_is_told_as_that() -> None:
    assert completed(Overflow(5000, 8000, 4000), 1, None) == Overflow(5000, 8000, 4000)
    assert completed(Overflow(7500, 8000, 4000), 1, None) == Overflow(7500, 8000 - LEAST_ROOM)
    assert completed(Overflow(700, 8000, 7301, at_least=True), 5000, None) == Overflow(5000, 8000, 7301)


def test_a_prompt_that_was_not_counted_leaves_what_its_estimate_leaves() -> None:
    clipped = Overflow(769, 32768, 32000, at_least=True)
    assert room(clipped, 10_000) == 32768 - 11_000
    assert room(Overflow(20_000, 32768, 12_769, at_least=True), 10_000) == 32768 - 22_000
    assert room(clipped, 30_000) is None
    assert room(Overflow(10_000, 32768, 32000), 10_000) is None


def test_the_room_that_a_refusal_counted() -> None:
    said = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens "
    assert left(said + "(5000 in the messages, 4000 in the completion).") == 3192
    assert left(said + "(7900 in the messages, 1100 in the completion).") is None
    assert left(f"Your prompt was: {said}(5000 in the messages, 4000 in the completion).") is None
    assert left("input length and `max_tokens` exceed context limit: 5000 + 4000 > 8192") is None


def test_every_client_gets_it_in_its_own_shape() -> None:
    overflow = Overflow(140211, 128000)
    fault = Fault(400, "invalid_request_error", for_anthropic(overflow) + ". Buy more.", overflow=overflow)
    assert json.loads(error_body(fault, "req_1")) == {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": "prompt is too long: 140211 tokens > 128000 maximum. Buy more.",
        },
        "request_id": "req_1",
    }
    assert json.loads(error_body(fault, "req_1", openai=True)) == {
        "error": {
            "type": "invalid_request_error",
            "message": "This model's maximum context length is 128000 tokens. However, your messages resulted in "
            "140211 tokens. Please reduce the length of the messages. Buy more.",
            "param": "messages",
            "code": "context_length_exceeded",
        }
    }


@pytest.mark.parametrize(
    ("overflow", "words"),
    [
        (Overflow(5000, 8000, 4000), "you requested 9000 tokens (5000 in the messages, 4000 in the completion)"),
        (Overflow(5000), "Your input exceeds the context window of this model"),
    ],
)
def test_openais_words(overflow: Overflow, words: str) -> None:
    assert words in for_openai(overflow)


@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_body_is_too_odd_to_be_read(body: bytes) -> None:
    assert (measured(body).limit or 2 * LEAST_ROOM) >= 2 * LEAST_ROOM
