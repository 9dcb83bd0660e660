"""Calls that came properly, repaired on their way. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from providers.chat.events import ArgumentsDelta, BlockKind, BlockStarted, BlockStopped, Event
from providers.chat.guardian.mend import mend
from providers.chat.guardian.repairs import Declared, Repair, TextCall


class Calls:
    """All calls of one answer. Their arguments are held until they are whole, for a null can only then be dropped."""

    __slots__ = ("_arguments", "_found", "_held", "_ids", "_name", "_repairs", "_token", "_tools")

    def __init__(self, tools: Declared, token: str, repairs: Counter[str]) -> None:
        self._tools = tools
        self._token = token
        self._repairs = repairs
        self._ids: set[str] = set()
        self._found: set[tuple[str, str]] = set()  # (name, arguments) of the calls that were found in text
        self._held: BlockStarted | None = None  # may be one of these again
        self._name = ""
        self._arguments: list[str] = []

    def __bool__(self) -> bool:
        """Whether any call was found in text."""
        return bool(self._found)

    def found(self, call: TextCall) -> Iterator[Event]:
        """A whole block for a call that was found in text."""
        arguments = mend(call.arguments, self._tools.schema(call.name), self._repairs)
        self._repairs.update(call.repairs)
        self._found.add((call.name, arguments))
        yield BlockStarted(BlockKind.TOOL_USE, self._fresh_id(), call.name)
        yield ArgumentsDelta(arguments)
        yield BlockStopped()

    def begin(self, event: BlockStarted) -> Iterator[Event]:
        self._name, identity = self._tools.find(event.name) or event.name, event.id
        if self._name != event.name:
            self._repairs[Repair.NAME] += 1
        if event.ours or not identity or identity in self._ids:
            self._repairs[Repair.DUPLICATE_ID] += 1
        if not identity or identity in self._ids:
            identity = self._fresh_id()
        self._ids.add(identity)
        if (self._name, identity) != (event.name, event.id):
            event = replace(event, name=self._name, id=identity)
        if self._found:
            self._held = event
        else:
            yield event

    def add(self, json: str) -> None:
        self._arguments.append(json)

    @property
    def shows(self) -> bool:
        """Whether the client has seen the open call begin."""
        return self._held is None

    def end(self, event: BlockStopped) -> Iterator[Event]:
        """The open call is whole."""
        given = "" if event.unargued else "".join(self._arguments)
        arguments = mend(given, self._tools.schema(self._name), self._repairs)
        self._arguments.clear()
        if self._held is not None and (self._name, arguments) in self._found:
            self._repairs[Repair.REPEATED_CALL] += 1
            self._held = None
            return
        yield from self._show(arguments)
        yield BlockStopped()

    def cut(self) -> Iterator[Event]:
        """The answer fails: what came of the open call goes out as it came, and its block stays open."""
        if self._held is not None or self._arguments:
            yield from self._show("".join(self._arguments))
            self._arguments.clear()

    def _show(self, arguments: str) -> Iterator[Event]:
        if self._held is not None:
            yield self._held
            self._held = None
        if arguments:
            yield ArgumentsDelta(arguments)

    def _fresh_id(self) -> str:
        number = len(self._ids)
        while (identity := f"toolu_{self._token}_m{number}") in self._ids:
            number += 1
        self._ids.add(identity)
        return identity
