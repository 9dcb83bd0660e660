"""A whole answer and a stream of events are the same thing: fold one into the other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    RawDelta,
    SignatureDelta,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from providers.ports import Usage


@dataclass(slots=True)
class AnswerBlock:
    """One block of a whole answer. ``text`` is text, a refusal, thinking, or a tool call's JSON text."""

    kind: BlockKind
    text: str = ""
    signature: str = ""
    id: str = ""
    name: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)
    raw_deltas: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class WholeMessage:
    """A whole answer in the neutral language."""

    id: str = ""
    model: str = ""
    blocks: list[AnswerBlock] = field(default_factory=list)
    stop: Stop = Stop.END_TURN
    stop_sequence: str | None = None
    usage: Usage = field(default_factory=Usage)
    details: Mapping[str, Any] | None = None


class Fold:
    """Events in, one at a time; ``message`` is whole once ``Ended`` has come."""

    def __init__(self) -> None:
        self.message = WholeMessage()
        self._pieces: list[str] = []

    def take(self, event: Event) -> None:
        """``event`` has passed the grammar."""
        match event:
            case Started():
                self.message.id, self.message.model, self.message.usage = event.id, event.model, event.usage
            case BlockStarted():
                self.message.blocks.append(AnswerBlock(event.kind, id=event.id, name=event.name, raw=event.raw))
            case TextDelta() | ThinkingDelta():
                self._pieces.append(event.text)
            case ArgumentsDelta():
                self._pieces.append(event.json)
            case SignatureDelta():
                self.message.blocks[-1].signature = event.signature
            case RawDelta():
                self.message.blocks[-1].raw_deltas.append(event.value)
            case BlockStopped():
                self.message.blocks[-1].text = "".join(self._pieces)
                self._pieces.clear()
            case Finished():
                self.message.stop, self.message.stop_sequence = event.stop, event.stop_sequence
                self.message.usage, self.message.details = event.usage, event.details


def fold(events: Iterable[Event]) -> WholeMessage:
    """The whole answer that a stream of events is."""
    folding = Fold()
    for event in events:
        folding.take(event)
    return folding.message


def unfold(message: WholeMessage) -> Iterator[Event]:
    """The stream of events that a whole answer is."""
    yield Started(message.id, message.model, message.usage)
    for block in message.blocks:
        yield BlockStarted(block.kind, block.id, block.name, block.raw)
        if block.text:
            yield _delta(block)
        if block.signature:
            yield SignatureDelta(block.signature)
        yield from (RawDelta(value) for value in block.raw_deltas)
        yield BlockStopped()
    yield Finished(message.stop, message.usage, message.stop_sequence, message.details)
    yield Ended()


def _delta(block: AnswerBlock) -> Event:
    match block.kind:
        case BlockKind.TEXT | BlockKind.REFUSAL:
            return TextDelta(block.text)
        case BlockKind.THINKING:
            return ThinkingDelta(block.text)
        case BlockKind.TOOL_USE | BlockKind.RAW:
            return ArgumentsDelta(block.text)
