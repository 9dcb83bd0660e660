"""Text in as it comes; text out at once, but for what may be a call, and the calls that it was. Pure.

The same pieces of text and calls come out however the text is cut, and every byte is read a bounded number of times:
a call that turns out to be none is text, and its marks are looked at again; where that comes to several times the
text, no more calls are looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from providers.chat.guardian.context import Context
from providers.chat.guardian.forms import FORMS, Parser, beginning
from providers.chat.guardian.json_calls import bare, fenced
from providers.chat.guardian.repairs import Declared, TextCall
from providers.chat.guardian.tape import END, NotACall, Reading, Tape

MAX_HELD = 1 << 22  # bytes of one call
_MOST_AGAIN = 4  # times that the text so far may be read again,
_SPARE = 4096  # and bytes besides

_TICKS = rb"`{1,64}|~~~~{0,61}|~~?\Z"
_MARKS = re.compile(_TICKS + b"|" + beginning(FORMS))
_FENCES = re.compile(_TICKS)
_CLOSES_FENCE = re.compile(rb"[`~]{3,64}[ \t]{0,64}(?:\r?\n|\r?\Z)")

_stirs = re.compile(r"[<\[`~]").search
_stirs_code = re.compile(r"[`~]").search
never = re.compile(r"(?!)").match
never_json = re.compile(rb"(?!)").match

Piece = str | TextCall


def _stirs_json_code(data: bytes) -> bool:
    # Some servers write by its number what is special in HTML.
    return b"`" in data or b"~" in data or b"\\u00" in data


def _stirs_json(data: bytes) -> bool:
    return b"<" in data or b"[" in data or _stirs_json_code(data)


class Scanner:
    """``feed`` and ``end`` return what is certain now."""

    __slots__ = (
        "_again",
        "_at",
        "_bare",
        "_context",
        "_gone",
        "_parser",
        "_skip",
        "_talk",
        "_tape",
        "_tools",
        "tired",
    )

    def __init__(self, tools: Declared, bare_json: bool) -> None:
        """``bare_json`` also takes JSON that is the whole text."""
        self._tools = tools
        self._context = Context()
        self._tape = Tape()  # from the first byte that is not out
        self._at = 0  # where marks are looked for
        self._parser: Reading[list[TextCall]] | None = None
        self._skip = 0  # bytes that are text if the parser finds no call
        self._talk = False  # what the parser reads is not meant as a call
        self._bare = bare_json  # nothing but white space has come
        self._gone = 0  # bytes that are out
        self._again = 0  # bytes that were read again
        self.tired = False  # no more calls are looked for

    @property
    def holding(self) -> bool:
        return bool(self._tape.data)

    @property
    def stirs(self) -> Callable[[str], object]:
        """Of text that is not white space: None where it may go out past the scanner, if that is holding nothing."""
        if self.tired:
            return never
        return _stirs_code if self._context.fence else _stirs

    @property
    def stirs_json(self) -> Callable[[bytes], object]:
        """The same of the JSON that has the text; it may have brackets and words of its own."""
        if self.tired:
            return never_json
        return _stirs_json_code if self._context.fence else _stirs_json

    @property
    def quiet(self) -> bool:
        """Whether nothing is held, and some text has come."""
        return not self._tape.data and not self._bare

    def passed(self, text: str) -> None:
        """Text without any mark went out past the scanner."""
        data = text.encode("utf-8", "surrogatepass")
        self._gone += len(data)
        self._context.advance(data)

    def restart(self) -> None:
        """Another block of text begins."""
        self._context.restart()

    def feed(self, text: str) -> list[Piece]:
        self._tape.data += text.encode("utf-8", "surrogatepass")
        pieces: list[Piece] = []
        while self._step(pieces):
            pass
        if len(self._tape.data) > MAX_HELD:
            self.tired, self._parser = True, None
            self._out(pieces, len(self._tape.data))
        return pieces

    def end(self, whole: bool) -> list[Piece]:
        """Nothing follows. Only a ``whole`` text can end in a call whose end is missing."""
        pieces: list[Piece] = []
        self._tape.whole = True
        if self._parser is not None and not whole:
            self._reject()
        while self._step(pieces, whole):
            pass
        self._tape.whole = False
        return pieces

    def _step(self, pieces: list[Piece], calls: bool = True) -> bool:
        """Goes on as far as one mark or one call. False where nothing more can be said."""
        if self._parser is not None:
            return self._parse(self._parser, pieces)
        data = self._tape.data
        if self._bare and data and not self.tired:
            return self._first(pieces, calls)
        mark = (_FENCES if self._context.fence else _MARKS).search(data, self._at) if not self.tired else None
        if mark is None:
            self._out(pieces, len(data))
            return False
        run = bytes(mark[0])
        self._out(pieces, mark.start())
        if len(data) == len(run) and not self._tape.whole and run not in FORMS:
            return False  # it may be the beginning of a mark
        if run[0] in b"`~":
            return self._tick(run, calls)
        parser = FORMS.get(run)
        if parser is None or not calls:
            self._at = 1
            return True
        self._talk = not self._context.allows_call
        inline = run[1:2].isalpha() and not (self._talk or self._context.begins_line)
        self._begin(_marked(parser, self._tape, self._tools, inline), at=len(run), skip=1)
        return True

    def _first(self, pieces: list[Piece], calls: bool) -> bool:
        """The first text of all: JSON, or anything else."""
        blank = len(self._tape.data) - len(self._tape.data.lstrip())
        self._out(pieces, blank)
        if not self._tape.data:
            return False
        self._bare = False
        if calls and self._tape.data[0] in b"{[":
            self._begin(bare(self._tape, self._tools), at=0, skip=0)
        return True

    def _tick(self, run: bytes, calls: bool) -> bool:
        """Backticks or tildes at the beginning of the tape: inline code, or one end of a fence."""
        context, data = self._context, self._tape.data
        self._at = len(run)
        if context.fence:
            closes = _CLOSES_FENCE.match(data)
            if closes and closes.end() == len(data) and not data.endswith(b"\n") and not self._tape.whole:
                self._at = 0
                return False
            if closes and context.opens_fence and run.startswith(context.fence):
                context.fence = b""
        elif len(run) < 3 or not context.opens_fence:
            context.tick(run)
        elif calls and run[0] == ord("`") and not context.announces_example:
            self._begin(fenced(self._tape, self._tools, run), at=len(run), skip=len(run))
        else:
            context.fence = run
        return True

    def _begin(self, parser: Reading[list[TextCall]], at: int, skip: int) -> None:
        self._tape.at = at
        self._parser, self._skip = parser, skip

    def _parse(self, parser: Reading[list[TextCall]], pieces: list[Piece]) -> bool:
        try:
            next(parser)
        except StopIteration as found:
            self._parser = None
            self._found(pieces, found.value)
        except NotACall:
            self._reject()
        else:
            return False
        return True

    def _found(self, pieces: list[Piece], calls: list[TextCall]) -> None:
        if self._talk or not calls:
            self._out(pieces, self._tape.at)
            self._context.talked()
            self._talk = False
            return
        pieces += calls
        self._drop(self._tape.at)
        self._context.called()

    def _reject(self) -> None:
        """What the parser has read is text, and may hold other marks."""
        data = self._tape.data
        self._parser, self._talk = None, False
        read = len(data) if self._tape.whole else self._tape.at
        self._again += read
        self.tired = self._again > _MOST_AGAIN * (self._gone + read) + _SPARE
        if data.startswith(b"`"):
            self._context.fence = bytes(data[: self._skip])
        self._at = self._skip

    def _out(self, pieces: list[Piece], size: int) -> None:
        if not size:
            return
        text = bytes(self._tape.data[:size])
        self._context.advance(text)
        pieces.append(text.decode("utf-8", "surrogatepass"))
        self._drop(size)

    def _drop(self, size: int) -> None:
        del self._tape.data[:size]
        self._gone += size
        self._at = max(0, self._at - size)


def _marked(parser: Parser, tape: Tape, tools: Declared, inline: bool) -> Reading[list[TextCall]]:
    """A call with a mark. ``inline`` is one that prose precedes on its line; where prose follows too, none is meant."""
    calls = yield from parser(tape, tools)
    end = tape.at
    if inline and (yield from _goes_on(tape)):
        calls = []
    tape.at = end
    return calls


def _goes_on(tape: Tape) -> Reading[bool]:
    """Whether prose follows on the same line."""
    while (yield from tape.stands(b" \t")):
        tape.at += 1
    following = yield from tape.here()
    return following != END and following not in b"\r\n<["
