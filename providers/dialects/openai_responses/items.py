"""The kinds of output items that other dialects have, each as neutral blocks. Pure.

An upstream tells an item in pieces, and all of it at the end; some tell only one of the two.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from providers.chat import citations
from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Event,
    RawDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)
from providers.chat.reader import Confused, note
from providers.dialects.openai_responses import marks

Json = Mapping[str, Any]
BETWEEN_PARTS = "\n\n"  # of a reasoning summary


class Notes:
    """What the items of one answer share."""

    def __init__(self, token: str, provider: str, names: Mapping[str, str], lost: list[str]) -> None:
        """``token`` makes ids for calls without one of their own; ``names`` gives a tool its own name back.

        ``lost`` names what no other dialect can be told.
        """
        self.lost = lost
        self.provider = provider
        self.names = names
        self.called = False
        self.refused = False
        self._token = token
        self._ids: set[str] = set()

    def unique(self, identity: str) -> str:
        """The id, or one of our own where it is none or taken."""
        if not identity or identity in self._ids:
            identity = f"call_{self._token}_{len(self._ids)}"
        self._ids.add(identity)
        return identity


class Said:
    """What has been said of one text. Some events tell the next piece, others all of it."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, piece: str) -> None:
        self._pieces.append(piece)

    def rest(self, whole: str) -> str | None:
        """What of the whole has not been said; None where the whole contradicts what has been."""
        said = "".join(self._pieces)
        self._pieces = [said]
        return whole[len(said) :] if whole.startswith(said) else None


class Item(ABC):
    """One item. Events gather in ``ready`` until it is the item's turn."""

    def __init__(self, notes: Notes) -> None:
        self.ready: list[Event] = []
        self.over = False
        self._notes = notes

    def begin(self, item: Json) -> None:  # noqa: B027 - most items need not know
        """What ``response.output_item.added`` says."""

    @abstractmethod
    def take(self, kind: str, event: Json) -> None:
        """One of its events; ``kind`` is the type without ``response.``."""

    @abstractmethod
    def finish(self, item: Json) -> None:
        """The item is whole; ``item`` may say what no event said, or nothing."""


class Other(Item):
    """What no other dialect has: nothing of it comes out."""

    def take(self, kind: str, event: Json) -> None:
        pass

    def finish(self, item: Json) -> None:
        if kind := item.get("type"):
            note(self._notes.lost, str(kind))
        self.over = True


class Message(Item):
    """Each part of its content is a block of text; a refusal is one too."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self._open: int | None = None  # the part that is
        self._said: dict[int, Said] = {}
        self._closed: set[int] = set()
        self._cited: dict[int, int] = {}  # annotations that were told, by part
        self._phase: Json = {}

    def begin(self, item: Json) -> None:
        if phase := _text(item.get("phase")):
            self._phase = {"phase": phase}

    def speaks(self, part: int) -> bool:
        """Whether the next piece of this part can go out as it is."""
        return self._open == part and not self.ready

    def take(self, kind: str, event: Json) -> None:
        part = number_of(event.get("content_index"))
        match kind:
            case "output_text.delta":
                self.say(part, _text(event.get("delta")))
            case "output_text.annotation.added":
                self._cite(part, event.get("annotation"))
            case "refusal.delta":
                self._notes.refused = True
                self.say(part, _text(event.get("delta")), BlockKind.REFUSAL)
            case "output_text.done":
                self._whole(part, _text(event.get("text")))
            case "refusal.done":
                self._whole(part, _text(event.get("refusal")), BlockKind.REFUSAL)

    def say(self, part: int, text: str, kind: BlockKind = BlockKind.TEXT) -> None:
        if not text or part in self._closed:
            return
        if self._open != part:
            self._close()
            self._open = part
            self.ready.append(BlockStarted(kind, raw=self._phase))
        self._said.setdefault(part, Said()).add(text)
        self.ready.append(TextDelta(text))

    def note(self, part: int, text: str) -> None:
        """A piece went out past ``say``."""
        self._said[part].add(text)

    def finish(self, item: Json) -> None:
        content = item.get("content")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, dict):
                self._part(number, part)
        self._close()
        self.over = True

    def _part(self, number: int, part: Json) -> None:
        """A part as the whole item has it."""
        refused = part.get("type") == "refusal"
        self._notes.refused |= refused
        told = part.get("annotations")
        sources = told[self._cited.get(number, 0) :] if isinstance(told, list) else []
        kind = BlockKind.REFUSAL if refused else BlockKind.TEXT
        self._whole(number, _text(part.get("text")) or _text(part.get("refusal")), kind, sources)

    def _cite(self, part: int, annotation: Any) -> None:
        """Only an address means something elsewhere, and only while the text is open can it be told."""
        self._cited[part] = self._cited.get(part, 0) + 1
        source = citations.delta_of(annotation)
        if source is None or self._open != part:
            note(self._notes.lost, "citations")
        else:
            self.ready.append(RawDelta(source))

    def _whole(self, part: int, text: str, kind: BlockKind = BlockKind.TEXT, sources: Sequence[Any] = ()) -> None:
        """The part's whole text: what of it has not been said goes out now."""
        if part not in self._closed:
            self.say(part, self._said.setdefault(part, Said()).rest(text) or "", kind)
        for source in sources:
            self._cite(part, source)
        if self._open == part:
            self._close()
        self._closed.add(part)

    def _close(self) -> None:
        if self._open is not None:
            self._closed.add(self._open)
            self._open = None
            self.ready.append(BlockStopped())


