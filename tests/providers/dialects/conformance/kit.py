"""Readers, writers and comparisons for a dialect that is known by its name only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from providers.call import Call, Hints, Operation, Translated
from providers.chat.events import BlockKind, Ended, Event, Failed, Finished
from providers.chat.fold import AnswerBlock, WholeMessage, fold
from providers.chat.grammar import Grammar
from providers.chat.ports import EventReader, EventWriter
from providers.chat.request import ChatRequest, Message, Text
from providers.dialects import discover, of_clients
from providers.json_object import JsonObject
from providers.quirks import Quirks
from providers.spec import ProviderConfig, ProviderSpec
from providers.translation import Translation
from tests.providers.dialects.conformance.samples import samples

DIALECTS = discover()
FACES = of_clients(DIALECTS)
ASKED = "asked/for:free"
ESTIMATE = 1234
TOKEN = "0123abcd"
STOPS = ("END",)
QUIRKS = Quirks(files=True, efforts=("minimal", "low", "medium", "high"))


def config(dialect: str, quirks: Quirks = QUIRKS) -> ProviderConfig:
    spec = ProviderSpec("acme", "Acme", ("ACME",), dialect, "https://acme.test/v1")
    return ProviderConfig(spec, spec.base_url, quirks=quirks)


def written(dialect: str, request: ChatRequest, quirks: Quirks = QUIRKS) -> Translated:
    return DIALECTS[dialect].write_request(request, config(dialect, quirks), "", Hints(TOKEN, ESTIMATE))


def reader(dialect: str) -> EventReader:
    return written(dialect, ChatRequest("m", (Message("user", (Text("Hi"),)),), stop=STOPS)).reader


def call(dialect: str, stream: bool = True) -> Call:
    """The dialect's own small request, for ASKED."""
    (plain,) = samples(dialect, "requests/plain.json")
    return Call("req_1", dialect, Operation.MESSAGES, JsonObject(plain.raw), ASKED, stream, received=1_760_000_000)


def writer(dialect: str) -> EventWriter:
    return FACES[dialect].writer(call(dialect))


def read(dialect: str, *pieces: bytes) -> list[Event]:
    """All events of a stream that comes in these pieces and then ends."""
    machine = reader(dialect)
    events = [event for piece in pieces for event in machine.feed(piece)]
    return events + machine.finish()


def read_whole(dialect: str, body: bytes) -> list[Event]:
    return reader(dialect).whole(body)


def write(dialect: str, events: Iterable[Event]) -> bytes:
    machine = writer(dialect)
    return b"".join(machine.write(event) for event in events)


def translated(upstream: str, client: str, raw: bytes, stream: bool = True) -> tuple[Translation, bytes]:
    """An upstream's stream on its way to a client of another dialect, and the bytes that the client gets."""
    machine = Translation(reader(upstream), writer(client), stream)
    sent = machine.feed(raw)
    return machine, sent + machine.finish()


def in_order(events: Iterable[Event]) -> Grammar:
    """The grammar after these events. Raises OutOfOrder."""
    grammar = Grammar()
    for event in events:
        grammar.take(event)
    return grammar


def settled(events: list[Event]) -> bool:
    """Is the last event, and no other, the end?"""
    ends = [isinstance(event, Ended | Failed) for event in events]
    return ends.count(True) == 1 and ends[-1]


def parsed(arguments: str) -> Any:
    """A call's arguments, compared by what they say and not by their blanks."""
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def said(message: WholeMessage, *, but: Iterable[str] = ()) -> dict[str, Any]:
    """All that a whole answer says; without its model's name, for clients get the one that they asked for."""
    blocks = [_block(block) for block in message.blocks if not (block.kind is BlockKind.RAW and "raw" in but)]
    stop = "end_turn" if "stop_sequence" in but and message.stop == "stop_sequence" else str(message.stop)
    whole = {"id": message.id, "blocks": blocks, "stop": stop, "usage": message.usage}
    whole |= {"stop_sequence": message.stop_sequence, "details": message.details}
    return _without(whole, but)


def _block(block: AnswerBlock) -> dict[str, Any]:
    text: Any = parsed(block.text) if block.kind in (BlockKind.TOOL_USE, BlockKind.RAW) else block.text
    shown = {"kind": str(block.kind), "text": text, "signature": block.signature, "id": block.id, "name": block.name}
    return {**shown, "raw": dict(block.raw), "raw_deltas": list(block.raw_deltas)}


def _without(whole: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    dropped = {*names, "raw_deltas"} if "raw" in names else set(names)
    blocks = [{key: value for key, value in block.items() if key not in dropped} for block in whole["blocks"]]
    return {key: value for key, value in whole.items() if key not in dropped} | {"blocks": blocks}


def finished(events: Iterable[Event]) -> Finished:
    return next(event for event in events if isinstance(event, Finished))


def failure_of(events: list[Event]) -> Failed:
    last = events[-1]
    assert isinstance(last, Failed)
    return last


def whole_of(events: Iterable[Event]) -> WholeMessage:
    return fold(events)
