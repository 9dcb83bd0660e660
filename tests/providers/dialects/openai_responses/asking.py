"""Responses requests and streams in short."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from providers.call import Call, Hints, Operation
from providers.chat.events import Event
from providers.chat.ports import EventWriter
from providers.chat.request import ChatRequest, Message
from providers.dialects.openai_responses import DIALECT
from providers.dialects.openai_responses.read_reply import ResponseReader
from providers.json_object import JsonObject
from providers.quirks import Quirks
from providers.spec import ProviderConfig, ProviderSpec

Json = dict[str, Any]
PLAIN = Quirks()
TOOLS: list[Json] = [
    {"type": "function", "name": "Bash", "parameters": {"type": "object"}, "strict": True},
    {"type": "custom", "name": "apply_patch", "description": "Edit."},
    {"type": "namespace", "name": "docs", "tools": [{"type": "function", "name": "search"}]},
]


def parsed(**body: Any) -> JsonObject:
    """A body that has passed the checks. Raises Fault."""
    made = JsonObject(json.dumps({"model": "asked", "input": "Hi", **body}).encode())
    DIALECT.check(made)
    return made


def read(thinking: bool = True, /, **body: Any) -> ChatRequest:
    return DIALECT.read_request(parsed(**body), "target", thinking)


def messages(*items: Json, **body: Any) -> tuple[Message, ...]:
    return read(input=list(items), **body).messages


def config(quirks: Quirks = PLAIN, provider: str = "acme", base: str = "https://acme.test/v1") -> ProviderConfig:
    spec = ProviderSpec(provider, "Acme", ("ACME",), "openai_responses", base)
    return ProviderConfig(spec, base, quirks=quirks)


def written(request: ChatRequest, quirks: Quirks = PLAIN, provider: str = "acme") -> tuple[Json, tuple[str, ...]]:
    """The body, which passes the dialect's own checks, and what was lost."""
    made = DIALECT.write_request(request, config(quirks, provider), "sk-upstream", Hints("tok", 7))
    DIALECT.check(JsonObject(made.request.body))
    return json.loads(made.request.body), made.lost


def reader(provider: str = "acme") -> ResponseReader:
    return ResponseReader("tok", provider, 7, {"short": "a.long.name"})


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def item(kind: str, index: int, **members: Any) -> bytes:
    """``output_item.added`` or ``.done``."""
    return event(f"response.output_item.{kind}", output_index=index, item=members)


def read_all(*parts: bytes, machine: ResponseReader | None = None) -> list[Event]:
    machine = machine or reader()
    return [made for part in parts for made in machine.feed(part)] + machine.finish()


def writer(**body: Any) -> EventWriter:
    asked = JsonObject(json.dumps({"model": "m", "input": "Hi", "tools": TOOLS, **body}).encode())
    call = Call("req_1", "openai_responses", Operation.MESSAGES, asked, "asked/for", True, received=1_760_000_000)
    return DIALECT.writer(call)


def events(raw: bytes) -> list[Json]:
    """The data of each event, whose name is its type."""
    return list(_events(raw))


def _events(raw: bytes) -> Iterator[Json]:
    for frame in raw.decode().removesuffix("\n\n").split("\n\n") if raw else ():
        name, data = frame.split("\n")
        made = json.loads(data.removeprefix("data: "))
        assert name == f"event: {made['type']}"
        yield made


def streamed(made: Iterable[Event], **body: Any) -> list[Json]:
    machine = writer(**body)
    return events(b"".join(machine.write(each) for each in made))