class Reasoning(Item):
    """A summary, or with open models the reasoning itself; whichever comes first is the thought."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self._source = ""  # summary or content
        self._parts: dict[int, Said] = {}

    def take(self, kind: str, event: Json) -> None:
        name, _, piece = kind.partition(".")
        source = {"reasoning_summary_text": "summary", "reasoning_text": "content"}.get(name)
        if source is None:
            return
        part = number_of(event.get("summary_index" if source == "summary" else "content_index"))
        if piece == "delta":
            self._think(source, part, _text(event.get("delta")))
        elif piece == "done":
            self._whole(source, part, _text(event.get("text")))

    def finish(self, item: Json) -> None:
        for source in ("content", "summary"):
            given = item.get(source)
            for number, part in enumerate(given if isinstance(given, list) else ()):
                self._whole(source, number, _text(part.get("text")) if isinstance(part, dict) else "")
        signature = marks.of_upstream(self._notes.provider, item, self._source == "content")
        if signature and not self._source:
            self.ready.append(BlockStarted(BlockKind.THINKING))
        if signature:
            self.ready.append(SignatureDelta(signature))
        if signature or self._source:
            self.ready.append(BlockStopped())
        self.over = True

    def _whole(self, source: str, part: int, text: str) -> None:
        said = self._parts.get(part) or Said()
        self._think(source, part, said.rest(text) or "")

    def _think(self, source: str, part: int, text: str) -> None:
        if not text or self._source not in ("", source):
            return
        if not self._source:
            self._source = source
            self.ready.append(BlockStarted(BlockKind.THINKING))
        if part not in self._parts and self._parts:
            self.ready.append(ThinkingDelta(BETWEEN_PARTS))
        self._parts.setdefault(part, Said()).add(text)
        self.ready.append(ThinkingDelta(text))


class Call(Item):
    """A function call. It begins where its name is known."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self._begun = False
        self._early: list[str] = []  # arguments that came before the name
        self._arguments = Said()

    def begin(self, item: Json) -> None:
        if self._begun or not (name := _text(item.get("name"))):
            return
        self._begun = True
        self._notes.called = True
        given = _text(item.get("call_id")) or _text(item.get("id"))
        identity, own = self._notes.unique(given), self._notes.names.get(name, name)
        self.ready.append(BlockStarted(BlockKind.TOOL_USE, identity, own, ours=identity != given))
        for piece in self._early:
            self._argue(piece)

    def take(self, kind: str, event: Json) -> None:
        if kind == "function_call_arguments.delta":
            self._argue(_text(event.get("delta")))
        elif kind == "function_call_arguments.done" and self._begun:
            self._whole(_text(event.get("arguments")))

    def finish(self, item: Json) -> None:
        if not self._begun:
            raise Confused("a tool call without a name")
        self._whole(_text(item.get("arguments")))
        self.ready.append(BlockStopped())
        self.over = True

    def _argue(self, piece: str) -> None:
        if not self._begun:
            self._early.append(piece)
        elif piece:
            self._arguments.add(piece)
            self.ready.append(ArgumentsDelta(piece))

    def _whole(self, arguments: str) -> None:
        """Raises Confused where all of the arguments are not what was said of them."""
        if not arguments:
            return
        rest = self._arguments.rest(arguments)
        if rest is None:
            raise Confused("arguments that change what they said before")
        self._argue(rest)


def number_of(value: Any) -> int:
    """An index; 0 where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
