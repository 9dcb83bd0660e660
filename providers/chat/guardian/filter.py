"""A pure filter of neutral events, between an upstream's reader and a client's writer. See the package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Event,
    Failed,
    Finished,
    Stop,
    TextDelta,
)
from providers.chat.guardian.calls import Calls
from providers.chat.guardian.repairs import Declared, Repair, TextCall
from providers.chat.guardian.scanner import Piece, Scanner, never, never_json

_WHOLE = (Stop.END_TURN, Stop.TOOL_USE, Stop.STOP_SEQUENCE)  # reasons to stop that leave no text cut
_MOST_PASSED = 256  # pieces of text
_LONGEST_SILENCE = 512  # characters of a call that are held without a word to the client


class Guardian:
    """One answer's events in, the same events with its tool calls repaired out.

    ``repairs`` counts what was repaired, by Repair.
    """

    __slots__ = (
        "_blank",
        "_calls",
        "_easy",
        "_ended",
        "_found",
        "_kind",
        "_listens",
        "_passed",
        "_scanner",
        "_shown",
        "_silence",
        "_stirs",
        "repairs",
    )

    def __init__(self, tools: Declared, token: str, in_text: bool = True, bare_json: bool = True) -> None:
        """``token`` makes ids, ``in_text`` looks for calls in text, ``bare_json`` takes JSON that is the whole text."""
        self.repairs: Counter[str] = Counter()
        self._calls = Calls(tools, token, self.repairs)
        self._scanner = Scanner(tools, bare_json)
        self._listens = in_text
        self._kind: BlockKind | None = None  # of the upstream's open block
        self._ended = False  # that block is over, but what its text means is open
        self._shown = False  # a block of text is open at the client
        self._found = False  # a call was found in the open block of text
        self._blank: list[str] = []  # white space that goes out with the text that follows, if any does
        self._easy = False  # text may go out past the scanner, if nothing stirs it
        self._stirs: Callable[[str], object] = self._scanner.stirs
        self._passed: list[str] = []
        self._silence = 0  # characters that were held, since the client was sent a sign of life

    @property
    def lets_pass(self) -> Callable[[bytes], object] | None:
        """What finds in the JSON of the next deltas that they have to be taken; None where all do.

        The text of those that go past is said in ``went_past``, before anything else is taken.
        """
        if self._kind is BlockKind.TEXT:
            return (self._scanner.stirs_json if self._listens else never_json) if self._easy else None
        return never_json if self._kind in (BlockKind.THINKING, BlockKind.RAW) else None

    def went_past(self, text: str) -> None:
        """Text of the open block that was not taken."""
        self._passed.append(text)

    def take(self, events: list[Event]) -> list[Event]:
        """What may go out now."""
        if self._easy and len(events) == 1 and self._passes(events[0]):
            return events
        out: list[Event] = []
        for event in events:
            if self._easy and self._passes(event):
                out.append(event)
            else:
                out += _HANDLERS.get(type(event), Guardian.other)(self, event)
        return out or self._sign_of_life(events)

    def _passes(self, event: Event) -> bool:
        """Nearly every event of an answer: text that cannot begin anything."""
        if type(event) is not TextDelta or self._stirs(event.text):
            return False
        self._passed.append(event.text)
        self._easy = len(self._passed) < _MOST_PASSED
        return True

    def _sign_of_life(self, events: list[Event]) -> list[Event]:
        """Claude Code leaves a stream without events of an answer; a slow model takes minutes for a long call."""
        self._silence += sum(map(_size, events))
        if self._silence < _LONGEST_SILENCE:
            return []
        self._silence = 0
        if self._kind is BlockKind.TOOL_USE:
            return [ArgumentsDelta("")] if self._calls.shows else []
        begun: list[Event] = [] if self._shown else [BlockStarted(BlockKind.TEXT)]
        self._shown = True
        return [*begun, TextDelta("")]

    def text(self, event: TextDelta) -> Iterator[Event]:
        if self._kind is not BlockKind.TEXT:
            yield event
        elif self._listens:
            self._catch_up()
            yield from self._say(self._scanner.feed(event.text))
            self._easy, self._stirs = self._shown and self._scanner.quiet, self._scanner.stirs
        else:
            yield from self._show()
            yield event
            self._passed.clear()
            self._easy, self._stirs = True, never

    def block_started(self, event: BlockStarted) -> Iterator[Event]:
        yield from self._settle(whole=False)
        self._kind = event.kind
        if event.kind is BlockKind.TOOL_USE:
            self._listens = False  # this upstream knows its calls: what looks like one in its text is text
            yield from self._calls.begin(event)
        elif event.kind is BlockKind.TEXT:
            self._passed.clear()
            self._scanner.restart()
        else:
            yield event

    def arguments(self, event: ArgumentsDelta) -> Iterator[Event]:
        if self._kind is BlockKind.TOOL_USE:
            self._calls.add(event.json)
        else:
            yield event

    def block_stopped(self, event: BlockStopped) -> Iterator[Event]:
        kind, self._easy = self._kind, False
        if kind is BlockKind.TEXT and self._scanner.holding:
            self._ended = True
            return
        self._kind = None
        if kind is BlockKind.TEXT:
            yield from self._stop_text()
        elif kind is BlockKind.TOOL_USE:
            yield from self._calls.end(event)
        else:
            yield event

    def finished(self, event: Finished) -> Iterator[Event]:
        yield from self._settle(whole=self._ended and event.stop in _WHOLE)
        if self._calls and event.stop is Stop.END_TURN:
            self.repairs[Repair.STOP_REASON] += 1
            event = replace(event, stop=Stop.TOOL_USE)
        yield event

    def failed(self, event: Failed) -> Iterator[Event]:
        """What was held goes out as it came, and no block is closed that the upstream left open."""
        yield from self._settle(whole=False)
        yield from self._calls.cut()
        yield event

    def other(self, event: Event) -> Iterator[Event]:
        """An event that no text may wait behind."""
        yield from self._settle(whole=False)
        yield event

    def _catch_up(self) -> None:
        if self._passed:
            self._scanner.passed("".join(self._passed))
            self._passed.clear()

    def _settle(self, whole: bool) -> Iterator[Event]:
        """Decides what held text is, for no more of it comes."""
        self._easy = False
        if self._kind is not BlockKind.TEXT:
            return
        self._catch_up()
        yield from self._say(self._scanner.end(whole))
        if self._ended:
            self._ended, self._kind = False, None
            yield from self._stop_text()
        elif not self._found:
            yield from self._show()

    def _say(self, pieces: list[Piece]) -> Iterator[Event]:
        words: list[str] = []
        for piece in pieces:
            if isinstance(piece, TextCall):
                yield from self._words("".join(words))
                words.clear()
                yield from self._call(piece)
            else:
                words.append(piece)
        yield from self._words("".join(words))

    def _words(self, text: str) -> Iterator[Event]:
        if text and (self._shown or not text.isspace()):
            yield from self._show(text)
        elif text:
            self._blank.append(text)

    def _show(self, text: str = "") -> Iterator[Event]:
        """Text goes out, with the white space before it; the block is opened where it is not."""
        if not self._shown:
            self._shown = True
            yield BlockStarted(BlockKind.TEXT)
        if text := "".join(self._blank) + text:
            yield TextDelta(text)
        self._blank.clear()

    def _call(self, call: TextCall) -> Iterator[Event]:
        if self._shown:
            yield BlockStopped()
        self._shown, self._found = False, True
        self._blank.clear()
        yield from self._calls.found(call)

    def _stop_text(self) -> Iterator[Event]:
        """The end of the upstream's block. White space beside a call is left out; a client sends blocks back, and an
        API refuses those that say nothing."""
        if not self._found:
            yield from self._show()
        if self._shown:
            yield BlockStopped()
        self._shown = self._found = False
        self._blank.clear()


def _size(event: Event) -> int:
    if isinstance(event, TextDelta):
        return len(event.text)
    return len(event.json) if isinstance(event, ArgumentsDelta) else 0


_HANDLERS: Mapping[type, Callable[[Guardian, Any], Iterator[Event]]] = {
    TextDelta: Guardian.text,
    BlockStarted: Guardian.block_started,
    ArgumentsDelta: Guardian.arguments,
    BlockStopped: Guardian.block_stopped,
    Finished: Guardian.finished,
    Failed: Guardian.failed,
}
