"""Any dialect's answers: the same events at every split, in order, whole as streamed, and back again."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.chat.events import BlockStarted, Ended, Event, Failed
from providers.chat.fold import fold, unfold
from tests.providers.dialects.conformance import kit
from tests.providers.dialects.conformance.samples import (
    BESIDE,
    FAILURES,
    NAMES,
    PAIRS,
    SPOKEN,
    STREAMS,
    WHOLES,
    Sample,
    every,
    samples,
    sources,
)

EXHAUSTIVE = 4096  # bytes; of a longer sample every split would take too long
property_test = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

each_stream = pytest.mark.parametrize("sample", STREAMS, ids=str)
each_whole = pytest.mark.parametrize("sample", WHOLES, ids=str)
each_failure = pytest.mark.parametrize("sample", FAILURES, ids=str)
each_dialect = pytest.mark.parametrize("dialect", NAMES)
every_stream = pytest.mark.parametrize(
    "sample", STREAMS + BESIDE + [each for each in FAILURES if each.streamed], ids=str
)


def events_of(sample: Sample) -> list[Event]:
    return kit.read(sample.dialect, sample.raw) if sample.streamed else kit.read_whole(sample.dialect, sample.raw)


@st.composite
def splits(draw: st.DrawFn, raw: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    return [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]


@each_dialect
def test_every_dialect_brings_samples_of_each_kind_with_their_sources(dialect: str) -> None:
    known = sources(dialect)["samples"]
    present = [
        sample.name for folder in ("answers", "failures", "requests") for sample in samples(dialect, f"{folder}/*")
    ]
    assert sorted(known) == sorted(present)
    assert all(entry["from"] and entry["read"] for entry in known.values())
    assert {name.partition("/")[0] for name in present} == {"answers", "failures", "requests"}
    assert [pair for pair in PAIRS if pair[0].dialect == dialect]


@every_stream
def test_every_split_gives_the_same_events(sample: Sample) -> None:
    raw = sample.raw
    expected = kit.read(sample.dialect, raw)
    for cut in range(1, len(raw) if len(raw) < EXHAUSTIVE else 0):
        assert _merged(kit.read(sample.dialect, raw[:cut], raw[cut:])) == _merged(expected), f"split at {cut}"


@every_stream
def test_many_splits_give_the_same_events(sample: Sample) -> None:
    expected = _merged(kit.read(sample.dialect, sample.raw))

    @property_test
    @given(pieces=splits(sample.raw))
    def holds(pieces: list[bytes]) -> None:
        assert _merged(kit.read(sample.dialect, *pieces)) == expected

    holds()
    assert _merged(kit.read(sample.dialect, *(sample.raw[at : at + 1] for at in range(len(sample.raw))))) == expected


def _merged(events: list[Event]) -> list[object]:
    """Events as far as they can be told apart: failures are compared by what they say."""
    return [(event.failure.kind, event.failure.words) if isinstance(event, Failed) else event for event in events]


@every_stream
def test_a_stream_cut_anywhere_is_in_order_and_closes_no_call_that_was_cut(sample: Sample) -> None:
    whole = kit.read(sample.dialect, sample.raw)
    for cut in range(len(sample.raw)):
        events = kit.read(sample.dialect, sample.raw[:cut])
        assert kit.settled(events), f"cut at {cut}"
        assert kit.in_order(events).state.name in ("ENDED", "FAILED")
        if isinstance(events[-1], Failed):
            # What was said is what the whole stream says, so nothing was closed that did not end.
            assert events[:-1] == whole[: len(events) - 1], f"cut at {cut}"


@pytest.mark.parametrize("sample", STREAMS + BESIDE, ids=str)
def test_a_sample_of_an_answer_is_a_whole_one(sample: Sample) -> None:
    events = events_of(sample)
    assert isinstance(events[-1], Ended)
    assert kit.in_order(events).ended


@each_stream
def test_ids_of_calls_are_unique_and_tools_have_names(sample: Sample) -> None:
    calls = [event for event in events_of(sample) if isinstance(event, BlockStarted) and event.kind == "tool_use"]
    assert len({event.id for event in calls}) == len(calls)
    assert all(event.id and event.name for event in calls)


@each_stream
def test_counts_are_numbers_and_input_is_never_unknown(sample: Sample) -> None:
    usage = kit.finished(events_of(sample)).usage
    assert all(isinstance(count, int) and count >= 0 for count in (usage.input_tokens, usage.output_tokens))


@pytest.mark.parametrize(("stream", "whole"), PAIRS, ids=[str(stream)[:-4] for stream, _ in PAIRS])
def test_whole_and_streamed_forms_agree(stream: Sample, whole: Sample) -> None:
    assert kit.said(fold(events_of(whole))) == kit.said(fold(events_of(stream)))


@each_whole
def test_a_whole_answer_is_in_order(sample: Sample) -> None:
    events = events_of(sample)
    assert kit.in_order(events).ended
    assert kit.settled(events)


BOTH_WAYS = [each for each in STREAMS + WHOLES if each.dialect in SPOKEN and "one_way" not in each.notes]


@pytest.mark.parametrize("sample", BOTH_WAYS, ids=str)
def test_what_a_dialect_writes_it_reads_back(sample: Sample) -> None:
    mute = sources(sample.dialect)["format"]["cannot_say"]
    message = fold(events_of(sample))
    expected = kit.said(message, but=mute)
    for events in (events_of(sample), list(unfold(message))):
        again = kit.read(sample.dialect, kit.write(sample.dialect, events))
        assert kit.in_order(again).ended
        assert kit.said(fold(again), but=mute) == expected
    whole = kit.read_whole(sample.dialect, kit.writer(sample.dialect).whole(message))
    if not sample.notes.get("only_streamed"):
        assert kit.said(fold(whole), but=mute) == expected


@pytest.mark.parametrize("sample", STREAMS + WHOLES, ids=str)
def test_a_folded_answer_unfolds_to_itself(sample: Sample) -> None:
    message = fold(events_of(sample))
    assert kit.in_order(unfold(message)).ended
    assert fold(unfold(message)) == message


@each_failure
def test_failures_say_what_happened(sample: Sample) -> None:
    events = events_of(sample)
    assert kit.settled(events)
    failure = kit.failure_of(events).failure
    assert sample.notes["words"] in failure.words
    assert str(failure.kind) == sample.notes.get("kind", str(failure.kind))


@each_failure
def test_after_a_failure_nothing_follows(sample: Sample) -> None:
    machine = kit.reader(sample.dialect)
    _ = (machine.feed(sample.raw), machine.finish()) if sample.streamed else machine.whole(sample.raw)
    for answer in every("answers/text.sse"):
        assert machine.feed(answer.raw) == []
    assert machine.finish() == []
    assert machine.whole(sample.raw) == []


@each_stream
def test_after_the_end_nothing_follows(sample: Sample) -> None:
    machine = kit.reader(sample.dialect)
    assert (machine.feed(sample.raw) + machine.finish())[-1] == Ended()
    assert machine.feed(sample.raw) + machine.finish() == []


@each_dialect
@property_test
@given(data=st.data())
def test_no_bytes_make_a_reader_raise(dialect: str, data: st.DataObject) -> None:
    frames = [piece for sample in samples(dialect, "*/*.sse") for piece in sample.raw.split(b"\n\n")]
    noise = (
        st.binary(max_size=40) | st.sampled_from(frames) | st.sampled_from([b"\n\n", b"\r\n", b"data: ", b"[]", b"{}"])
    )
    pieces = data.draw(st.lists(noise | st.sampled_from(frames).map(lambda frame: frame + b"\n\n"), max_size=12))
    assert kit.settled(kit.read(dialect, *pieces))
    client = dialect if dialect in SPOKEN else "anthropic"
    machine, _ = kit.translated(dialect, client, b"".join(pieces))
    assert machine.ended is (machine.failure is None)
    assert kit.settled(kit.read_whole(dialect, b"".join(pieces)))
