"""Server-sent events as bytes: cutting a stream into whole frames, and reading a frame's fields. Pure.

A frame is all bytes of one event up to and including the blank line that ends it. Frames put together again are
the stream, byte for byte. Lines may end in LF, CRLF or CR (html.spec.whatwg.org, "Server-sent events").
"""

from __future__ import annotations

import re

from providers.json_object import NotJson, decode

# Atomic, so that the CR and LF of one CRLF are never taken for two line ends.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINES = re.compile(rb"\r\n|\n|\r")

_FIELDS = (b":", b"event:", b"data:", b"id:", b"retry:")

MAX_FRAME = 16 * 1024 * 1024  # bytes; an upstream that sends more without a blank line is not speaking SSE

DONE = b"[DONE]"  # how OpenAI's streams end


class FrameTooLarge(ValueError):
    """More than MAX_FRAME bytes came without the end of an event."""


class FrameSplitter:
    """Bytes in as the network cuts them, whole frames out."""

    __slots__ = ("_held", "_size")

    def __init__(self) -> None:
        self._held: list[bytes] = []  # pieces without a blank line, put together only when one comes
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes; the rest is held for the next call. Raises FrameTooLarge."""
        if not self._held and _is_one_frame(data):
            return [data]  # as most reads are
        if self._held:
            if not _BLANK_LINE.search(self._end() + data):
                return self._hold(data)
            data = self.rest + data
            self._held.clear()
        frames = _cut_lf(data) if b"\r" not in data else _cut(data)
        self._size = 0
        self._hold(frames.pop())
        return frames

    @property
    def holding(self) -> bool:
        """Whether part of a frame has come."""
        return bool(self._held)

    @property
    def rest(self) -> bytes:
        """What has come of a frame that has not ended."""
        return b"".join(self._held)

    def _end(self) -> bytes:
        """The last three bytes that are held: where half a blank line can be."""
        return b"".join(piece[-3:] for piece in self._held[-3:])[-3:]

    def _hold(self, data: bytes) -> list[bytes]:
        if data:
            self._held.append(data)
            self._size += len(data)
        if self._size > MAX_FRAME:
            raise FrameTooLarge
        return []

    def last(self) -> bytes:
        """The frame that the end completes (some servers leave out the last blank line), b"" where it cuts one."""
        rest = self.rest
        lines = data_lines(rest)
        ends = lines and (lines[-1].strip() == DONE or is_json(lines[-1]) or is_json(b"\n".join(lines)))
        return rest + b"\n\n" if ends else b""


def _is_one_frame(data: bytes) -> bool:
    """Whether it ends with its only blank line; False where that has to be looked at more closely."""
    if b"\r" not in data:
        return data.find(b"\n\n") == len(data) - 2 > 0
    return data.find(b"\r\n\r\n") == len(data) - 4 > 0 and data.find(b"\n") == data.find(b"\r") + 1 == len(data) - 3


def _cut_lf(data: bytes) -> list[bytes]:
    frames = data.split(b"\n\n")
    return [frame + b"\n\n" for frame in frames[:-1]] + frames[-1:]


def _cut(data: bytes) -> list[bytes]:
    frames: list[bytes] = []
    at = 0
    for blank in _BLANK_LINE.finditer(data):
        frames.append(data[at : blank.end()])
        at = blank.end()
    return [*frames, data[at:]]


def name_of(frame: bytes) -> bytes:
    """The event's name, b"" where the frame has no ``event:`` line; the last of several counts."""
    if frame.startswith(b"event: ") and b"\nevent" not in frame and b"\r" not in frame:
        return frame[7 : frame.find(b"\n")]
    return _field(frame, b"event") if b"event" in frame else b""


def data_of(frame: bytes) -> bytes:
    """The event's data; several ``data:`` lines are joined by LF."""
    return _field(frame, b"data")


def data_lines(frame: bytes) -> list[bytes]:
    """The values of the frame's ``data:`` lines, one by one."""
    if frame.startswith(b"data: ") and frame.find(b"\n") == len(frame) - 2 and b"\r" not in frame:
        return [frame[6:-2]]  # what nearly every frame of a stream is
    return _values(frame, b"data")


def frame(name: bytes, data: bytes) -> bytes:
    """One event as every client of these APIs expects it: both lines, LF."""
    return b"event: " + name + b"\ndata: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"


def begins_stream(data: bytes) -> bool:
    """Whether the first bytes of a body can be those of an event stream, and not of JSON, HTML or prose."""
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    return any(data.startswith(field) or field.startswith(data) for field in _FIELDS)


def is_json(data: bytes) -> bool:
    """Whether data is one JSON value."""
    try:
        decode(data)
    except NotJson:
        return False
    return True


def _field(frame: bytes, wanted: bytes) -> bytes:
    values = _values(frame, wanted)
    return values[-1] if wanted == b"event" and values else b"\n".join(values)


def _values(frame: bytes, wanted: bytes) -> list[bytes]:
    values = []
    for line in _LINES.split(frame.removeprefix(b"\xef\xbb\xbf")):
        name, _, value = line.partition(b":")
        if name == wanted:
            values.append(value.removeprefix(b" "))
    return values
