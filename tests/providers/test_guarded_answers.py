"""Answers of a provider whose tool calls are repaired, from its bytes to the client's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from providers.call import Call, Dialect, Hints, Operation, Translated
from providers.chat.events import BlockKind, BlockStarted, Event, Started, TextDelta
from providers.chat.guardian import Declared, Guardian
from providers.chat.request import ChatRequest, Tool
from providers.dialects.anthropic import DIALECT as MESSAGES
from providers.dialects.anthropic.guarded import GuardedStream
from providers.dialects.anthropic.replies import Count, MessageStream
from providers.dialects.openai_chat import DIALECT as CHAT
from providers.dialects.openai_chat import OpenAIChatDialect
from providers.errors import UpstreamFailure
from providers.exchange import Exchange, arrange
from providers.quirks import Quirks
from providers.spec import ProviderConfig, ProviderSpec
from providers.translation import Translation
from tests.providers.support import by_the_book, call, config, rig
from tests.upstream import ChatUpstream, Cut
from tests.upstream import anthropic as messages
from tests.upstream import openai_chat as chat

Json = dict[str, Any]

BASH = {"type": "object", "properties": {"command": {"type": "string"}, "timeout": {"type": "integer"}}}
TOOLS = [{"name": "Bash", "description": "Runs.", "input_schema": {**BASH, "required": ["command"]}}]
WRITTEN = '<tool_call>\n{"name": "bash", "arguments": {"command": "ls", "timeout": "5"}}\n</tool_call>'
INPUT = {"command": "ls", "timeout": 5}
SPEC = ProviderSpec("acme", "Acme", ("ACME",), "openai_chat", "http://127.0.0.1:9/v1", local=True)
GUARDED = Quirks(guarded_calls=True)


def ask(stream: bool = True, **more: Any) -> Call:
    messages = [{"role": "user", "content": "Hi"}]
    return call(
        {"model": "m", "max_tokens": 64, "messages": messages, "stream": stream, "tools": TOOLS, **more}, stream=stream
    )


def at(upstream: ChatUpstream, quirks: Quirks = GUARDED) -> ProviderConfig:
    return config(upstream.base_url, spec=SPEC, quirks=quirks)


def blocks(stream: bytes) -> list[Json]:
    """The blocks of a Messages stream, the stop reason last."""
    made: list[Json] = []
    texts: dict[int, str] = {}
    for name, data in by_the_book(stream):
        event = json.loads(data)
        if name == b"content_block_start":
            made.append(event["content_block"])
        elif name == b"content_block_delta":
            delta = event["delta"]
            piece = delta.get("text") or delta.get("partial_json", "")
            texts[event["index"]] = texts.get(event["index"], "") + piece
        elif name == b"message_delta":
            made.append({"stop": event["delta"]["stop_reason"]})
    for index, text in texts.items():
        made[index] |= {"input": json.loads(text)} if made[index]["type"] == "tool_use" else {"text": text}
    return made


async def test_a_stream() -> None:
    async with ChatUpstream() as upstream, rig(at(upstream)) as acme:
        upstream.script(chat.completion(chat.text(f"I look.\n{WRITTEN}", pieces=9)))
        text, used, stop = blocks(await acme.ask(ask()))
    assert text == {"type": "text", "text": "I look.\n"}
    assert (used["type"], used["name"], used["input"]) == ("tool_use", "Bash", INPUT)
    assert stop == {"stop": "tool_use"}


async def test_a_whole_answer() -> None:
    async with ChatUpstream() as upstream, rig(at(upstream)) as acme:
        upstream.script(chat.completion(chat.text(WRITTEN)))
        message = json.loads(await acme.ask(ask(stream=False)))
    [used] = message["content"]
    assert (used["type"], used["name"], used["input"]) == ("tool_use", "Bash", INPUT)
    assert message["stop_reason"] == "tool_use"


async def test_a_cut_inside_of_a_call_is_a_failure() -> None:
    async with ChatUpstream() as upstream, rig(at(upstream)) as acme:
        pieces = [chat.chunk({"content": WRITTEN[start : start + 8]}) for start in range(0, 64, 8)]
        upstream.script(chat.stream(*pieces, Cut()))
        with pytest.raises(UpstreamFailure, match="closed the connection"):
            await acme.ask(ask())


@pytest.mark.parametrize(
    ("quirks", "more"),
    [
        (Quirks(), {}),
        (GUARDED, {"tools": []}),
        (GUARDED, {"tool_choice": {"type": "none"}}),
    ],
)
def test_no_guardian(quirks: Quirks, more: Json) -> None:
    exchange = exchanged(quirks=quirks, **more)
    assert blocks(exchange.reader.take_whole(answered(WRITTEN)))[0]["text"] == WRITTEN
    assert exchange.repairs == {}


def exchanged(dialect: Dialect = CHAT, quirks: Quirks = GUARDED, **more: Any) -> Exchange:
    configured = ProviderConfig(SPEC, SPEC.base_url, quirks=quirks)
    return arrange(MESSAGES, dialect, ask(**more), "m", True, configured, "", "tok")


def answered(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).encode()


def test_the_repairs_are_counted_in_the_exchange() -> None:
    exchange = exchanged()
    assert exchange.repairs == {}
    exchange.reader.take_whole(answered(WRITTEN))
    assert exchange.repairs == {"hermes": 1, "name": 1, "value": 1, "stop_reason": 1}


def test_an_answer_that_must_be_json_is_no_call() -> None:
    bare = '{"name": "Bash", "arguments": {"command": "ls"}}'
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    asked: Json = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    assert blocks(exchanged().reader.take_whole(answered(bare)))[0]["type"] == "tool_use"
    assert blocks(exchanged(**asked).reader.take_whole(answered(bare)))[0] == {"type": "text", "text": bare}


def test_an_upstream_of_the_clients_own_dialect() -> None:
    """A local runtime's Messages face: the call goes out as it came, and only the answer is looked at."""
    configured = ProviderConfig(replace(SPEC, dialect="anthropic"), SPEC.base_url, quirks=GUARDED)
    message = {"type": "message", "role": "assistant", "id": "msg_1", "model": "m", "stop_reason": "end_turn"}
    body = json.dumps(
        {**message, "content": [{"type": "text", "text": WRITTEN}], "usage": {"input_tokens": 1}}
    ).encode()
    asked = ask(stream=False, brand_new=1)
    exchange = arrange(MESSAGES, MESSAGES, asked, "m", True, configured, "", "tok")
    assert exchange.request.body == asked.body.raw
    answer = json.loads(exchange.reader.take_whole(body))
    [used] = answer["content"]
    assert (used["name"], used["input"], answer["stop_reason"]) == ("Bash", INPUT, "tool_use")
    assert exchange.repairs["hermes"] == 1

    exchange = arrange(MESSAGES, MESSAGES, ask(), "m", True, configured, "", "tok")
    *_, used, stop = blocks(exchange.reader.feed(b"".join(messages.frames("m", [messages.text(WRITTEN)]))))
    assert (used["name"], used["input"], stop) == ("Bash", INPUT, {"stop": "tool_use"})
    assert exchange.repairs["hermes"] == 1


