"""Why an answer stopped, and what it cost: in every word and place that upstreams use."""

from __future__ import annotations

from typing import Any

import pytest

from providers.chat.events import Started
from providers.errors import ErrorKind
from providers.ports import Usage
from tests.providers.dialects.openai_chat.chunks import (
    DONE,
    ESTIMATE,
    USAGE,
    answer,
    chunk,
    data,
    end,
    events,
    failure,
    piece,
    reader,
    text,
    tools,
)

CALL = tools(piece("Bash", '{"command":"ls"}', index=0, id="call_aaaaaaaa"))

# protocols-and-providers 2.4, and litellm 1.109.1.
STOPS = {
    "end_turn": ["stop", "end_turn", "eos", "eos_token", "a_reason_of_next_year"],
    "max_tokens": ["length", "max_tokens", "model_length", "MAX_TOKENS"],
    "stop_sequence": ["stop_sequence"],
    "refusal": [
        "content_filter",
        "refusal",
        "sensitive",
        "guardrail_intervened",
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MODEL_ARMOR",
        "IMAGE_SAFETY",
        "OTHER",
    ],
}
FAILURES = {
    "error": ErrorKind.SERVER_ERROR,
    "abort": ErrorKind.SERVER_ERROR,
    "function_call_filter: MALFORMED_FUNCTION_CALL": ErrorKind.SERVER_ERROR,
    "function_call_filter: UNEXPECTED_TOOL_CALL": ErrorKind.SERVER_ERROR,
    "network_error": ErrorKind.SERVER_ERROR,
    "insufficient_system_resource": ErrorKind.OVERLOADED,
    "MALFORMED_FUNCTION_CALL": ErrorKind.SERVER_ERROR,
    "UNEXPECTED_TOOL_CALL": ErrorKind.SERVER_ERROR,
    "TOO_MANY_TOOL_CALLS": ErrorKind.SERVER_ERROR,
    "MISSING_THOUGHT_SIGNATURE": ErrorKind.SERVER_ERROR,
}


@pytest.mark.parametrize(("reason", "stop"), [(reason, stop) for stop, reasons in STOPS.items() for reason in reasons])
def test_reasons_to_stop(reason: str, stop: str) -> None:
    assert answer(text("Hi"), end(reason)).stop == stop


@pytest.mark.parametrize(("reason", "kind"), FAILURES.items())
def test_reasons_that_are_failures(reason: str, kind: ErrorKind) -> None:
    said = failure(text("Hi"), end(reason))
    assert said.kind is kind
    assert repr(reason) in said.words


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "function_call", "tool_use", "end_turn", "next_year"])
def test_an_answer_with_calls_stops_for_them(reason: str) -> None:
    assert answer(CALL, end(reason)).stop == "tool_use"


@pytest.mark.parametrize(("reason", "stop"), [("length", "max_tokens"), ("content_filter", "refusal")])
def test_an_answer_with_calls_that_stopped_early_says_so(reason: str, stop: str) -> None:
    assert answer(CALL, end(reason)).stop == stop


@pytest.mark.parametrize("reason", ["tool_calls", "function_call", "tool_use"])
def test_a_reason_of_calls_without_calls_is_a_plain_end(reason: str) -> None:
    """Claude Code takes it for a malformed call (claude-code-wire 3.3)."""
    assert answer(text("Hi"), end(reason)).stop == "end_turn"


@pytest.mark.parametrize("reason", [None, "", 5, [], {}])
def test_no_reason_is_no_end(reason: Any) -> None:
    assert failure(text("Hi"), chunk({}, reason)).kind is ErrorKind.CUT
    assert answer(text("Hi"), chunk({}, reason), DONE).stop == "end_turn"


def test_the_sequence_that_was_met_is_named_where_it_was_asked_for() -> None:
    def last(matched: Any) -> bytes:
        return data({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": matched}]})

    message = answer(text("Hi"), last("END"), machine=reader(stop=("END",)))
    assert (message.stop, message.stop_sequence) == ("stop_sequence", "END")
    for matched in ("OTHER", 151645, None, ["END"]):
        message = answer(text("Hi"), last(matched), machine=reader(stop=("END",)))
        assert (message.stop, message.stop_sequence) == ("end_turn", None)


def test_closing_once_the_reason_has_come() -> None:
    machine = reader()
    machine.feed(text("Hi"))
    assert not machine.closing
    machine.feed(end())
    assert machine.closing


COUNTED = Usage(input_tokens=19, output_tokens=10)


@pytest.mark.parametrize(
    "parts",
    [
        [text("Hi"), end(), data({"choices": [], "usage": USAGE}), DONE],
        [text("Hi"), end(), data({"usage": USAGE}), DONE],
        [text("Hi"), end(usage=USAGE), DONE],
        [chunk({"content": "Hi"}, usage={**USAGE, "completion_tokens": 1}), end(usage=USAGE), DONE],
        [chunk({"content": "Hi"}, usage=USAGE), end(usage=None), data({"choices": [], "usage": None}), DONE],
        [text("Hi"), end(x_groq={"id": "req_1", "usage": USAGE}), DONE],
        [text("Hi"), end(usage=None, x_groq={"usage": USAGE}), DONE],
        [text("Hi"), end(usage=USAGE)],
        [text("Hi"), end(), data({"choices": [], "usage": USAGE})],
        [text("Hi"), data({"choices": [{"delta": {}, "finish_reason": "stop", "usage": USAGE}]}), DONE],
        [text("Hi"), chunk({"content": "!"}, usage=USAGE), end(), DONE],
    ],
    ids=[
        "in its own chunk",
        "in a chunk without choices",
        "in the last",
        "on every chunk",
        "null at the end",
        "x_groq",
        "x_groq beside null",
        "in the last, no [DONE]",
        "in its own chunk, no [DONE]",
        "in the choice",
        "on every chunk but the last",
    ],
)
def test_usage_is_found(parts: list[bytes]) -> None:
    assert answer(*parts).usage == COUNTED


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "x",
        5,
        {"prompt_tokens": None},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": "19"},
    ],
)
def test_without_usage_it_is_estimated(usage: Any) -> None:
    """Four characters are a token; null would make clients fail."""
    message = answer(text("x" * 80), end(usage=usage, x_groq=None))
    assert message.usage == Usage(input_tokens=ESTIMATE, output_tokens=20)


