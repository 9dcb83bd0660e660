"""An upstream's events on their way: what goes out, what is known of it, and nothing after a failure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.chat.events import (
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Failed,
    Finished,
    Started,
    Stop,
    TextDelta,
)
from providers.chat.fold import WholeMessage
from providers.errors import ErrorKind, Fault, UpstreamFailure
from providers.ports import Usage
from providers.translation import Translation

STARTED, OPENED, CLOSED = Started("msg_1", "m"), BlockStarted(BlockKind.TEXT), BlockStopped()
FINISHED = Finished(Stop.END_TURN, Usage(input_tokens=3, output_tokens=4))
ANSWER: list[Event] = [STARTED, OPENED, TextDelta("Hi"), CLOSED, FINISHED, Ended()]
GONE = UpstreamFailure(ErrorKind.CUT, "gone")


WHOLE = st.just(ANSWER)


class Scripted:
    """A reader whose events are given: one list per call."""

    closing = False

    def __init__(self, *lists: Iterable[Event]) -> None:
        self.lost: list[str] = []
        self._lists = [list(events) for events in lists]

    def feed(self, data: bytes) -> list[Event]:
        return self._lists.pop(0) if self._lists else []

    def finish(self) -> list[Event]:
        return self.feed(b"")

    def whole(self, body: bytes) -> list[Event]:
        return self.feed(body)


class Names:
    """A writer of the events' names."""

    def __init__(self) -> None:
        self.lost: list[str] = []

    def write(self, event: Event) -> bytes:
        return type(event).__name__.encode() + b" "

    def whole(self, message: WholeMessage) -> bytes:
        return "".join(block.text for block in message.blocks).encode()

    def failed(self, fault: Fault) -> bytes:
        return fault.message.encode()


def translation(*lists: Iterable[Event], stream: bool = True) -> Translation:
    return Translation(Scripted(*lists), Names(), stream)


def test_events_go_out_as_they_come() -> None:
    machine = translation(ANSWER[:2], ANSWER[2:3], ANSWER[3:])
    assert machine.feed(b"") == b"Started BlockStarted "
    assert (machine.begun, machine.ended) == (False, False)
    assert machine.feed(b"") == b"TextDelta "
    assert (machine.begun, machine.ended) == (True, False)
    assert machine.finish() == b"BlockStopped Finished Ended "
    assert (machine.ended, machine.failure, machine.usage) == (True, None, FINISHED.usage)


def test_a_client_that_wants_it_whole_gets_nothing_before_the_end() -> None:
    machine = translation(ANSWER[:5], ANSWER[5:], stream=False)
    assert machine.feed(b"") == b""
    assert machine.begun
    assert machine.finish() == b"Hi"
    assert machine.ended


def test_an_answer_that_came_whole_goes_out_in_either_form() -> None:
    assert translation(ANSWER).take_whole(b"").startswith(b"Started BlockStarted TextDelta ")
    assert translation(ANSWER, stream=False).take_whole(b"") == b"Hi"


def test_how_a_stream_fails_is_the_writers_to_say() -> None:
    assert translation(ANSWER[:3]).failed(Fault(502, "api_error", "gone")) == b"gone"


def test_closing_is_what_the_reader_says() -> None:
    reader = Scripted()
    machine = Translation(reader, Names(), True)
    assert not machine.closing
    reader.closing = True
    assert machine.closing


def test_what_came_before_a_failure_goes_out_and_nothing_after() -> None:
    machine = translation([*ANSWER[:3], Failed(GONE), *ANSWER[3:]])
    assert machine.feed(b"") == b"Started BlockStarted TextDelta "
    assert (machine.failure, machine.ended) == (GONE, False)
    assert machine.finish() == b""


def test_a_whole_answer_that_fails_is_never_sent() -> None:
    machine = translation([*ANSWER[:4], Failed(GONE)], stream=False)
    assert machine.feed(b"") + machine.finish() == b""
    assert (machine.failure, machine.ended) == (GONE, False)


def test_events_out_of_order_are_a_failure() -> None:
    machine = translation([STARTED, TextDelta("x")])
    assert machine.feed(b"") == b"Started "
    assert machine.failure is not None
    assert machine.failure.kind is ErrorKind.MALFORMED
    assert "out of order: TextDelta may not come while BETWEEN" in machine.failure.words


def test_after_events_out_of_order_nothing_is_taken() -> None:
    machine = translation([STARTED, STARTED], ANSWER[1:])
    machine.feed(b"")
    failure = machine.failure
    assert machine.finish() == b""
    assert (machine.failure, machine.ended) == (failure, False)


def test_in_any_order_an_answer_is_whole_or_failed() -> None:
    for events in permutations(ANSWER[:-1]):
        machine = translation([*events, Ended()])
        machine.feed(b"")
        assert machine.ended is (machine.failure is None) is ([*events, Ended()] == ANSWER)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(st.sampled_from([*ANSWER, Failed(GONE)]), max_size=3) | WHOLE, max_size=4), st.booleans())
def test_whatever_comes_is_never_both_whole_and_failed(lists: list[list[Event]], stream: bool) -> None:
    """Lists end with the first end in them, as readers promise."""
    ends = [at for at, events in enumerate(lists) if any(isinstance(event, Ended | Failed) for event in events)]
    machine = translation(*lists[: ends[0] + 1 if ends else None], stream=stream)
    for _ in lists:
        machine.feed(b"")
        assert not (machine.ended and machine.failure)
