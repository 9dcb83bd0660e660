"""Where in an answer's markdown a mark stands: a call, or talk of one. Pure.

A model that explains a format puts it in code, in quotes or in a list. A model that calls a tool does not.
"""

from __future__ import annotations

import re

_HEAD, _TAIL, _NEAR = 64, 240, 24  # bytes
_IN_LIST = re.compile(rb"[ \t]*(?:(?:[*-]|\d+[.)])[ \t]*\Z|>|#|//|\+|\|)")
_INDENTED = re.compile(rb"(?: {4}|\t)[ \t]*\Z")
_OPENS_FENCE = re.compile(rb"[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?\Z")
_QUOTED = re.compile(rb"""(?:["'`(\\]|\xe2\x80[\x98\x9c]|\xc2\xab|(?:\"{3}|'{3}|<examples?>)\s*)\Z""")
# The line before begins a here document, or a listing of LaTeX.
_LISTED = re.compile(rb"(?:<<-?[ ]?['\"]?[A-Za-z_]+['\"]?[^\n]{0,24}|\\begin\{\w+\})\n[ \t]*\Z")
_EXAMPLE = re.compile(
    rb"\b(?:e\.g\.|examples?|instance|like this|looks? like|formats?|formatted|syntax|sample|would|response|returned)",
    re.IGNORECASE,
)


class Context:
    """Follows all text in order."""

    __slots__ = ("_after_call", "_after_talk", "_head", "_tail", "_talked_here", "_ticks", "fence")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A block of text begins."""
        self.fence = b""  # the run that opened the code that is open
        self._head = b""  # how the current line begins
        self._tail = b""  # the last of the text
        self._ticks = 0  # of the run that opened the inline code that is open
        self._after_call = self._after_talk = False  # with nothing but white space between
        self._talked_here = False  # on this line

    def called(self) -> None:
        """A call stood here."""
        self.restart()
        self._after_call = True

    def talked(self) -> None:
        """What stood here would have been a call, had it been allowed; it has been passed on."""
        self._after_talk = self._talked_here = True

    def advance(self, text: bytes) -> None:
        line = text.rfind(b"\n") + 1
        if line:
            self._head, self._ticks, self._talked_here = b"", 0, False
        if text and not text.isspace():
            self._after_call = self._after_talk = False
        self._head = (self._head + text[line : line + _HEAD])[:_HEAD]
        self._tail = (self._tail + text[-_TAIL:])[-_TAIL:]

    @property
    def begins_line(self) -> bool:
        """Whether nothing but white space stands before on this line."""
        return not self._head.strip()

    @property
    def opens_fence(self) -> bool:
        return bool(_OPENS_FENCE.match(self._head))

    @property
    def allows_call(self) -> bool:
        """Whether a mark that stands here is no part of code, of a quotation or of a list of marks."""
        if (
            self._after_talk
            or self._talked_here
            or self._ticks
            or _QUOTED.search(self._tail[-_NEAR:])
            or _LISTED.search(self._tail[-2 * _NEAR :])
            or _IN_LIST.match(self._head)
        ):
            return False
        return self._after_call or not _INDENTED.match(self._head)

    @property
    def announces_example(self) -> bool:
        """Whether the paragraph before speaks of what follows as a piece of text."""
        return bool(_EXAMPLE.search(self._tail.rstrip().rpartition(b"\n\n")[2]))

    def tick(self, run: bytes) -> None:
        """A run of backticks that is no fence: it opens inline code, or closes what a run of its length opened."""
        self._ticks = 0 if self._ticks == len(run) else self._ticks or len(run)
