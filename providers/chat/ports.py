"""What stands at both ends of the neutral language."""

from __future__ import annotations

from typing import Protocol

from providers.chat.events import Event
from providers.chat.fold import WholeMessage
from providers.errors import Fault


class EventReader(Protocol):
    """An upstream's answer in, neutral events out in the order of ``chat.grammar``; Ended or Failed is the last.

    ``lost`` names what of the answer no event can say: ``answer.images``.
    """

    lost: list[str]

    @property
    def closing(self) -> bool:
        """The reason to stop has come."""

    def feed(self, data: bytes) -> list[Event]: ...

    def finish(self) -> list[Event]:
        """The upstream has closed."""

    def whole(self, body: bytes) -> list[Event]:
        """All events of an answer that came as one body."""


class EventWriter(Protocol):
    """Neutral events in, bytes for a client out. ``lost`` names what of the answer its dialect has no place for."""

    lost: list[str]

    def write(self, event: Event) -> bytes: ...

    def whole(self, message: WholeMessage) -> bytes:
        """The body of an answer that is not streamed."""

    def failed(self, fault: Fault) -> bytes:
        """What tells the client that its stream cannot go on; nothing need have been written before it."""