@pytest.mark.parametrize(
    ("more", "operation"),
    [
        ({"tools": []}, Operation.MESSAGES),
        ({"tools": None}, Operation.MESSAGES),
        ({"tool_choice": {"type": "none"}}, Operation.MESSAGES),
        ({}, Operation.COUNT_TOKENS),
    ],
)
def test_where_nothing_may_be_called_the_straight_line_has_no_guardian(more: Json, operation: Operation) -> None:
    configured = ProviderConfig(replace(SPEC, dialect="anthropic"), SPEC.base_url, quirks=GUARDED)
    asked = replace(ask(**more), operation=operation)
    exchange = arrange(MESSAGES, MESSAGES, asked, "m", True, configured, "", "tok")
    assert isinstance(exchange.reader, MessageStream | Count)
    assert not isinstance(exchange.reader, GuardedStream)


@pytest.mark.parametrize(("switch", "found"), [(None, False), (True, True), (False, False)])
@pytest.mark.parametrize("dialect", [CHAT, MESSAGES], ids=["chat", "messages"])
def test_the_operators_switch_decides_for_any_provider(dialect: Dialect, switch: bool | None, found: bool) -> None:
    spec = replace(SPEC, dialect=dialect.name)
    configured = ProviderConfig(spec, SPEC.base_url, guardian=switch)
    exchange = arrange(MESSAGES, dialect, ask(), "m", True, configured, "", "tok")
    said = {"openai_chat": chat.frames("m", [chat.text(WRITTEN)])}
    frames = said.get(dialect.name) or messages.frames("m", [messages.text(WRITTEN)])
    kinds = [block.get("type") for block in blocks(exchange.reader.feed(b"".join(frames)))]
    assert ("tool_use" in kinds) is found


def test_with_the_switch_off_nothing_is_repaired() -> None:
    frames = b"".join(chat.frames("m", [chat.call("bash", {"command": "ls", "timeout": None}, "call_1")]))
    for switch, name, given in ((None, "Bash", {"command": "ls"}), (False, "bash", {"command": "ls", "timeout": None})):
        configured = ProviderConfig(SPEC, SPEC.base_url, guardian=switch)
        exchange = arrange(MESSAGES, CHAT, ask(), "m", True, configured, "", "tok")
        used, _ = blocks(exchange.reader.feed(frames))
        assert (used["name"], used["input"]) == (name, given)
        assert bool(exchange.repairs) is (switch is None)


class Renaming(OpenAIChatDialect):
    """Tells the upstream other names."""

    def write_request(self, request: ChatRequest, config: ProviderConfig, key: str, hints: Hints) -> Translated:
        names: Mapping[str, str] = {"shell": "Bash"}
        return replace(super().write_request(request, config, key, hints), names=names)


def test_a_name_that_the_upstream_was_told() -> None:
    text = '<tool_call>{"name": "shell", "arguments": {"command": "ls"}}</tool_call>'
    assert blocks(exchanged(Renaming()).reader.take_whole(answered(text)))[0]["name"] == "Bash"
    assert blocks(exchanged().reader.take_whole(answered(text)))[0]["type"] == "text"


class Scripted:
    """A reader whose events are given, one list per call."""

    closing = False

    def __init__(self, *lists: list[Event]) -> None:
        self.lost: list[str] = []
        self._lists = list(lists)

    def feed(self, data: bytes) -> list[Event]:
        return self._lists.pop(0)

    def finish(self) -> list[Event]:
        return self.feed(b"")

    def whole(self, body: bytes) -> list[Event]:
        return self.feed(body)


def test_an_answer_has_begun_though_all_of_it_is_held() -> None:
    """The upstream is at work: its time for the first token must not run on."""
    opening: list[Event] = [Started("m", ""), BlockStarted(BlockKind.TEXT)]
    machine = Translation(
        Scripted(opening, [TextDelta(WRITTEN[:30])]),
        MESSAGES.writer(ask()),
        True,
        Guardian(Declared([Tool("Bash", "", BASH)]), "tok"),
    )
    machine.feed(b"")
    assert not machine.begun
    assert machine.feed(b"") == b""
    assert machine.begun
