"""A Messages answer passes as the bytes it came in, but for the model's name; a cut is known as a cut."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.chat.sse import MAX_FRAME
from providers.dialects.anthropic.replies import MessageStream
from providers.errors import ErrorKind
from providers.ports import Usage
from tests.providers.dialects.anthropic.samples import (
    CONTENT,
    STOP,
    STREAMS,
    WHOLES,
    by_the_book,
    echoed,
    fed,
    settled,
    whole,
)
from tests.upstream import block, error_event, message_delta, message_start, text

ECHO = "asked/for"
NAMES = ["m", 'a "quoted" one', "back\\slash\\1", "日本語🙂", "provider/vendor/model:free@west", "", "\n", "\\g<0>"]
each_stream = pytest.mark.parametrize("raw", STREAMS.values(), ids=STREAMS.keys())
each_whole = pytest.mark.parametrize("raw", WHOLES.values(), ids=WHOLES.keys())


def frames_of(raw: bytes) -> list[bytes]:
    return [each + b"\n\n" for each in raw.split(b"\n\n")[:-1]]


@each_stream
def test_every_split_passes_the_same_bytes(raw: bytes) -> None:
    expected = echoed(raw, ECHO)
    for cut in range(len(raw) + 1):
        stream, sent = fed([raw[:cut], raw[cut:]])
        assert sent == expected, f"split at {cut}"
        assert (stream.begun, stream.ended, stream.failure) == (True, True, None)


@each_stream
def test_byte_by_byte_passes_the_same_bytes(raw: bytes) -> None:
    stream, sent = fed(raw[at : at + 1] for at in range(len(raw)))
    assert sent == echoed(raw, ECHO)
    assert (stream.ended, stream.failure) == (True, None)


@each_stream
@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_other_line_ends_pass_as_they_are(raw: bytes, end: bytes) -> None:
    raw = raw.replace(b"\n", end)
    assert fed([raw])[1] == echoed(raw, ECHO)
    stream, sent = fed(raw[at : at + 1] for at in range(len(raw)))
    assert sent.rstrip(b"\r\n") == echoed(raw, ECHO).rstrip(b"\r\n")
    assert by_the_book(sent) == by_the_book(echoed(raw, ECHO))
    assert (stream.ended, stream.failure) == (True, None)


@each_stream
def test_begun_with_the_first_content_and_ended_with_the_last_event(raw: bytes) -> None:
    stream = MessageStream(ECHO)
    begun = False
    for each in frames_of(raw):
        assert (stream.begun, stream.ended) == (begun, False)
        stream.feed(each)
        begun = begun or any(b"event: " + name in each for name in CONTENT)
        assert stream.begun == begun
    assert stream.ended


@each_stream
def test_nothing_is_held_back_and_nothing_is_sent_twice(raw: bytes) -> None:
    stream = MessageStream(ECHO)
    for each in frames_of(raw):
        assert stream.feed(each) == (echoed(each, ECHO) if b'"upstream-model"' in each else each)
    assert stream.feed(b"") == b""
    assert stream.finish() == b""


@each_stream
def test_a_cut_at_every_byte_is_known_as_one(raw: bytes) -> None:
    events = by_the_book(echoed(raw, ECHO))
    for cut in range(len(raw)):
        stream, sent = fed([raw[:cut]])
        whole_ones = len(by_the_book(raw[:cut]))
        # The last event may lack no more than the blank line that ends it.
        more = by_the_book(raw[:cut] + b"\n\n")[: whole_ones + 1] == by_the_book(raw)[: whole_ones + 1]
        assert_cut(stream, sent, [events[:whole_ones], *([events[: whole_ones + 1]] if more else [])], f"cut at {cut}")


def assert_cut(stream: MessageStream, sent: bytes, allowed: list[list[tuple[bytes, bytes]]], where: str) -> None:
    got = by_the_book(sent)
    assert sent == b"" or sent.endswith(b"\n\n"), where
    if stream.ended:
        assert stream.failure is None, where
        assert got in allowed or sent.endswith(STOP), where
        passed = got if got in allowed else got[:-1]
        assert passed in allowed, where
        assert settled(passed), where
        return
    assert got in allowed, where
    assert not settled(got), where
    assert stream.failure is not None, where
    assert stream.failure.kind is ErrorKind.CUT, where
    begun = any(name in CONTENT for name, _ in got)
    assert ("in the middle of" if begun else "before") in stream.failure.words


@pytest.mark.parametrize("half", [b"event: content_bl", b"data: {", b"event: content_block_delta\ndata: {"])
def test_half_an_event_never_leaves(half: bytes) -> None:
    before = message_start("m") + b"".join(block(0, text("Hi")))
    stream, sent = fed([before, half], "m")
    assert sent == before
    assert stream.failure is not None
    assert stream.failure.kind is ErrorKind.CUT


def test_a_missing_stop_is_supplied_once_all_else_has_come() -> None:
    body = message_start("m") + b"".join(block(0, text("Hi"))) + message_delta()
    stream, sent = fed([body], "m")
    assert sent == body + STOP
    assert (stream.ended, stream.failure) == (True, None)


def test_a_reason_once_given_stays_given() -> None:
    body = message_start("m") + b"".join(block(0, text("Hi"))) + message_delta() + message_delta(None)
    stream, sent = fed([body], "m")
    assert sent == body + STOP
    assert stream.ended


def test_no_stop_is_supplied_over_an_open_block() -> None:
    body = message_start("m") + b"".join(block(0, text("Hi"))[:-1]) + message_delta()
    stream, sent = fed([body], "m")
    assert sent == body
    assert stream.failure is not None
    assert stream.failure.kind is ErrorKind.CUT


@pytest.mark.parametrize("reason", [None, ""])
def test_no_stop_is_supplied_without_a_reason(reason: str | None) -> None:
    stream, sent = fed([message_start("m") + b"".join(block(0, text("Hi"))) + message_delta(reason)], "m")
    assert not sent.endswith(STOP)
    assert not stream.ended


@pytest.mark.parametrize("noise", [b"data: [DONE]\n\n", b": bye\n\n", STOP, error_event("api_error", "late")])
def test_what_comes_after_the_end_is_dropped(noise: bytes) -> None:
    raw = STREAMS["text"]
    for pieces in ([raw + noise], [raw, noise], [raw + noise[:5], noise[5:]], [raw, noise[:-1]]):
        stream, sent = fed(pieces)
        assert sent == echoed(raw, ECHO)
        assert (stream.ended, stream.failure) == (True, None)


def test_the_end_stays_the_end_however_much_noise_follows() -> None:
    stream, sent = fed([STREAMS["text"], b"x" * (MAX_FRAME + 1)])
    assert sent == echoed(STREAMS["text"], ECHO)
    assert (stream.ended, stream.failure) == (True, None)


# The model's name


@pytest.mark.parametrize("name", NAMES)
def test_any_model_name_is_set_back(name: str) -> None:
    stream, sent = fed([STREAMS["text"]], name)
    assert json.loads(by_the_book(sent)[0][1])["message"]["model"] == name
    assert by_the_book(sent)[1:] == by_the_book(STREAMS["text"])[1:]
    assert stream.ended


def test_the_same_name_changes_no_byte() -> None:
    raw = STREAMS["spaced"]
    assert fed([raw], "upstream-model")[1] == raw


def test_only_the_messages_own_model_is_set_back() -> None:
    start = (
        b'event: message_start\ndata: {"model":"up","type":"message_start","message":{"container":{"model":"up"},'
        b'"model":"up","id":"\\"model\\":\\"up\\""}}\n\n'
    )
    _, sent = fed([start], "asked")
    assert sent == start.replace(b'},"model":"up"', b'},"model":"asked"')


@pytest.mark.parametrize("order", ['{"message":%s,"copy":%s}', '{"copy":%s,"message":%s}'])
def test_a_copy_of_the_message_beside_it_stays_as_it_is(order: str) -> None:
    data = order % (('{"model":"up"}',) * 2)
    start = f"event: message_start\ndata: {data}\n\n".encode()
    _, sent = fed([start], "asked")
    expected = start.replace(b'"message":{"model":"up"}', b'"message":{"model":"asked"}')
    assert sent == expected


def test_a_message_without_a_model_gets_one() -> None:
    _, sent = fed([b'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n'])
    assert by_the_book(sent) == [
        (b"message_start", b'{"type":"message_start","message":{"id":"m","model":"asked/for"}}')
    ]


def test_a_model_written_with_escapes_is_read() -> None:
    raw = rb"event: message_start" + b"\n" + rb'data: {"message":{"mod\u0065l":"\u0075p"}}' + b"\n\n"
    assert fed([raw], "up")[1] == raw
    assert b'"down"' in fed([raw], "down")[1]


def test_a_message_in_several_data_lines_stays_one_event() -> None:
    raw = (
        b'event: message_start\ndata: {"type":"message_start",\ndata:  "message":\ndata: {"id":"m",\n'
        b'data:  "model":"up"}}\n\n'
    )
    _, sent = fed([raw])
    [(name, data)] = by_the_book(sent)
    assert name == b"message_start"
    assert json.loads(data) == {"type": "message_start", "message": {"id": "m", "model": "asked/for"}}


# Events without their ``event:`` line, which no client would read


def test_every_name_is_mended() -> None:
    raw = STREAMS["thinking"]
    nameless = b"".join(each[each.index(b"\n") + 1 :] for each in frames_of(raw))
    stream, sent = fed([nameless])
    assert sent == echoed(raw, ECHO)
    assert (stream.begun, stream.ended) == (True, True)


@pytest.mark.parametrize("empty", [b"event:\n", b"event\n"])
def test_an_empty_name_is_mended(empty: bytes) -> None:
    _, sent = fed([message_start("m") + empty + b'data: {"type":"ping"}\n\n'], "m")
    assert by_the_book(sent)[1:] == [(b"ping", b'{"type":"ping"}')]


def test_a_mended_event_of_several_lines_stays_one_event() -> None:
    _, sent = fed([message_start("m") + b'data: {"type":\ndata: "ping"}\n\n'], "m")
    [(name, data)] = by_the_book(sent)[1:]
    assert (name, json.loads(data)) == (b"ping", {"type": "ping"})


@pytest.mark.parametrize(
    "data", [b"[DONE]", b"words", b"[1]", b'{"no":"type"}', b'{"type":1}', b'{"type":"a\\nb"}', b'{"type":', b""]
)
def test_what_has_no_type_stays_as_it_is(data: bytes) -> None:
    odd = b"data: " + data + b"\n\n"
    stream, sent = fed([message_start("m"), odd, STREAMS["text"].split(b"\n\n", 1)[1]], "m")
    assert odd in sent
    assert stream.ended


def test_a_nameless_error_is_an_error() -> None:
    stream, sent = fed([error_event("overloaded_error", "Full").removeprefix(b"event: error\n")])
    assert sent == b""
    assert stream.failure is not None
    assert (stream.failure.kind, stream.failure.words) == (ErrorKind.OVERLOADED, "Full")


def test_the_last_of_several_names_counts() -> None:
    stream, _ = fed([message_start("m"), b"event: ping\n" + error_event("api_error", "Sorry")])
    assert stream.failure is not None
    assert stream.failure.words == "Sorry"


# Usage


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("text", Usage(25, 15)),
        ("late_usage", Usage(2679, 510, 4, 3)),
        ("no_usage", Usage()),
        ("empty", Usage(3, 0)),
        ("server_tools", Usage(9, 7)),
    ],
)
def test_usage_of_a_stream(name: str, usage: Usage) -> None:
    assert fed([STREAMS[name]])[0].usage == usage


@pytest.mark.parametrize("odd", ["7", None, -1, 1.5, [], {}])
def test_a_count_that_is_none_is_no_report(odd: Any) -> None:
    stream, _ = fed([message_start("m", {"input_tokens": 5}), message_delta(usage={"input_tokens": odd})])
    assert stream.usage == Usage(5)


# Whole answers


@each_whole
@pytest.mark.parametrize("name", NAMES)
def test_a_whole_answer_keeps_its_bytes_but_for_the_name(raw: bytes, name: str) -> None:
    assert whole(raw, name).body == echoed(raw, name)
    assert whole(raw, "upstream-model").body == raw


@pytest.mark.parametrize(
    ("name", "usage"), [("text", Usage(2095, 503, 5)), ("tools", Usage(2095, 503, 5)), ("gaps", Usage())]
)
def test_usage_of_a_whole_answer(name: str, usage: Usage) -> None:
    assert whole(WHOLES[name], ECHO).usage == usage


def test_a_whole_answer_without_a_model_gets_one() -> None:
    assert whole(b'{"content":[],"usage":null}', ECHO).body == b'{"content":[],"usage":null,"model":"asked/for"}'
