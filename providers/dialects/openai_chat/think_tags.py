"""Thoughts that a model writes into its text, between <think> and </think>. Pure.

A tag is one only where it can be: at the very beginning of an answer, or directly behind the end of another thought.
Models that are known to think in their text may also begin again later, with the tag alone on its line and outside of
a block of code. Anywhere else, in prose or in code, it is text. A model's chat template can write the first tag
itself, so that the answer begins inside the thought (``unopened``): that cannot be told from text, and is believed of
models that are known for it only.

The blanks around the tags are nobody's; of all else every character comes out, once, as text or as thought.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from functools import cache

from providers.chat.events import BlockKind

Piece = tuple[BlockKind, str]

MAX_BLANKS = 4096  # characters; behind more of them no tag is looked for

_FENCE = re.compile(r"(?m)^[ \t]*(`{3,}|~{3,})([^`\r\n]*)\r?$")


class _At(Enum):
    START = auto()  # nothing but blanks has come
    OPENED = auto()  # the tag has come, and nothing but blanks behind it
    THOUGHT = auto()
    CLOSED = auto()  # a thought has ended, and nothing but blanks behind it
    TEXT = auto()


class ThinkTags:
    """Text in as it streams, text and thoughts out."""

    __slots__ = ("_at", "_close", "_fence", "_held", "_known", "_names", "_opens", "_raw", "_text", "_unopened")

    def __init__(self, names: tuple[str, ...] = ("think",), *, known: bool = False, unopened: bool = False) -> None:
        """``names`` are those that a tag of this model can have."""
        self._names = names
        self._opens = tuple(f"<{name}>" for name in names)
        self._close = f"</{names[0]}>"
        self._known = known
        self._unopened = unopened
        self._at = _At.START
        self._held = ""  # may become a tag, or is blank and may stand around one
        self._raw: list[str] = []  # the open thought as it came, with its tag
        self._text: list[str] = []  # whole lines and the one that is open, since the last look for blocks of code
        self._fence = ""  # of the block of code that is open

    @property
    def done(self) -> bool:
        """Whether all that comes from here on is text."""
        return self._at is _At.TEXT and not self._known

    @property
    def name(self) -> str:
        """Of the tag of the latest thought."""
        return self._close[2:-1]

    @property
    def unclosed(self) -> str:
        """The thought that is open, as it came, with its tag; "" where none is. Complete after ``end``."""
        return "".join(self._raw)

    def told(self) -> None:
        """The upstream tells thoughts from text itself: an answer that begins without a tag is text."""
        self._unopened = False

    def passes(self, text: str) -> bool:
        """Whether the text, which counts as fed if so, is nothing but text: a short way for nearly all of it."""
        if self._at is not _At.TEXT or self._held or "<" in text:
            return False
        self._text.append(text)
        return True

    def feed(self, text: str) -> Sequence[Piece]:
        text, self._held = self._held + text, ""
        pieces: list[Piece] = []
        while text:
            step = _STEPS.get(self._at, ThinkTags._around)
            kind, piece, text = step(self, text)
            if piece:
                pieces.append((kind, piece))
        return pieces

    def end(self) -> Sequence[Piece]:
        """What was held; nothing else will come."""
        held, self._held = self._held, ""
        thinking = self._at in (_At.OPENED, _At.THOUGHT)
        if thinking:
            self._raw.append(held)
        if self._at in (_At.OPENED, _At.CLOSED):
            held = held.lstrip()
        return ((BlockKind.THINKING if thinking else BlockKind.TEXT, held),) if held else ()

    def _around(self, text: str) -> tuple[BlockKind, str, str]:
        """Takes blanks and a tag from the front of the text; answers with what is left to look at."""
        bare = text.lstrip()
        blanks = text[: len(text) - len(bare)]
        if len(blanks) <= MAX_BLANKS:
            close = () if self._at is _At.START and not self._unopened else (self._close,)
            for tag in (*self._opens, *close):
                if bare.startswith(tag):
                    self._tag(tag, blanks + tag)
                    return BlockKind.TEXT, "", bare[len(tag) :]
            if any(tag.startswith(bare) for tag in (*self._opens, *close)):
                self._held = text
                return BlockKind.TEXT, "", ""
        return self._inside(text, min(len(blanks), MAX_BLANKS))

    def _inside(self, text: str, blanks: int) -> tuple[BlockKind, str, str]:
        """No tag stands at the front of the text: it is a thought, or text."""
        if self._at is _At.OPENED or (self._at is _At.START and self._unopened):
            self._raw.append(text[:blanks])
            self._at = _At.THOUGHT
        else:
            blanks = 0 if self._at is _At.START else blanks
            self._at = _At.TEXT
        return BlockKind.TEXT, "", text[blanks:]

    def _tag(self, tag: str, raw: str) -> None:
        """A tag that comes twice is one."""
        if self._at is not _At.OPENED or tag == self._close:
            self._raw.clear()
        if tag == self._close:
            self._at = _At.CLOSED
            return
        self._at = _At.OPENED
        self._raw.append(raw)
        self._close = f"</{tag[1:]}"

    def _thought(self, text: str) -> tuple[BlockKind, str, str]:
        thought, tag, rest = text.partition(self._close)
        if tag:
            self._at = _At.CLOSED
            self._raw.clear()
            return BlockKind.THINKING, thought, rest
        cut = _beginning(text, self._close)
        self._held = text[cut:]
        self._raw.append(text[:cut])
        return BlockKind.THINKING, text[:cut], ""

    def _later(self, text: str) -> tuple[BlockKind, str, str]:
        if not self._known:
            return BlockKind.TEXT, text, ""
        seen = 0
        for found in _own_line(self._names).finditer(text):
            at = found.start()
            if not at and self._text and not self._text[-1].endswith("\n"):
                continue
            self._text.append(text[seen:at])
            seen = at
            if not self._in_code():
                self._tag(found[1], found[0])
                return BlockKind.TEXT, text[:at], text[found.end() :]
        cut = self._open_line(text)
        self._held = text[cut:]
        if text[seen:cut]:
            self._text.append(text[seen:cut])
        return BlockKind.TEXT, text[:cut], ""

    def _in_code(self) -> bool:
        """Whether the text so far, which ends with a line, ends inside a block of code."""
        for found in _FENCE.finditer("".join(self._text)):
            if not self._fence:
                self._fence = found[1]
            elif found[1].startswith(self._fence) and not found[2].strip():
                self._fence = ""
        self._text.clear()
        return bool(self._fence)

    def _open_line(self, text: str) -> int:
        """Where the last line begins, if it can still become a tag alone on its line; else the text's end."""
        at = text.rfind("\n") + 1
        if not at and self._text and not self._text[-1].endswith("\n"):
            return len(text)
        line = text[at:]
        ends = (f"{tag}{end}" for tag in self._opens for end in ("\n", "\r\n"))
        return at if line and any(end.startswith(line) for end in ends) else len(text)


_STEPS = {_At.THOUGHT: ThinkTags._thought, _At.TEXT: ThinkTags._later}


@cache
def _own_line(names: tuple[str, ...]) -> re.Pattern[str]:
    tags = "|".join(re.escape(f"<{name}>") for name in names)
    return re.compile(rf"(?m)^({tags})\r?\n")


def _beginning(text: str, tag: str) -> int:
    """Where the beginning of a tag stands at the text's end, the text's length where none does."""
    at = text.rfind("<", max(0, len(text) - len(tag) + 1))
    return at if at >= 0 and tag.startswith(text[at:]) else len(text)
