"""Messages streams and bodies that break or fail: one clear failure, and no call closed that did not end."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.chat.events import (
    BlockStopped,
    Ended,
    Event,
    Failed,
)
from providers.chat.fold import fold
from providers.chat.grammar import Grammar
from providers.chat.sse import MAX_FRAME
from providers.dialects.anthropic.read_reply import MessageReader
from providers.errors import ErrorKind, UpstreamFailure
from tests.upstream import (
    block,
    block_delta,
    block_start,
    error_event,
    message_delta,
    message_start,
    message_stop,
    ping,
    text,
    thinking,
    tool_use,
)

START = message_start("upstream", {"input_tokens": 11, "output_tokens": 1}, "msg_1")
HI = b"".join(block(0, text("Hi", 1)))
END = message_delta() + message_stop()


def events(*parts: bytes) -> list[Event]:
    """All events of these reads and the upstream's end, which are in order."""
    machine = MessageReader()
    made = [event for part in parts for event in machine.feed(part)] + machine.finish()
    grammar = Grammar()
    for event in made:
        grammar.take(event)
    assert isinstance(made[-1], Ended | Failed)
    return made


def failure(*parts: bytes) -> UpstreamFailure:
    last = events(*parts)[-1]
    assert isinstance(last, Failed)
    return last.failure


CALLS = [block(number, tool_use(name, {"said": name}, f"toolu_{name}", 2)) for number, name in enumerate(("A", "B"))]


@pytest.mark.parametrize(
    "stream",
    [
        [CALLS[0][0], CALLS[1][0], *CALLS[0][1:4], *CALLS[1][1:4], CALLS[0][4], CALLS[1][4]],
        [CALLS[0][0], CALLS[1][0], CALLS[0][2], CALLS[1][2], CALLS[0][3], CALLS[1][3], CALLS[0][4], CALLS[1][4]],
        [*CALLS[0][:3], *CALLS[1][:3], CALLS[0][3], CALLS[1][3], CALLS[0][4], CALLS[1][4]],
    ],
    ids=["both open, one after the other", "both open, in turn", "half of one, half of the other"],
)
def test_calls_that_are_open_at_once_are_put_right_or_a_failure(stream: list[bytes]) -> None:
    """free-claude-code's own streams: to guess would run the wrong call."""
    assert all(len(frames_of) == 5 for frames_of in CALLS)
    made = events(START, *stream, message_delta("tool_use"), message_stop())
    if isinstance(made[-1], Failed):
        assert made[-1].failure.kind is ErrorKind.MALFORMED
        assert made.count(BlockStopped()) == 0
    else:
        said = [(each.name, json.loads(each.text)) for each in fold(made).blocks]
        assert said == [("A", {"said": "A"}), ("B", {"said": "B"})]


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("overloaded_error", ErrorKind.OVERLOADED),
        ("rate_limit_error", ErrorKind.RATE_LIMITED),
        ("invalid_request_error", ErrorKind.INVALID_REQUEST),
        ("api_error", ErrorKind.SERVER_ERROR),
        ("next_year_error", ErrorKind.SERVER_ERROR),
    ],
)
def test_an_error_event_is_a_failure_in_its_words(kind: str, made: ErrorKind) -> None:
    for before in ([], [START], [START, HI]):
        said = failure(*before, error_event(kind, "went wrong"), END)
        assert (said.kind, said.words) == (made, "went wrong")
        assert said.body is not None


