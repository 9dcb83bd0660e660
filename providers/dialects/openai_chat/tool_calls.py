"""Tool calls as Chat Completions streams them, put in order. Pure.

A call's pieces carry an index, but upstreams leave it out, use one index for two calls, split ids and names, repeat
them, send all arguments so far instead of the next piece, or mix two calls' pieces. Out of this come whole blocks,
one after the other: a call's arguments stream as they come while it is the first that is not whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from providers.chat.events import ArgumentsDelta, BlockKind, BlockStarted, BlockStopped, Event
from providers.chat.marks import signed_id
from providers.chat.reader import Confused
from providers.dialects.openai_chat.deltas import call_signature
from providers.json_object import NotJson, decode, encode


@dataclass(slots=True)
class _Call:
    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""
    pieces: int = 0  # of arguments, that held something
    snapshots: bool = False  # each piece holds all arguments so far
    sent: int = 0  # characters of arguments that are out
    started: bool = False
    closed: bool = False
    signature: tuple[str, str] = ("", "")  # Google's: where it was, and what it is

    @property
    def whole(self) -> bool:
        return is_object(self.arguments)

    @property
    def ready(self) -> bool:
        """Whether its arguments may go out: an empty object can be a placeholder for what is to come."""
        return self.sent > 0 or (bool(self.arguments.strip()) and self.arguments != "{}")

    @property
    def ghost(self) -> bool:
        return not (self.id or self.name or self.arguments)


class ToolCalls:
    """Pieces in, events out."""

    __slots__ = ("_calls", "_current", "_names", "_provider", "_token")

    def __init__(self, token: str, names: Mapping[str, str], provider: str) -> None:
        """``token`` makes ids for calls without one; ``names`` gives a tool its own name back."""
        self._token = token
        self._names = names
        self._provider = provider
        self._calls: list[_Call] = []
        self._current = 0

    def __bool__(self) -> bool:
        return any(not call.ghost for call in self._calls)

    def take(self, pieces: Any, signature: tuple[str, str] = ("", "")) -> None:
        """A delta's ``tool_calls``, and the delta's own signature, which is the first one's. Raises Confused."""
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, dict):
                function = piece.get("function")
                call = self._take(piece, function if isinstance(function, dict) else {})
                if not call.signature[1]:
                    own = call_signature(piece)
                    call.signature = own if own[1] else signature
                signature = ("", "")

    def events(self, final: bool = False) -> Iterator[Event]:
        """What can be said now. ``final`` closes every call. Raises Confused for a call that has no name."""
        while self._current < len(self._calls):
            call = self._calls[self._current]
            followed = self._current + 1 < len(self._calls)
            if not call.ghost:
                yield from self._open(call, final or followed)
                if call.started and call.ready and len(call.arguments) > call.sent:
                    yield ArgumentsDelta(call.arguments[call.sent :])
                    call.sent = len(call.arguments)
            if not (final or (followed and (call.whole or call.ghost))):
                return
            if call.started:
                if not call.sent:
                    yield ArgumentsDelta("{}")
                yield BlockStopped(unargued=not call.arguments.strip())
            call.closed = True
            self._current += 1

    @property
    def all_whole(self) -> bool:
        """Whether every call's arguments are a JSON object, or none at all."""
        return all(call.whole or not call.arguments.strip() for call in self._calls)

    @property
    def all_said(self) -> bool:
        """Whether every call's arguments are a JSON object."""
        return all(call.whole for call in self._calls)

    def _open(self, call: _Call, sure: bool) -> Iterator[Event]:
        """A name may come in pieces, so a call starts with its first argument, or when nothing more can come."""
        if call.started or not (call.ready or sure):
            return
        if not call.name:
            if sure:
                raise Confused("a tool call without a name")
            return
        call.started = True
        ours = not call.id or any(other.id == call.id for other in self._calls[: self._current])
        identity = f"toolu_{self._token}_{self._current}" if ours else call.id
        space, signature = call.signature
        if signature:
            identity = signed_id(identity, self._provider, space, signature)
        yield BlockStarted(BlockKind.TOOL_USE, identity, self._names.get(call.name, call.name), ours=ours)

    def _take(self, piece: Mapping[str, Any], function: Mapping[str, Any]) -> _Call:
        identity, name = _text(piece.get("id")), _text(function.get("name"))
        given = function.get("arguments")
        arguments = encode(given).decode() if isinstance(given, dict) else _text(given)
        call = self._call_of(piece.get("index"), identity, name, arguments)
        if not call.started:
            call.id = _merged(call.id, identity)
            call.name = _merged(call.name, name)
        self._extend(call, arguments)
        return call

    def _call_of(self, index: Any, identity: str, name: str, arguments: str) -> _Call:
        """The call that a piece belongs to, a new one where it begins one."""
        number = index if isinstance(index, int) and not isinstance(index, bool) and index >= 0 else None
        if number is None:
            known = [call for call in self._calls if identity and call.id == identity] or self._calls[-1:]
        else:
            known = [call for call in self._calls if call.index == number]
        if not known or self._is_another(known[-1], identity, name, arguments):
            self._calls.append(_Call(number))
            return self._calls[-1]
        return known[-1]

    def _is_another(self, call: _Call, identity: str, name: str, arguments: str) -> bool:
        if _follows_a_whole_one(call, identity, name, arguments):
            return True
        return _begins_another(call, identity, name) and not self._continues(call, name)

    def _continues(self, call: _Call, name: str) -> bool:
        """Whether a name is the next piece of the call's: only together do they name a tool."""
        if not name or call.arguments or call.name in self._names or name in self._names:
            return False
        return any(known.startswith(call.name + name) for known in self._names)

    def _extend(self, call: _Call, piece: str) -> None:
        if not piece:
            return
        if call.closed:
            if piece not in call.arguments:
                raise Confused("pieces of two tool calls mixed with each other")
            return
        if call.arguments == "{}" and not call.sent and piece != "{}":
            call.arguments, call.pieces = "", 0
        if call.pieces == 1 and piece.startswith(call.arguments) and call.arguments.startswith("{"):
            call.snapshots = True
        elif call.whole and piece == call.arguments:
            return
        call.pieces += 1
        if not call.snapshots:
            call.arguments += piece
        elif piece.startswith(call.arguments):
            call.arguments = piece
        elif not call.arguments.startswith(piece):
            raise Confused("arguments that change what they said before")


def is_object(text: str) -> bool:
    """Whether JSON text is a whole object."""
    if not text.rstrip().endswith("}"):
        return False
    try:
        return isinstance(decode(text.encode("utf-8", "replace")), dict)
    except NotJson:
        return False


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _merged(known: str, piece: str) -> str:
    """A piece that repeats or extends what is known replaces it; any other is the next piece."""
    if not piece or known.startswith(piece):
        return known or piece
    return piece if piece.startswith(known) else known + piece


def _follows_a_whole_one(call: _Call, identity: str, name: str, arguments: str) -> bool:
    """A piece with a name or an id of its own, after a call whose arguments are whole, begins the next call."""
    if not call.whole or call.arguments == "{}" or not (name or identity):
        return False
    if identity and call.id:
        return identity != call.id
    return bool(name) and not arguments.startswith(call.arguments)


_IDENTITY = re.compile(r"[\w.|-]{6,}")


def _begins_another(call: _Call, identity: str, name: str) -> bool:
    """Whether a piece with this id under the same index is another call: its id is a different, whole one."""
    if not identity or not call.id or identity.startswith(call.id) or call.id.startswith(identity):
        return False
    return bool(call.arguments or (name and call.name)) and bool(_IDENTITY.fullmatch(identity) or name)
