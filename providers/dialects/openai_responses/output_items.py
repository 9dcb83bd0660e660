"""The output items of a Responses answer as neutral blocks, in order. Pure.

An item's events carry its output index. Items come one after the other, but nothing in the format forbids two at
once: then the second is held until the first is done. A block closes only where the upstream says that it is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from providers.chat.events import Event
from providers.dialects.openai_responses.items import Call, Item, Json, Message, Notes, Other, Reasoning, number_of

_KINDS: Mapping[str, type[Item]] = {"message": Message, "reasoning": Reasoning, "function_call": Call}
_KIND_OF_EVENT = (
    ("output_text", "message"),
    ("refusal", "message"),
    ("content_part", "message"),
    ("reasoning", "reasoning"),
    ("function_call_arguments", "function_call"),
)


class OutputItems:
    """Events of items in, neutral events out."""

    def __init__(self, token: str, provider: str, names: Mapping[str, str], lost: list[str]) -> None:
        self.notes = Notes(token, provider, names, lost)
        self._items: dict[int, Item] = {}
        self._places: dict[str, int] = {}  # of items, by their own ids
        self._waiting: list[Item] = []  # in the order in which they came; the first may speak

    def __bool__(self) -> bool:
        return bool(self._items)

    def added(self, index: int, item: Json) -> Iterator[Event]:
        self._known(index, item).begin(item)
        yield from self._drain()

    def take(self, kind: str, event: Json) -> Iterator[Event]:
        """An event of an item; one whose ``output_item.added`` never came is made up."""
        wanted = next((name for prefix, name in _KIND_OF_EVENT if kind.startswith(prefix)), "")
        if wanted:
            self._of(number_of(event.get("output_index")), wanted).take(kind, event)
            yield from self._drain()

    def text(self, index: int, part: int, text: str) -> bool:
        """Takes a piece of text that can go out as it is; False where it must go through ``take``."""
        first = self._waiting[0] if self._waiting else None
        if not (isinstance(first, Message) and first is self._items.get(index) and text and first.speaks(part)):
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

    def _known(self, index: int, item: Json) -> Item:
        if identity := _text(item.get("id")):
            self._places[identity] = index
        return self._of(index, _text(item.get("type")))

    def _of(self, index: int, kind: str) -> Item:
        if index not in self._items:
            self._items[index] = _KINDS.get(kind, Other)(self.notes)
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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
