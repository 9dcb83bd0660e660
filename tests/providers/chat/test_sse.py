"""Frames and their fields: the same ones however the network cuts the stream."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.chat import sse
from providers.chat.sse import FrameSplitter, FrameTooLarge, data_of, frame, name_of
from tests.providers.support import by_the_book, property_test

Event = tuple[bytes, bytes]

STREAMS = {
    "plain": b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n",
    "crlf": b"event: a\r\ndata: 1\r\n\r\nevent: b\r\ndata: 2\r\n\r\n",
    "cr": b"event: a\rdata: 1\r\revent: b\rdata: 2\r\r",
    "mixed": b"event: a\r\ndata: 1\n\r\nevent: b\rdata: 2\r\n\n",
    "bom": b"\xef\xbb\xbfevent: a\ndata: 1\n\ndata: 2\n\n",
    "bom before data": b"\xef\xbb\xbfdata: 1\n\n",
    "comments": b": hello\n\n: OPENROUTER PROCESSING\n\nevent: a\n: within\ndata: 1\n\n",
    "many lines": b'event: a\ndata: {"x":\ndata:  1}\n\n',
    "no space": b"event:a\ndata:1\n\n",
    "two spaces": b"event:  a\ndata:  1\n\n",
    "no name": b"data: 1\n\ndata: 2\n\n",
    "empty name": b"event:\ndata: 1\n\nevent\ndata: 2\n\n",
    "bare data": b"data\ndata\n\n",
    "name last": b"data: 1\nevent: a\n\n",
    "name twice": b"event: a\nevent: b\ndata: 1\n\n",
    "other fields": b"id: 7\nretry: 10\nevent: a\nx: y\ndata: 1\n\n",
    "colons": b"event: a:b\ndata: c: d\n\n",
    "text in two bytes": "event: ä\ndata: “ü” 日本 🙂\n\n".encode(),
    "blank lines": b"\n\n\nevent: a\ndata: 1\n\n\n\ndata: 2\n\n",
    "crlf blank lines": b"\r\n\r\nevent: a\r\ndata: 1\r\n\r\n\r\n\r\ndata: 2\r\n\r\n",
    "unended": b"data: 1\n\nevent: a\ndata: 2\n",
    "eventful": b"data: event\n\nevents: a\ndata: 1\n\n",
}


def cut_at(stream: bytes, *cuts: int) -> tuple[list[bytes], bytes]:
    """The frames of a stream that comes in these pieces, and what is left."""
    splitter = FrameSplitter()
    edges = [0, *sorted(cuts), len(stream)]
    frames = [each for start, end in pairwise(edges) for each in splitter.feed(stream[start:end])]
    return frames, splitter.rest


def events_of(frames: list[bytes]) -> list[Event]:
    return [(name_of(each), data_of(each)) for each in frames if re.search(rb"(?:^|[\r\n\xbf])data\b", each)]


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_every_split_gives_the_same_bytes_and_events(stream: bytes) -> None:
    whole, rest = cut_at(stream)
    assert b"".join(whole) + rest == stream
    assert events_of(whole) == by_the_book(stream)
    for cut in range(len(stream) + 1):
        frames, rest = cut_at(stream, cut)
        assert b"".join(frames) + rest == stream
        assert events_of(frames) == by_the_book(stream), f"split at {cut}"


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_byte_by_byte_gives_the_same_events(stream: bytes) -> None:
    frames, rest = cut_at(stream, *range(len(stream)))
    assert b"".join(frames) + rest == stream
    assert events_of(frames) == by_the_book(stream)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_frames_of_one_line_ending_are_the_same_at_every_split_but_for_a_late_lf(end: bytes) -> None:
    stream = end.join([b"event: a", b"data: 1", b"", b"data: 2", b"", b""])
    frames, _ = cut_at(stream)
    assert len(frames) == 2
    for cut in range(len(stream) + 1):
        again = [each.strip(b"\r\n") for each in cut_at(stream, cut)[0]]
        assert [each for each in again if each] == [each.strip(b"\r\n") for each in frames]


LINES = [
    b"event: a",
    b"event:b",
    b"data: 1",
    b"data:",
    b"data",
    b"data: event: x",
    b": c",
    b"id: 3",
    "data: é🙂".encode(),
]
ENDS = [[b"\n"], [b"\r\n"], [b"\r"], [b"\n", b"\r\n", b"\r"]]


@property_test
@given(st.data())
def test_random_streams_in_random_pieces(data: st.DataObject) -> None:
    ends = st.sampled_from(data.draw(st.sampled_from(ENDS)))
    lines = data.draw(st.lists(st.tuples(st.sampled_from([*LINES, b"", b"", b""]), ends), max_size=14))
    start = data.draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    stream = start + b"".join(line + end for line, end in lines)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    frames, rest = cut_at(stream, *cuts)
    assert b"".join(frames) + rest == stream
    assert events_of(frames) == by_the_book(stream + b"\n")[: len(events_of(frames))]
    assert events_of([*frames, rest + b"\n\n"]) == by_the_book(stream + b"\n\n")


@property_test
@given(st.lists(st.binary(max_size=30), max_size=8))
def test_any_bytes_come_out_as_they_went_in(pieces: list[bytes]) -> None:
    splitter = FrameSplitter()
    frames = [each for piece in pieces for each in splitter.feed(piece)]
    assert b"".join(frames) + splitter.rest == b"".join(pieces)
    for each in [*frames, splitter.rest]:
        assert isinstance(name_of(each), bytes)
        assert isinstance(data_of(each), bytes)


@pytest.mark.parametrize("stray", [b"", b"\r"])
def test_an_event_that_never_ends_is_refused(stray: bytes) -> None:
    splitter = FrameSplitter()
    assert splitter.feed(stray + b"x" * (sse.MAX_FRAME - len(stray))) == []
    with pytest.raises(FrameTooLarge):
        splitter.feed(b"x")


def test_a_large_frame_in_small_pieces_costs_no_more_than_its_size() -> None:
    splitter, piece = FrameSplitter(), b"x" * 4096
    started = time.process_time()
    for _ in range(1500):
        assert splitter.feed(piece) == []
    [whole] = splitter.feed(b"\n\n")
    assert len(whole) == 1500 * 4096 + 2
    # Looking at all that is held for every piece takes several seconds.
    assert time.process_time() - started < 1


def test_many_frames_may_be_larger_than_one() -> None:
    megabyte = b"data: " + b"x" * (1 << 20) + b"\n\n"
    assert len(FrameSplitter().feed(megabyte * 17)) == 17


@pytest.mark.parametrize(("name", "data"), [(b"ping", b'{"type":"ping"}'), ("ä".encode(), "🙂".encode()), (b"x", b"")])
def test_a_written_frame_is_read_back(name: bytes, data: bytes) -> None:
    written = frame(name, data)
    assert FrameSplitter().feed(written) == [written]
    assert (name_of(written), data_of(written)) == (name, data)
