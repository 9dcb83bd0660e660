"""Streams that break, fail or are no streams: one clear failure, what was said before it kept, nothing raised."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.chat.events import BlockStopped, Ended, Failed, TextDelta
from providers.chat.sse import MAX_FRAME
from providers.errors import ErrorKind
from tests.providers.dialects.openai_chat.chunks import (
    DONE,
    USAGE,
    answer,
    chunk,
    data,
    end,
    events,
    failure,
    piece,
    reader,
    shown,
    text,
    tools,
)

ERRORS: list[tuple[Any, ErrorKind | None]] = [
    ({"error": {"message": "went wrong", "type": "server_error", "code": "server_error"}}, ErrorKind.SERVER_ERROR),
    ({"error": {"message": "went wrong", "type": None, "code": 502}}, ErrorKind.SERVER_ERROR),
    ({"error": {"message": "went wrong", "type": "rate_limit_error"}}, ErrorKind.RATE_LIMITED),
    ({"error": {"message": "went wrong", "type": "overloaded_error"}}, ErrorKind.OVERLOADED),
    ({"error": {"message": "went wrong", "type": "invalid_request_error"}}, ErrorKind.INVALID_REQUEST),
    ({"error": "went wrong"}, ErrorKind.SERVER_ERROR),
    ({"id": "x", "choices": [{"delta": {}, "finish_reason": "error"}], "error": {"message": "went wrong"}}, None),
    ([{"error": {"message": "went wrong", "code": 503}}], None),
    ({"object": "error", "message": "went wrong", "code": 400}, None),
    ({"message": "went wrong"}, None),
    ({"detail": "went wrong"}, None),
    ({"detail": [{"msg": "went wrong", "loc": ["body"]}]}, None),
    ({"status": 402, "title": "Payment Required", "detail": "went wrong"}, None),
]


@pytest.mark.parametrize(("error", "kind"), ERRORS, ids=[json.dumps(error)[:60] for error, _ in ERRORS])
def test_an_error_in_a_stream_is_a_failure_in_its_words(error: Any, kind: ErrorKind | None) -> None:
    for before in ([], [text("Hi")]):
        for after in ([], [DONE]):
            said = failure(*before, data(error), *after)
            assert "went wrong" in said.words
            assert kind in (None, said.kind)


@pytest.mark.parametrize("before", [b"", chunk({"role": "assistant", "content": ""})], ids=["nothing", "a role"])
def test_an_end_without_an_answer_is_no_answer(before: bytes) -> None:
    assert failure(before, DONE).kind is ErrorKind.CUT
    assert shown(before, end(), DONE) == []
    assert shown(before, text("<"), DONE) == [("text", "<")]  # held, as it may begin a tag


@pytest.mark.parametrize(("error", "kind"), ERRORS, ids=[json.dumps(error)[:60] for error, _ in ERRORS])
def test_an_error_as_a_whole_answer_is_a_failure_in_its_words(error: Any, kind: ErrorKind | None) -> None:
    made = reader().whole(json.dumps(error).encode())
    assert isinstance(made[-1], Failed)
    assert "went wrong" in made[-1].failure.words
    assert kind in (None, made[-1].failure.kind)


@pytest.mark.parametrize("error", [None, False, "", {}, []])
def test_an_error_that_says_nothing_is_none(error: Any) -> None:
    assert shown(chunk({"content": "Hi"}, error=error), end()) == [("text", "Hi")]


def test_what_was_said_before_an_error_is_kept() -> None:
    made = events(text("Hi"), data({"error": {"message": "gone"}}))
    assert TextDelta("Hi") in made
    assert BlockStopped() not in made


@pytest.mark.parametrize("line", [b"event: error\n", b"event:error\n", b"event: error\r\n"])
def test_an_error_event_is_a_failure(line: bytes) -> None:
    assert failure(text("Hi"), line + data({"message": "gone"})).words == "gone"
    assert failure(line + data("gone")).words == "gone"


@pytest.mark.parametrize("name", [b"", b"event: message\n", b"event: chunk\n", b"id: 1\n", b"retry: 1\n"])
def test_other_names_of_events_do_not_matter(name: bytes) -> None:
    assert shown(name + text("Hi"), name + end(), name + DONE) == [("text", "Hi")]


@pytest.mark.parametrize(
    "noise",
    [b": OPENROUTER PROCESSING\n\n", b":\n\n", b"\n\n", b"data:\n\n", b"data: \n\n", b"id: 1\n\n", b"event: ping\n\n"],
)
def test_comments_and_empty_events_say_nothing(noise: bytes) -> None:
    assert shown(noise, noise + text("a"), noise, text("b"), noise, end(), noise, DONE) == [("text", "ab")]


@pytest.mark.parametrize("scalar", [b"null", b"5", b'"x"', b"true", b"[]", b"[5]"])
def test_events_that_are_no_objects_say_nothing(scalar: bytes) -> None:
    assert shown(text("a"), b"data: " + scalar + b"\n\n", end()) == [("text", "a")]


def test_a_byte_order_mark_may_begin_a_stream() -> None:
    assert shown(b"\xef\xbb\xbf" + text("a"), text("b"), end()) == [("text", "ab")]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("blank", [True, False], ids=["blank lines", "no blank lines"])
@pytest.mark.parametrize("last", [True, False], ids=["with an end", "without"])
@pytest.mark.parametrize("done", [True, False], ids=["[DONE]", "no [DONE]"])
def test_line_ends_and_blank_lines_in_any_form(line_end: bytes, blank: bool, last: bool, done: bool) -> None:
    lines = [each.strip() for each in (text("a\nb"), text("c"), end(usage=USAGE), *([DONE] if done else []))]
    gap = line_end * (2 if blank else 1)
    message = answer(gap.join(lines) + (gap if last else b""))
    assert ([block.text for block in message.blocks], message.usage.output_tokens) == (["a\nbc"], 10)


def test_an_event_of_several_data_lines_is_one() -> None:
    pretty = json.dumps({"choices": [{"index": 0, "delta": {"content": "Hi"}}]}, indent=1)
    lines = "".join(f"data: {line}\n" for line in pretty.splitlines())
    assert shown(lines.encode() + b"\n", end()) == [("text", "Hi")]


def test_the_end_may_come_without_done() -> None:
    assert shown(text("Hi"), end()) == [("text", "Hi")]


def test_done_may_come_without_a_reason() -> None:
    assert shown(text("Hi"), DONE) == [("text", "Hi")]


def test_nothing_is_read_after_done() -> None:
    machine = reader()
    assert machine.feed(text("Hi") + end() + DONE + text("more"))[-1] == Ended()
    assert machine.feed(text("more")) + machine.finish() == []


@pytest.mark.parametrize("done", [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE] \n\n", b"data: [DONE]"])
def test_done_in_any_form(done: bytes) -> None:
    assert shown(text("Hi"), done) == [("text", "Hi")]


def test_a_connection_that_ends_before_the_answer_is_cut() -> None:
    said = failure(chunk({"role": "assistant", "content": ""}))
    assert (said.kind, said.words) == (ErrorKind.CUT, "the upstream closed the connection before its answer began")


@pytest.mark.parametrize(
    "said", [text("Hi"), chunk({"reasoning": "hm"}), tools(piece("Bash", "{", index=0, id="call_1"))]
)
def test_a_connection_that_ends_inside_the_answer_is_cut(said: bytes) -> None:
    gone = failure(said)
    assert (gone.kind, gone.words) == (ErrorKind.CUT, "the upstream closed the connection in the middle of its answer")


@pytest.mark.parametrize("cut", [1, 10, 30, 60])
def test_a_connection_that_ends_inside_an_event_is_cut(cut: int) -> None:
    assert failure(text("Hi"), end()[:cut]).kind is ErrorKind.CUT


def test_a_last_event_that_is_whole_needs_no_blank_line() -> None:
    assert shown(text("Hi"), end().rstrip()) == [("text", "Hi")]


@pytest.mark.parametrize("junk", [b"{", b'{"choices":', b"not json", b"<html>", b'{"a":1}x', b"\xff\xfe"])
def test_data_that_is_no_json_is_malformed(junk: bytes) -> None:
    made = events(text("Hi"), b"data: " + junk + b"\n\n", text("more"), DONE)
    assert isinstance(made[-1], Failed)
    assert made[-1].failure.kind is ErrorKind.MALFORMED
    assert "not JSON" in made[-1].failure.words
    assert TextDelta("Hi") in made


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"<html><title>502</title></html>", b"upstream connect error", b'{"error":{"message":"x"}}']
)
def test_what_is_no_stream_is_a_failure(body: bytes) -> None:
    assert failure(body).kind in (ErrorKind.CUT, ErrorKind.MALFORMED, ErrorKind.SERVER_ERROR)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html><head><title> 502 Bad Gateway </title></head></html>", "an HTML page titled '502 Bad Gateway'"),
        (b"<html></html>", "an HTML page"),
        (b"upstream connect error", "upstream connect error"),
        (b"", "no chat completion"),
        (b"{}", "no chat completion"),
        (b"5", "no chat completion"),
        (b'{"choices":[]}', "no chat completion"),
        (b'{"choices":null}', "no chat completion"),
    ],
)
def test_a_body_that_is_no_answer_is_malformed(body: bytes, words: str) -> None:
    (made,) = reader().whole(body)
    assert isinstance(made, Failed)
    assert made.failure.kind is ErrorKind.MALFORMED
    assert words in made.failure.words


def test_a_long_body_that_is_no_answer_is_not_repeated() -> None:
    (made,) = reader().whole(b"x" * 100_000)
    assert isinstance(made, Failed)
    assert len(made.failure.words) < 300


def test_an_event_without_an_end_is_not_held_for_ever() -> None:
    machine = reader()
    machine.feed(text("Hi"))
    (made,) = machine.feed(b"data: " + b"x" * (MAX_FRAME + 1))
    assert isinstance(made, Failed)
    assert (made.failure.kind, made.failure.words) == (ErrorKind.MALFORMED, "the upstream sent an event without an end")
    assert machine.feed(text("more")) + machine.finish() == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
DELTAS = st.dictionaries(
    st.sampled_from(
        ["content", "reasoning", "reasoning_content", "reasoning_details", "refusal", "function_call", "role"]
    ),
    JSON | st.text(max_size=4),
    max_size=3,
)
PIECES = st.fixed_dictionaries(
    {},
    optional={
        "index": st.none() | st.integers(-1, 2) | JSON,
        "id": st.sampled_from(["", "call_1", "call_12", "call_aaaaaaaa"]) | JSON,
        "function": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "name": st.sampled_from(["", "Read", "Ba", "sh"]) | JSON,
                "arguments": st.sampled_from(["", "{", "{}", '{"a":', "1}", '{"a":1}']) | JSON | st.just({"a": 1}),
            },
        ),
    },
)
CHUNKS = st.one_of(
    DELTAS.map(chunk),
    st.lists(PIECES, max_size=3).map(lambda pieces: tools(*pieces)),
    st.sampled_from(["stop", "tool_calls", "length", "error", "", "new"]).map(end),
    JSON.map(data),
    JSON.map(lambda usage: data({"choices": [], "usage": usage, "x_groq": usage})),
    st.just(DONE),
    st.binary(max_size=20),
)


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(parts=st.lists(CHUNKS, max_size=10))
def test_whatever_comes_is_in_order_and_ends_once(parts: list[bytes]) -> None:
    made = events(*parts)  # which asks for order, and for one end in the last place
    assert [isinstance(event, Ended | Failed) for event in made].count(True) == 1
    assert events(b"".join(parts))[-1:] == made[-1:] or isinstance(made[-1], Failed)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps({"choices": [{"message": value}]}).encode()))
def test_whatever_a_whole_body_is_it_ends_once(body: bytes) -> None:
    made = reader().whole(body)
    assert [isinstance(event, Ended | Failed) for event in made].count(True) == 1
    assert isinstance(made[-1], Ended | Failed)
