"""Calls that came properly, from upstreams of every format, as a Messages client gets them: mended, and counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from providers.call import Call, Dialect
from providers.chat.guardian import Repair
from providers.dialects.anthropic import DIALECT as MESSAGES
from providers.dialects.openai_chat import DIALECT as CHAT
from providers.dialects.openai_responses import DIALECT as RESPONSES
from providers.exchange import Exchange, arrange
from providers.quirks import Quirks
from providers.spec import ProviderConfig, ProviderSpec
from tests.providers.support import by_the_book, call
from tests.upstream import anthropic as messages
from tests.upstream import openai_chat as chat
from tests.upstream import openai_responses as responses

Json = dict[str, Any]
Calls = list[tuple[str, Json | str, str]]  # (name, arguments, id)

NUMBER, FLAG, TEXT = {"type": "integer"}, {"type": "boolean"}, {"type": "string"}
BASH = {
    "type": "object",
    "properties": {"command": TEXT, "timeout": NUMBER, "background": FLAG, "edits": {"type": "array"}},
    "required": ["command"],
}
NONE_NEEDED = {"type": "object", "properties": {}}
TOOLS = [{"name": "Bash", "input_schema": BASH}, {"name": "TaskList", "input_schema": NONE_NEEDED}]


def of_chat(calls: Calls) -> bytes:
    styles = [chat.Calls.PIECES if identity else chat.Calls.NO_ID for _, _, identity in calls]
    parts = [
        chat.call(name, given, identity, style) for (name, given, identity), style in zip(calls, styles, strict=True)
    ]
    return b"".join(chat.frames("m", parts))


def of_responses(calls: Calls) -> bytes:
    return b"".join(responses.frames("m", [responses.call(*each) for each in calls]))


def of_messages(calls: Calls) -> bytes:
    blocks = []
    for name, given, identity in calls:
        start = {"type": "tool_use", "id": identity, "name": name, "input": {}}
        written = given if isinstance(given, str) else json.dumps(given)
        piece = {"type": "input_json_delta", "partial_json": written}
        blocks.append(messages.Block({}, start, (piece,) if written else ()))
    return b"".join(messages.frames("m", blocks, "tool_use"))


UPSTREAMS: Mapping[str, tuple[Dialect, Callable[[Calls], bytes], Quirks]] = {
    "chat": (CHAT, of_chat, Quirks()),
    "responses": (RESPONSES, of_responses, Quirks()),
    "messages, guarded": (MESSAGES, of_messages, Quirks(guarded_calls=True)),
}
each_upstream = pytest.mark.parametrize("upstream", UPSTREAMS)


def asked() -> Call:
    said = [{"role": "user", "content": "Hi"}]
    return call({"model": "m", "max_tokens": 64, "messages": said, "stream": True, "tools": TOOLS})


def answered(upstream: str, *calls: tuple[str, Json | str, str]) -> tuple[list[Any], Mapping[str, int]]:
    """(name, arguments, id) of each call at the client, and the repairs."""
    dialect, written, quirks = UPSTREAMS[upstream]
    spec = ProviderSpec("acme", "Acme", ("ACME",), dialect.name, "http://127.0.0.1:9", local=True)
    exchange: Exchange = arrange(
        MESSAGES, dialect, asked(), "m", True, ProviderConfig(spec, spec.base_url, quirks=quirks), "", "tok"
    )
    out = exchange.reader.feed(written(list(calls)))
    assert exchange.reader.ended, exchange.reader.failure
    made: list[Any] = []
    for name, data in by_the_book(out):
        event = json.loads(data)
        if name == b"content_block_start":
            made.append([event["content_block"]["name"], "", event["content_block"]["id"]])
        elif name == b"content_block_delta":
            made[-1][1] += event["delta"]["partial_json"]
    return made, dict(exchange.repairs)


@each_upstream
@pytest.mark.parametrize(
    ("given", "mended", "repairs"),
    [
        ({"command": "ls"}, '{"command": "ls"}', {}),
        ({"command": "ls", "timeout": None}, '{"command":"ls"}', {Repair.NULL: 1}),
        ({"command": "ls", "timeout": "5"}, '{"command":"ls","timeout":5}', {Repair.VALUE: 1}),
        ({"command": "ls", "background": "true"}, '{"command":"ls","background":true}', {Repair.VALUE: 1}),
        ({"command": "ls", "edits": "[1]"}, '{"command":"ls","edits":[1]}', {Repair.VALUE: 1}),
        ({"command": "5"}, '{"command": "5"}', {}),
        ({"command": None}, '{"command": null}', {}),
        ('{"command": "l', '{"command": "l', {}),
        ("not JSON", "not JSON", {}),
    ],
)
def test_arguments(upstream: str, given: Json | str, mended: str, repairs: Mapping[str, int]) -> None:
    """What cannot be read passes as it is: the client complains to the model."""
    assert answered(upstream, ("Bash", given, "call_1")) == ([["Bash", mended, "call_1"]], repairs)


@each_upstream
def test_a_name(upstream: str) -> None:
    made, repairs = answered(upstream, ("bash", {"command": "ls"}, "call_1"))
    assert made == [["Bash", '{"command": "ls"}', "call_1"]]
    assert repairs == {Repair.NAME: 1}


@each_upstream
def test_no_arguments_at_all(upstream: str) -> None:
    made, repairs = answered(upstream, ("TaskList", "", "call_1"))
    assert made == [["TaskList", "{}", "call_1"]]
    assert repairs == {Repair.EMPTY_ARGUMENTS: 1}
    assert answered(upstream, ("TaskList", {}, "call_1")) == ([["TaskList", "{}", "call_1"]], {})


@pytest.mark.parametrize("upstream", ["chat", "messages, guarded"])
@pytest.mark.parametrize("identities", [("call_1", "call_1"), ("", "")])
def test_ids_that_are_missing_or_stand_there_twice(upstream: str, identities: tuple[str, str]) -> None:
    calls = [("Bash", {"command": command}, each) for command, each in zip(("ls", "pwd"), identities, strict=True)]
    made, repairs = answered(upstream, *calls)
    assert [json.loads(each[1])["command"] for each in made] == ["ls", "pwd"]
    assert len({each[2] for each in made}) == 2
    assert all(each[2] for each in made)
    assert repairs == {Repair.DUPLICATE_ID: 1 if identities[0] else 2}
