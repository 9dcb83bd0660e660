"""Text that is still arriving, read by parsers that wait where it ends. Pure.

A parser is a generator: it yields where it needs more text, returns what it read, and raises NotACall at the first
byte that cannot belong to a call. Every byte is read once, however small the pieces are that it comes in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")
Reading = Generator[None, None, T]

END = -1  # what stands where the text is over
_LOOK = 64  # bytes; every literal is shorter
_BLANK = re.compile(rb"\s*")
_BETWEEN = re.compile(rb"[\s\w:,.+-]*")  # what JSON has outside of strings and brackets
_IN_STRING = re.compile(rb'(?:[^"\\]|\\[\s\S])*+')
_QUOTE, _OPEN, _CLOSE = ord('"'), b"{[", b"}]"


class NotACall(Exception):
    """The text is no call."""


class Tape:
    """``data`` is UTF-8, ``at`` the next byte to be read; nothing follows once the text is ``whole``."""

    __slots__ = ("at", "data", "whole")

    def __init__(self) -> None:
        self.data = bytearray()
        self.at = 0
        self.whole = False

    def here(self) -> Reading[int]:
        """The byte that stands here, or END."""
        while self.at >= len(self.data):
            if self.whole:
                return END
            yield
        return self.data[self.at]

    def stands(self, among: bytes) -> Reading[bool]:
        """Whether one of these bytes stands here."""
        byte = yield from self.here()
        return byte != END and byte in among

    def blank(self) -> Reading[None]:
        """Goes past white space."""
        while True:
            self.at = _end(_BLANK, self.data, self.at)
            if self.at < len(self.data) or self.whole:
                return
            yield

    def one_of(self, *literals: bytes) -> Reading[bytes]:
        """Goes past the literal that stands here; b"" where none does. None of them begins another."""
        while True:
            rest = bytes(self.data[self.at : self.at + _LOOK])
            for literal in literals:
                if rest.startswith(literal):
                    self.at += len(literal)
                    return literal
            if self.whole or not any(literal.startswith(rest) for literal in literals):
                return b""
            yield

    def must(self, *literals: bytes) -> Reading[bytes]:
        """Goes past the literal that stands here. Raises NotACall."""
        found = yield from self.one_of(*literals)
        if not found:
            raise NotACall
        return found

    def run(self, inside: re.Pattern[bytes], most: int = 128) -> Reading[str]:
        """Goes past the bytes that ``inside`` matches, a repeated class. Raises NotACall for none or too many."""
        start = self.at
        while True:
            end = _end(inside, self.data, start)
            if end < len(self.data) or self.whole or end - start > most:
                break
            yield
        if not 0 < end - start <= most:
            raise NotACall
        self.at = end
        return self.text(start, end)

    def find(self, wanted: re.Pattern[bytes], longest: int, start: int) -> Reading[tuple[int, int]]:
        """Where ``wanted`` stands first from ``start`` on; ``longest`` bounds its bytes. Raises NotACall."""
        seen = start
        while True:
            if found := wanted.search(self.data, seen):
                return found.span()
            if self.whole:
                raise NotACall
            seen = max(start, len(self.data) - longest + 1)
            yield

    def json(self, watch: Callable[[bytes, bool], None] | None = None, before: bytes = b"") -> Reading[bytes]:
        """Goes past an object or a list and returns its bytes, brackets balanced, not otherwise checked.

        ``watch`` is told the strings of the outermost objects, and whether each is a key; it may raise NotACall. Where
        ``before`` stands and one bracket is missing, the bytes end with it.
        """
        start = since = self.at
        depth, outermost = 0, 1 if self.data[start : start + 1] == b"{" else 2
        while True:
            self.at = _end(_BETWEEN, self.data, self.at)
            if self.at == len(self.data):
                if self.whole:
                    raise NotACall
                yield
                continue
            byte = self.data[self.at]
            if byte == _QUOTE:
                is_key, began = not self.data[since : self.at].rstrip().endswith(b":"), self.at
                yield from self._string()
                if watch and depth == outermost:
                    watch(bytes(self.data[began : self.at]), is_key)
            elif byte in _OPEN or byte in _CLOSE:
                depth += 1 if byte in _OPEN else -1
                self.at += 1
            elif before and depth == 1 and (yield from self.one_of(before)):
                self.at -= len(before)
                return bytes(self.data[start : self.at]) + b"}"
            else:
                raise NotACall
            if depth == 0:
                return bytes(self.data[start : self.at])
            since = self.at

    def text(self, start: int, end: int) -> str:
        return self.data[start:end].decode("utf-8", "surrogatepass")

    def _string(self) -> Reading[None]:
        self.at += 1
        while True:
            self.at = _end(_IN_STRING, self.data, self.at)
            if self.data[self.at : self.at + 1] == b'"':
                self.at += 1
                return
            if self.whole:
                raise NotACall
            yield


def _end(pattern: re.Pattern[bytes], data: bytearray, start: int) -> int:
    """Where the match of a pattern ends that matches everywhere, if only nothing."""
    found = pattern.match(data, start)
    return found.end() if found else start
