"""The order of events, as a table. Pure.

Two rules: everything that decides whether an event may come now is in this file, and this file knows no dialect.
Blocks follow one another, one open at a time, so events carry no index: it is the count of blocks before.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Failed,
    Finished,
    RawDelta,
    SignatureDelta,
    Started,
    TextDelta,
    ThinkingDelta,
)


class State(Enum):
    """What the answer is at."""

    NEW = auto()
    BETWEEN = auto()  # started, no block open
    TEXT = auto()
    THINKING = auto()
    TOOL_USE = auto()
    RAW = auto()
    FINISHED = auto()
    ENDED = auto()
    FAILED = auto()


class OutOfOrder(ValueError):
    """An event that may not come now: the fault of whoever made it."""


_OPENS: Mapping[BlockKind, State] = {
    BlockKind.TEXT: State.TEXT,
    BlockKind.REFUSAL: State.TEXT,
    BlockKind.THINKING: State.THINKING,
    BlockKind.TOOL_USE: State.TOOL_USE,
    BlockKind.RAW: State.RAW,
}

_NEXT: Mapping[tuple[State, type], State] = {
    (State.NEW, Started): State.BETWEEN,
    (State.TEXT, TextDelta): State.TEXT,
    (State.TEXT, RawDelta): State.TEXT,
    (State.THINKING, ThinkingDelta): State.THINKING,
    (State.THINKING, SignatureDelta): State.THINKING,
    (State.TOOL_USE, ArgumentsDelta): State.TOOL_USE,
    (State.RAW, ArgumentsDelta): State.RAW,
    (State.RAW, RawDelta): State.RAW,
    (State.TEXT, BlockStopped): State.BETWEEN,
    (State.THINKING, BlockStopped): State.BETWEEN,
    (State.TOOL_USE, BlockStopped): State.BETWEEN,
    (State.RAW, BlockStopped): State.BETWEEN,
    (State.BETWEEN, Finished): State.FINISHED,
    (State.FINISHED, Ended): State.ENDED,
}

CONTENT = (TextDelta, ThinkingDelta, ArgumentsDelta, RawDelta, BlockStopped, Finished)


class Grammar:
    """Follows one answer. ``begun`` is true from its first content, ``blocks`` counts those that were opened."""

    __slots__ = ("begun", "blocks", "state")

    def __init__(self) -> None:
        self.state = State.NEW
        self.begun = False
        self.blocks = 0

    def take(self, event: Event) -> None:
        """Raises OutOfOrder."""
        self.state = self._after(event)
        if isinstance(event, CONTENT):
            self.begun = True

    def _after(self, event: Event) -> State:
        if isinstance(event, Failed) and self.state not in (State.ENDED, State.FAILED):
            return State.FAILED
        if isinstance(event, BlockStarted) and self.state is State.BETWEEN:
            self.blocks += 1
            return _OPENS[event.kind]
        following = _NEXT.get((self.state, type(event)))
        if following is None:
            raise OutOfOrder(f"{type(event).__name__} may not come while {self.state.name}")
        return following

    @property
    def ended(self) -> bool:
        return self.state is State.ENDED
