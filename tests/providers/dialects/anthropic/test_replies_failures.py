"""Answers that fail: broken grammar, errors inside a 200, whole answers that are none."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.chat.sse import MAX_FRAME
from providers.dialects.anthropic.replies import MessageStream
from providers.errors import ErrorKind, UpstreamFailure
from tests.providers.dialects.anthropic.samples import STOP, STREAMS, fed, whole
from tests.providers.support import property_test
from tests.upstream import block, error_event, message_delta, message_start, message_stop, text

# Grammar


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"not json",
        b'{"message":null}',
        b'{"message":"m"}',
        b'{"message":[]}',
        b'{"message":{"model":tru}}',
        b'{"message":{"model":1e999}}',
        b'{"message":{"usage":1e999}}',
        b'{"message":{"model":"\xff"}}',
        b'{"message":{"content":' + b"[" * 100_000,
        b'{"message":{"content":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    ],
)
def test_a_start_that_cannot_be_read_is_malformed(data: bytes) -> None:
    stream, sent = fed([b"event: message_start\ndata: " + data + b"\n\n" + b"".join(block(0, text("Hi")))])
    assert sent == b""
    assert stream.failure is not None
    assert stream.failure.kind is ErrorKind.MALFORMED
    assert "message_start" in stream.failure.words
    assert not stream.begun


@pytest.mark.parametrize("data", [b"", b"null", b"half {", b'{"delta":1e999}', b'{"usage":1e999}', b"[1]"])
def test_a_delta_that_cannot_be_read_is_malformed(data: bytes) -> None:
    before = message_start("m") + b"".join(block(0, text("Hi")))
    stream, sent = fed([before, b"event: message_delta\ndata: " + data + b"\n\n", message_stop()], "m")
    assert sent == before
    assert stream.failure is not None
    assert stream.failure.kind is ErrorKind.MALFORMED


@pytest.mark.parametrize(
    "early", [b"".join(block(0, text("Hi"))[1:2]), b"".join(block(0, text("Hi"))), message_delta(), message_stop()]
)
def test_content_before_the_start_is_malformed(early: bytes) -> None:
    stream, _ = fed([early, message_start("m"), message_stop()])
    assert stream.failure is not None
    assert stream.failure.kind is ErrorKind.MALFORMED
    assert (stream.begun, stream.ended) == (False, False)


def test_an_event_without_an_end_is_malformed() -> None:
    stream = MessageStream("m")
    start = message_start("m")
    assert stream.feed(start + b"data: ") == start
    assert stream.feed(b"x" * MAX_FRAME) == b""
    assert stream.failure is not None
    assert stream.failure.kind is ErrorKind.MALFORMED
    assert stream.finish() == b""


@pytest.mark.parametrize("raw", [b"", b"\n", b"\r\n\r\n", b": comment\n\n", b"<html>\n\n<p>Hi</p></html>", b"{}"])
def test_no_events_at_all_is_no_answer(raw: bytes) -> None:
    stream, _ = fed([raw])
    assert stream.failure is not None
    assert stream.failure.kind is ErrorKind.CUT
    assert not stream.begun


# Errors inside a 200


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", ErrorKind.OVERLOADED),
        ("rate_limit_error", ErrorKind.RATE_LIMITED),
        ("invalid_request_error", ErrorKind.INVALID_REQUEST),
        ("authentication_error", ErrorKind.KEY_REFUSED),
        ("api_error", ErrorKind.SERVER_ERROR),
        ("brand_new_error", ErrorKind.SERVER_ERROR),
    ],
)
@pytest.mark.parametrize("content", [b"", b"".join(block(0, text("Hi"))[:2])])
def test_an_error_event_ends_it_with_the_upstreams_words(kind: str, expected: ErrorKind, content: bytes) -> None:
    before = message_start("m") + content
    for pieces in ([before, error_event(kind, "So sorry")], [before + error_event(kind, "So sorry") + STOP]):
        stream, sent = fed(pieces, "m")
        assert sent == before
        assert (stream.ended, stream.begun) == (False, bool(content))
        assert stream.failure is not None
        assert (stream.failure.kind, stream.failure.words) == (expected, "So sorry")
        assert json.loads(stream.failure.body or b"")["error"]["type"] == kind


def test_nothing_is_taken_after_a_failure() -> None:
    stream = MessageStream("m")
    stream.feed(message_start("m") + error_event("api_error", "Sorry"))
    assert stream.feed(STREAMS["text"]) == b""
    assert stream.finish() == b""
    assert (stream.begun, stream.ended) == (False, False)


@pytest.mark.parametrize("data", [b"", b"{}", b"words", b'{"error":{}}'])
def test_an_error_event_of_any_shape_has_words(data: bytes) -> None:
    stream, sent = fed([b"event: error\ndata: " + data + b"\n\n"])
    assert sent == b""
    assert stream.failure is not None
    assert stream.failure.kind is ErrorKind.SERVER_ERROR
    assert stream.failure.words


# Whole answers


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Full"}}', ErrorKind.OVERLOADED, "Full"),
        (b'{"error":{"message":"Quota","code":429}}', ErrorKind.RATE_LIMITED, "Quota"),
        (b'{"error":"down"}', ErrorKind.SERVER_ERROR, "down"),
        (b'{"type":"error"}', ErrorKind.SERVER_ERROR, "an error without a message"),
        (b'{"choices":[]}', ErrorKind.MALFORMED, "no content list"),
        (b'{"content":"Hi"}', ErrorKind.MALFORMED, "no content list"),
        (b'{"content":tru}', ErrorKind.MALFORMED, "without JSON"),
        (b'{"content":[],"model":1e999}', ErrorKind.MALFORMED, "without JSON"),
        (b"", ErrorKind.MALFORMED, "without JSON"),
        (b"[]", ErrorKind.MALFORMED, "without JSON"),
        (b"<html><title>Just a moment...</title></html>", ErrorKind.MALFORMED, "Just a moment..."),
        (b"\xff\xfe\x00", ErrorKind.MALFORMED, "without JSON"),
        (b"x" * 5000, ErrorKind.MALFORMED, "xxx"),
    ],
)
def test_what_is_no_whole_answer_fails(body: bytes, kind: ErrorKind, words: str) -> None:
    with pytest.raises(UpstreamFailure) as raised:
        whole(body, "asked")
    assert raised.value.kind is kind
    assert words in raised.value.words
    assert len(raised.value.words) < 300


# Whatever comes in

START = message_start("up", message_id="msg_1")
FRAMES = [
    START,
    *block(0, text("Hi")),
    *block(1, text("Ho")),
    message_delta(),
    message_delta(None),
    message_stop(),
    error_event("api_error", "Sorry"),
    b"data: [DONE]\n\n",
    b": comment\n\n",
    b'data: {"type":"content_block_stop","index":0}\n\n',
    b'event: message_start\ndata: {"message":{"model":1,"model":2}}\n\n',
    b"event: message_start\ndata: {\n\n",
    b"event: message_delta\ndata: {}\n\n",
    b"event: content_block_stop\n\n",
    b"event: x\r\ndata: y\r\n\r\n",
    b"event: mess",
    b"\n",
    b"\xff\x00",
]
ANYTHING = st.lists(st.sampled_from(FRAMES) | st.binary(max_size=12), max_size=14)


@property_test
@given(st.booleans(), ANYTHING)
def test_one_of_ended_and_failure_holds_at_the_end(started: bool, pieces: list[bytes]) -> None:
    stream = MessageStream("asked")
    begun = False
    for piece in [START] * started + pieces:
        over = stream.ended or stream.failure is not None
        sent = stream.feed(piece)
        assert not (over and sent)
        assert not (begun and not stream.begun)
        assert not (stream.ended and stream.failure)
        begun = stream.begun
    stream.finish()
    assert stream.ended is (stream.failure is None)
    assert stream.begun or not stream.ended
    assert stream.finish() == b""


@property_test
@given(ANYTHING, st.data())
def test_what_passes_does_not_hang_on_how_it_was_cut(pieces: list[bytes], data: st.DataObject) -> None:
    raw = START + b"".join(pieces).replace(b"\r", b"")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    edges = [0, *cuts, len(raw)]
    one, passed = fed([raw])
    other, again = fed(raw[start:end] for start, end in pairwise(edges))
    assert again == passed
    assert (other.begun, other.ended, other.usage) == (one.begun, one.ended, one.usage)
    assert str(other.failure) == str(one.failure)


@property_test
@given(st.binary(max_size=60) | st.sampled_from(FRAMES))
def test_any_whole_body_is_an_answer_or_a_failure(body: bytes) -> None:
    for each in (body, b'{"content":[],"model":' + body + b"}", b'{"content":[],"usage":{"input_tokens":' + body):
        try:
            answer = whole(each, "asked")
        except UpstreamFailure:
            continue
        assert json.loads(answer.body)["model"] == "asked"
