"""A JSON object that keeps the bytes it came in. Pure.

Pass-through needs two things at once: to read a body, and to change one member of it while every other byte stays
as the sender wrote it (so that an upstream's prompt cache sees the same prefix). So the top level is split into
raw members, each member is decoded when it is asked for, and an edit splices bytes. Every byte is parsed once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_split_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode
_decode_text = msgspec.json.Decoder(str).decode
encode = msgspec.json.Encoder().encode

_BLANK = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class NotJson(ValueError):
    """The bytes are no JSON object; the message says why, without quoting them."""


def decode(raw: bytes) -> Any:
    """Any JSON value. Raises NotJson."""
    return _guarded(_decode, raw)


class JsonObject:
    """The members of one JSON object, decoded one by one; ``raw`` is the object as it came."""

    __slots__ = ("_decoded", "_members", "raw")

    def __init__(self, raw: bytes) -> None:
        """Raises NotJson for anything but one object in valid UTF-8."""
        self.raw = raw
        self._members: dict[str, msgspec.Raw] = _guarded(_split, raw)
        self._decoded: dict[str, Any] = {}
        if not raw.isascii():
            _check_utf8(raw)

    def __iter__(self) -> Iterator[str]:
        """The members' names, in their order."""
        return iter(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def get(self, name: str, default: Any = None) -> Any:
        """The decoded member. Raises NotJson where its bytes are not JSON (they are first read here)."""
        if name not in self._decoded:
            if name not in self._members:
                return default
            self._decoded[name] = _guarded(_decode, self._members[name])
        return self._decoded[name]

    @property
    def repeats(self) -> bool:
        """Whether a name stands twice: the last one is read here, and others may read the first."""
        return self._spans() is None

    def view(self, name: str) -> memoryview:
        """The member's bytes, not copied; none where there is no such member."""
        return memoryview(self._members[name]) if name in self._members else memoryview(b"")

    def child(self, name: str) -> JsonObject:
        """A member that is itself an object, with its own bytes."""
        return JsonObject(bytes(self._members[name]))

    def edited(self, changes: Mapping[str, bytes | None]) -> bytes:
        """The object's bytes with members set to new JSON, or dropped (None).

        Where no name stands twice and no member comes or goes, only the changed members' bytes change. Otherwise
        the object is put together again from its members: same order, same bytes in each, new members last.
        """
        if not changes:
            return self.raw
        spans = self._spans() if None not in changes.values() and changes.keys() <= self._members.keys() else None
        if spans is None:
            return self._composed(changes)
        parts: list[bytes] = []
        at = 0
        for start, end, value in sorted((*spans[name], value or b"") for name, value in changes.items()):
            parts += (self.raw[at:start], value)
            at = end
        parts.append(self.raw[at:])
        return b"".join(parts)

    def _composed(self, changes: Mapping[str, bytes | None]) -> bytes:
        members = {name: bytes(raw) for name, raw in self._members.items()} | dict(changes)
        return b"{" + b",".join(encode(name) + b":" + raw for name, raw in members.items() if raw is not None) + b"}"

    def _spans(self) -> dict[str, tuple[int, int]] | None:
        """Where each member's value stands in ``raw``; None where a name stands twice."""
        spans: dict[str, tuple[int, int]] = {}
        raw = self.raw
        at = _skip(raw, _skip(raw, 0) + 1)
        while raw[at : at + 1] == b'"':
            literal = _STRING.match(raw, at)
            name = _decode_text(literal.group()) if literal else ""
            if literal is None or name in spans:
                return None
            start = _skip(raw, _skip(raw, literal.end()) + 1)
            end = start + len(memoryview(self._members[name]))
            if raw[start:end] != bytes(self._members[name]):
                return None
            spans[name] = (start, end)
            at = _skip(raw, _skip(raw, end) + 1)
        return spans


def elements(raw: bytes) -> list[tuple[int, int]]:
    """Where each value of a JSON list stands in ``raw``: its start and its end. Raises NotJson."""
    spans: list[tuple[int, int]] = []
    at = _skip(raw, 0) + 1
    for element in _guarded(_split_list, raw):
        start = _skip(raw, at)
        end = start + len(memoryview(element))
        spans.append((start, end))
        at = _skip(raw, end) + 1
    return spans


def _skip(raw: bytes, at: int) -> int:
    blank = _BLANK.match(raw, at)
    return blank.end() if blank else at


def _check_utf8(raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise NotJson(f"the body is not valid UTF-8 (byte {error.start})") from error


def _guarded(decode: Any, raw: Any) -> Any:
    try:
        return decode(raw)
    except UnicodeDecodeError as error:
        raise NotJson("the body is not valid UTF-8") from error
    except msgspec.ValidationError as error:
        raise NotJson(f"the body is no JSON object: {error}") from error
    except msgspec.DecodeError as error:
        raise NotJson(f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise NotJson("the body is nested too deeply") from error
