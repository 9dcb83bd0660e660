"""The output items of a Responses answer as neutral blocks, in order. Pure.

An item's events carry its output index. Items come one after the other, but nothing in the format forbids two at
once: then the second is held until the first is done. A block closes only where the upstream says that it is whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Event,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)
from providers.chat.reader import Confused
from providers.dialects.openai_responses import marks

Json = Mapping[str, Any]
BETWEEN_PARTS = "\n\n"  # of a reasoning summary


class _Said:
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


class _Item(ABC):
    """One item. Events gather in ``ready`` until it is the item's turn."""

    def __init__(self, owner: OutputItems) -> None:
        self.ready: list[Event] = []
        self.over = False
        self._owner = owner

    def begin(self, item: Json) -> None:  # noqa: B027 - most items need not know
        """What ``response.output_item.added`` says."""

    @abstractmethod
    def take(self, kind: str, event: Json) -> None:
        """One of its events; ``kind`` is the type without ``response.``."""

    @abstractmethod
    def finish(self, item: Json) -> None:
        """The item is whole; ``item`` may say what no event said, or nothing."""


class _Other(_Item):
    """What no other dialect has: nothing of it comes out."""

    def take(self, kind: str, event: Json) -> None:
        pass

    def finish(self, item: Json) -> None:
        self.over = True


class _Message(_Item):
    """Each part of its content is a block of text; a refusal is one too."""

    def __init__(self, owner: OutputItems) -> None:
        super().__init__(owner)
        self._open: int | None = None  # the part that is
        self._said: dict[int, _Said] = {}
        self._closed: set[int] = set()

    def speaks(self, part: int) -> bool:
        """Whether the next piece of this part can go out as it is."""
        return self._open == part and not self.ready

    def take(self, kind: str, event: Json) -> None:
        part = _number(event.get("content_index"))
        match kind:
            case "output_text.delta":
                self.say(part, _text(event.get("delta")))
            case "refusal.delta":
                self._owner.refused = True
                self.say(part, _text(event.get("delta")))
            case "output_text.done":
                self._whole(part, _text(event.get("text")))
            case "refusal.done":
                self._whole(part, _text(event.get("refusal")))

    def say(self, part: int, text: str) -> None:
        if not text or part in self._closed:
            return
        if self._open != part:
            self._close()
            self._open = part
            self.ready.append(BlockStarted(BlockKind.TEXT))
        self._said.setdefault(part, _Said()).add(text)
        self.ready.append(TextDelta(text))

    def note(self, part: int, text: str) -> None:
        """A piece went out past ``say``."""
        self._said[part].add(text)

    def finish(self, item: Json) -> None:
        content = item.get("content")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, dict):
                self._owner.refused |= part.get("type") == "refusal"
                self._whole(number, _text(part.get("text")) or _text(part.get("refusal")))
        self._close()
        self.over = True

    def _whole(self, part: int, text: str) -> None:
        """The part's whole text: what of it has not been said goes out now."""
        if part in self._closed:
            return
        self.say(part, self._said.setdefault(part, _Said()).rest(text) or "")
        if self._open == part:
            self._close()
        self._closed.add(part)

    def _close(self) -> None:
        if self._open is not None:
            self._closed.add(self._open)
            self._open = None
            self.ready.append(BlockStopped())


class _Reasoning(_Item):
    """A summary, or with open models the reasoning itself; whichever comes first is the thought."""

    def __init__(self, owner: OutputItems) -> None:
        super().__init__(owner)
        self._source = ""  # summary or content
        self._parts: dict[int, _Said] = {}

    def take(self, kind: str, event: Json) -> None:
        name, _, piece = kind.partition(".")
        source = {"reasoning_summary_text": "summary", "reasoning_text": "content"}.get(name)
        if source is None:
            return
        part = _number(event.get("summary_index" if source == "summary" else "content_index"))
        if piece == "delta":
            self._think(source, part, _text(event.get("delta")))
        elif piece == "done":
            self._whole(source, part, _text(event.get("text")))

    def finish(self, item: Json) -> None:
        for source in ("content", "summary"):
            given = item.get(source)
            for number, part in enumerate(given if isinstance(given, list) else ()):
                self._whole(source, number, _text(part.get("text")) if isinstance(part, dict) else "")
        signature = marks.of_upstream(self._owner.provider, item, self._source == "content")
        if signature and not self._source:
            self.ready.append(BlockStarted(BlockKind.THINKING))
        if signature:
            self.ready.append(SignatureDelta(signature))
        if signature or self._source:
            self.ready.append(BlockStopped())
        self.over = True

    def _whole(self, source: str, part: int, text: str) -> None:
        said = self._parts.get(part) or _Said()
        self._think(source, part, said.rest(text) or "")

    def _think(self, source: str, part: int, text: str) -> None:
        if not text or self._source not in ("", source):
            return
        if not self._source:
            self._source = source
            self.ready.append(BlockStarted(BlockKind.THINKING))
        if part not in self._parts and self._parts:
            self.ready.append(ThinkingDelta(BETWEEN_PARTS))
        self._parts.setdefault(part, _Said()).add(text)
        self.ready.append(ThinkingDelta(text))


