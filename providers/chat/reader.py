"""What the readers of all dialects have in common: frames in, events out, one end. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from providers.chat.events import Ended, Event, Failed
from providers.chat.sse import FrameSplitter, FrameTooLarge
from providers.errors import ErrorKind, UpstreamFailure


def note(lost: list[str], part: str) -> None:
    """Names a part of an answer as lost, once."""
    if (name := f"answer.{part}") not in lost:
        lost.append(name)


class Confused(ValueError):
    """What an upstream sent cannot be put together; to guess could run the wrong call."""


class FrameReader(ABC):
    """An EventReader (``ports``) whose dialect says what a frame, a whole body and the end of the bytes mean.

    After Failed or Ended nothing comes out. What was said before a failure is kept.
    """

    def __init__(self) -> None:
        self.lost: list[str] = []
        self._frames = FrameSplitter()
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        return self._guarded(self._feed(data))

    def finish(self) -> list[Event]:
        """The upstream closed the connection."""
        return self._guarded(self._finish())

    def whole(self, body: bytes) -> list[Event]:
        """All events of an answer that came as one JSON body."""
        return self._guarded(self._whole(body))

    def _lose(self, part: str) -> None:
        """No other dialect can be told this part of the answer."""
        note(self.lost, part)

    @abstractmethod
    def _frame(self, frame: bytes) -> Iterator[Event]: ...

    @abstractmethod
    def _finish(self) -> Iterator[Event]: ...

    @abstractmethod
    def _whole(self, body: bytes) -> Iterator[Event]: ...

    def _checked(self, event: Event) -> Event:
        """The event. Raises Confused where it may not come now."""
        return event

    def _feed(self, data: bytes) -> Iterator[Event]:
        for frame in self._frames.feed(data):
            yield from self._frame(frame)

    def _guarded(self, events: Iterator[Event]) -> list[Event]:
        taken: list[Event] = []
        if self._over:
            return taken
        try:
            for event in events:
                taken.append(self._checked(event))
                if isinstance(event, Failed | Ended):
                    self._over = True
                    break
        except Confused as error:
            taken.append(self._failed(ErrorKind.MALFORMED, f"the upstream sent {error}"))
        except FrameTooLarge:
            taken.append(self._failed(ErrorKind.MALFORMED, "the upstream sent an event without an end"))
        return taken

    def _failed(self, kind: ErrorKind, words: str) -> Failed:
        self._over = True
        return Failed(UpstreamFailure(kind, words))