def test_an_answer_of_nothing_is_estimated_as_one_token() -> None:
    assert answer(end()).usage == Usage(input_tokens=ESTIMATE, output_tokens=1)


def test_reasoning_and_calls_are_estimated_too() -> None:
    assert answer(chunk({"reasoning": "x" * 40}), CALL, end("tool_calls")).usage.output_tokens >= 10


def test_counts_that_are_missing_beside_others_are_estimated() -> None:
    assert answer(text("Hi"), end(usage={"completion_tokens": 10})).usage == Usage(
        input_tokens=ESTIMATE, output_tokens=10
    )
    assert answer(text("x" * 80), end(usage={"prompt_tokens": 19})).usage == Usage(input_tokens=19, output_tokens=20)


@pytest.mark.parametrize(
    "cached",
    [
        {"prompt_tokens_details": {"cached_tokens": 8}},
        {"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 11},
        {"cached_tokens": 8},
        {"prompt_tokens_details": {"cached_tokens": 8}, "cached_tokens": 8},
        {"prompt_tokens_details": None, "cached_tokens": 8},
    ],
    ids=["OpenAI", "DeepSeek", "Moonshot", "both spellings", "null details"],
)
def test_cached_tokens_are_no_longer_input(cached: dict[str, Any]) -> None:
    """``prompt_tokens`` includes them, Anthropic's ``input_tokens`` does not."""
    message = answer(text("Hi"), end(usage={**USAGE, **cached}))
    assert message.usage == Usage(input_tokens=11, output_tokens=10, cache_read_tokens=8)


def test_tokens_written_to_a_cache_and_reasoning_are_counted() -> None:
    details = {
        "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert answer(text("Hi"), end(usage={**USAGE, **details})).usage == Usage(6, 10, 8, 5, 4)


def test_more_cached_than_counted_leaves_no_negative_number() -> None:
    assert answer(text("Hi"), end(usage={**USAGE, "cached_tokens": 50})).usage.input_tokens == 0


def test_the_start_says_what_is_known_by_then() -> None:
    def first(*parts: bytes) -> Started:
        (event,) = (event for event in events(*parts) if isinstance(event, Started))
        return event

    assert first(text("Hi"), end(usage=USAGE)).usage == Usage(input_tokens=ESTIMATE)
    assert first(chunk({"content": "Hi"}, usage=USAGE), end()).usage == Usage(input_tokens=19)


def test_the_counts_of_the_first_chunk_are_the_inputs() -> None:
    for first in (text("Hi"), tools(piece("Bash", "{}", index=0))):
        started = events(first.replace(b'"choices"', b'"usage": {"prompt_tokens": 7}, "choices"'), end(), DONE)[0]
        assert isinstance(started, Started)
        assert started.usage.input_tokens == 7


@pytest.mark.parametrize(
    ("completion", "total", "output"), [(4, 29, 10), (10, 29, 10), (4, 23, 4), (4, 0, 4), (6, 31, 12)]
)
def test_reasoning_that_is_counted_apart_is_output(completion: int, total: int, output: int) -> None:
    """xAI's completion_tokens leave it out, which shows in the total; where it is inside, nothing is added."""
    usage = {"prompt_tokens": 19, "completion_tokens": completion, "total_tokens": total}
    counted = answer(text("Hi"), end(usage={**usage, "completion_tokens_details": {"reasoning_tokens": 6}}), DONE).usage
    assert (counted.output_tokens, counted.reasoning_tokens) == (output, 6)


@pytest.mark.parametrize("status", [None, {}, {"status_code": 0, "status_msg": "success"}, "x"])
def test_minimaxs_own_status_says_nothing_where_all_is_well(status: Any) -> None:
    assert answer(chunk({"content": "Hi"}, base_resp=status), end(base_resp=status), DONE).stop == "end_turn"


def test_minimaxs_own_status_is_a_failure_even_beside_text() -> None:
    refused = {"status_code": 1027, "status_msg": "output new_sensitive"}
    said = failure(text("Hi"), chunk({"content": "Hi"}, base_resp=refused))
    assert said.words == "output new_sensitive"


def test_the_error_of_a_choice_is_a_failure() -> None:
    choice = {"delta": {"content": ""}, "finish_reason": "error", "error": {"code": 429, "message": "Slow down"}}
    said = failure(text("Hi"), data({"choices": [choice]}))
    assert (said.kind, said.words) == (ErrorKind.RATE_LIMITED, "Slow down")