@pytest.mark.parametrize(
    ("parts", "kind", "words"),
    [
        ([], ErrorKind.CUT, "before its answer began"),
        ([ping()], ErrorKind.CUT, "before its answer began"),
        ([START], ErrorKind.CUT, "in the middle of its answer"),
        ([START, HI], ErrorKind.CUT, "in the middle of its answer"),
        ([START, HI, END[:40]], ErrorKind.CUT, "in the middle of its answer"),
        ([START, block_start(0, text("Hi")), message_delta()], ErrorKind.CUT, "in the middle of its answer"),
        ([HI], ErrorKind.MALFORMED, "content before message_start"),
        (
            [START, block_delta(0, {"type": "text_delta", "text": "x"})],
            ErrorKind.MALFORMED,
            "a delta outside of a block",
        ),
        ([START, b"event: x\ndata: {\n\n"], ErrorKind.MALFORMED, "not JSON"),
    ],
)
def test_broken_streams_are_failures_in_words(parts: list[bytes], kind: ErrorKind, words: str) -> None:
    said = failure(*parts)
    assert said.kind is kind
    assert words in said.words


@pytest.mark.parametrize("parts", [[END], [message_stop()], [START, START, HI, END], [START, HI, END, START, HI, END]])
def test_events_out_of_order_do_not_come_out(parts: list[bytes]) -> None:
    assert events(*parts)


def test_a_cut_call_is_not_closed() -> None:
    opened, *rest = block(0, tool_use("Bash", {"command": "rm -rf /tmp/x"}, "toolu_1"))
    made = events(START, opened, *rest[:2])
    assert isinstance(made[-1], Failed)
    assert BlockStopped() not in made


def test_an_event_without_an_end_is_not_held_for_ever() -> None:
    machine = MessageReader()
    machine.feed(START)
    (made,) = machine.feed(b"data: " + b"x" * (MAX_FRAME + 1))
    assert isinstance(made, Failed)
    assert made.failure.words == "the upstream sent an event without an end"
    assert machine.feed(HI) + machine.finish() == []


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}', ErrorKind.OVERLOADED, "busy"),
        (b'{"error":{"message":"busy"}}', ErrorKind.SERVER_ERROR, "busy"),
        (b'{"error":"busy"}', ErrorKind.SERVER_ERROR, "busy"),
        (b'[{"error":{"message":"busy"}}]', None, "busy"),
        (b'{"detail":"busy"}', None, "busy"),
        (b"<html><title>502 Bad Gateway</title></html>", ErrorKind.MALFORMED, "502 Bad Gateway"),
        (b"upstream connect error", ErrorKind.MALFORMED, "upstream connect error"),
        (b"", ErrorKind.MALFORMED, "no message"),
        (b"[]", ErrorKind.MALFORMED, "no message"),
        (b'{"content":"Hi"}', ErrorKind.MALFORMED, "no message"),
    ],
)
def test_a_body_that_is_no_message_is_a_failure_in_its_words(body: bytes, kind: ErrorKind | None, words: str) -> None:
    (made,) = MessageReader().whole(body)
    assert isinstance(made, Failed)
    assert kind in (None, made.failure.kind)
    assert words in made.failure.words


def test_a_body_of_odd_blocks_is_read() -> None:
    content = [
        None,
        {"type": "text"},
        {"type": "text", "text": ""},
        {"type": "thinking"},
        {"type": "tool_use"},
        {"type": "new"},
        5,
    ]
    made = MessageReader().whole(json.dumps({"content": content}).encode())
    assert [str(each.kind) for each in fold(made).blocks] == [
        "raw",
        "text",
        "text",
        "thinking",
        "tool_use",
        "raw",
        "raw",
    ]
    assert made[-1] == Ended()


PIECES = [
    START,
    *CALLS[0],
    *CALLS[1],
    *block(0, text("a")),
    *block(1, thinking("hm", "s")),
    message_delta(),
    message_stop(),
    ping(),
]
PIECES += [
    error_event("api_error", "x"),
    b"data: {}\n\n",
    b"data: {\n\n",
    b"data: x\n\n",
    b"\n",
    b"event: message_stop\n\n",
]


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_whatever_comes_is_in_order_and_ends_once(parts: list[bytes]) -> None:
    made = events(START, *parts)  # which asks for order, and for one end in the last place
    assert [isinstance(event, Ended | Failed) for event in made].count(True) == 1