class _Call(_Item):
    """A function call. It begins where its name is known."""

    def __init__(self, owner: OutputItems) -> None:
        super().__init__(owner)
        self._begun = False
        self._early: list[str] = []  # arguments that came before the name
        self._arguments = _Said()

    def begin(self, item: Json) -> None:
        if self._begun or not (name := _text(item.get("name"))):
            return
        self._begun = True
        self._owner.called = True
        identity = self._owner.unique(_text(item.get("call_id")) or _text(item.get("id")))
        self.ready.append(BlockStarted(BlockKind.TOOL_USE, identity, self._owner.names.get(name, name)))
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


_KINDS: Mapping[str, type[_Item]] = {"message": _Message, "reasoning": _Reasoning, "function_call": _Call}
_KIND_OF_EVENT = (
    ("output_text", "message"),
    ("refusal", "message"),
    ("content_part", "message"),
    ("reasoning", "reasoning"),
    ("function_call_arguments", "function_call"),
)


class OutputItems:
    """Events of items in, neutral events out."""

    def __init__(self, token: str, provider: str, names: Mapping[str, str]) -> None:
        """``token`` makes ids for calls without one of their own; ``names`` gives a tool its own name back."""
        self.provider = provider
        self.names = names
        self.called = False
        self.refused = False
        self._token = token
        self._ids: set[str] = set()
        self._items: dict[int, _Item] = {}
        self._places: dict[str, int] = {}  # of items, by their own ids
        self._waiting: list[_Item] = []  # in the order in which they came; the first may speak

    def __bool__(self) -> bool:
        return bool(self._items)

    def added(self, index: int, item: Json) -> Iterator[Event]:
        self._known(index, item).begin(item)
        yield from self._drain()

    def take(self, kind: str, event: Json) -> Iterator[Event]:
        """An event of an item; one whose ``output_item.added`` never came is made up."""
        wanted = next((name for prefix, name in _KIND_OF_EVENT if kind.startswith(prefix)), "")
        if wanted:
            self._of(_number(event.get("output_index")), wanted).take(kind, event)
            yield from self._drain()

    def text(self, index: int, part: int, text: str) -> bool:
        """Takes a piece of text that can go out as it is; False where it must go through ``take``."""
        first = self._waiting[0] if self._waiting else None
        if not (isinstance(first, _Message) and first is self._items.get(index) and text and first.speaks(part)):
            return False
        first.note(part, text)
        return True

    def done(self, index: int, item: Json) -> Iterator[Event]:
        found = self._known(index, item)
        if not found.over:
            found.begin(item)
            found.finish(item)
        yield from self._drain()

    def end(self, output: Any) -> Iterator[Event]:
        """The answer is whole: ``output`` has every item, also those that no event told of."""
        for number, item in enumerate(output if isinstance(output, list) else ()):
            if isinstance(item, dict):
                yield from self.done(self._places.get(_text(item.get("id")), number), item)
        for index in list(self._items):
            yield from self.done(index, {})

    def unique(self, identity: str) -> str:
        """The id, or one of our own where it is none or taken."""
        if not identity or identity in self._ids:
            identity = f"call_{self._token}_{len(self._ids)}"
        self._ids.add(identity)
        return identity

    def _known(self, index: int, item: Json) -> _Item:
        if identity := _text(item.get("id")):
            self._places[identity] = index
        return self._of(index, _text(item.get("type")))

    def _of(self, index: int, kind: str) -> _Item:
        if index not in self._items:
            self._items[index] = _KINDS.get(kind, _Other)(self)
            self._waiting.append(self._items[index])
        return self._items[index]

    def _drain(self) -> Iterator[Event]:
        while self._waiting:
            first = self._waiting[0]
            ready, first.ready = first.ready, []
            yield from ready
            if not first.over:
                return
            del self._waiting[0]


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
