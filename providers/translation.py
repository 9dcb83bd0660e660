"""An upstream's events on their way to a client of another dialect. Pure."""

from __future__ import annotations

from providers.chat.events import Ended, Event, Failed, Finished
from providers.chat.fold import Fold
from providers.chat.grammar import CONTENT, Grammar, OutOfOrder
from providers.chat.guardian import Guardian
from providers.chat.ports import EventReader, EventWriter
from providers.errors import ErrorKind, Fault, UpstreamFailure
from providers.ports import Usage


class Translation:
    """See ``providers.call.StreamReader``. A whole answer is the fold of its stream.

    ``lost`` names what the client cannot be told of the answer; it grows while the answer comes.
    With a ``guardian`` it has begun once the upstream said anything, though it may all be held as part of a call.
    """

    def __init__(
        self, reader: EventReader, writer: EventWriter, stream: bool, guardian: Guardian | None = None
    ) -> None:
        self.failure: UpstreamFailure | None = None
        self.usage = Usage()
        self.lost = writer.lost = reader.lost  # one list, of which both know
        self._reader = reader
        self.writer = writer
        self._guardian = guardian
        self._heard = False
        self._grammar = Grammar()
        self._fold = None if stream else Fold()

    @property
    def begun(self) -> bool:
        return self._heard or self._grammar.begun

    @property
    def ended(self) -> bool:
        return self._grammar.ended

    @property
    def closing(self) -> bool:
        return self._reader.closing

    def feed(self, data: bytes) -> bytes:
        return self._write(self._reader.feed(data))

    def finish(self) -> bytes:
        return self._write(self._reader.finish())

    def take_whole(self, body: bytes) -> bytes:
        return self._write(self._reader.whole(body))

    def failed(self, fault: Fault) -> bytes:
        return self.writer.failed(fault)

    def _write(self, events: list[Event]) -> bytes:
        passed: list[bytes] = []
        if self.failure is not None or self.ended:
            return b""
        for event in self._guarded(events):
            if isinstance(event, Failed):
                self.failure = event.failure
                break
            try:
                self._grammar.take(event)
            except OutOfOrder as error:
                self.failure = UpstreamFailure(ErrorKind.MALFORMED, f"the upstream's answer is out of order: {error}")
                break
            if isinstance(event, Finished):
                self.usage = event.usage
            if self._fold is None:
                passed.append(self.writer.write(event))
            else:
                self._fold.take(event)
                if isinstance(event, Ended):
                    passed.append(self.writer.whole(self._fold.message))
        return b"".join(passed)

    def _guarded(self, events: list[Event]) -> list[Event]:
        if self._guardian is None:
            return events
        self._heard = self._heard or any(isinstance(event, CONTENT) for event in events)
        return self._guardian.take(events)
