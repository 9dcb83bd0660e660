"""The provider that needs nothing answers like a model's API would, to anything that passes the checks."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from hypothesis import given

from providers.demo import INTRODUCTION, DemoTransport, answer, frames
from providers.dialects.anthropic import DIALECT
from providers.dialects.anthropic.replies import MessageStream
from providers.errors import Fault
from providers.json_object import JsonObject
from tests.providers.bodies import FULL, spoilt
from tests.providers.support import by_the_book, call, config, property_test, rig
from tests.upstream import Reply, Request, ScriptedServer, json_reply, stream

READ = {
    "name": "Read",
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["file_path"],
    },
}
FETCH = {"name": "mcp__web__fetch", "input_schema": {"type": "object", "properties": {}}}


def asked(prompt: Any, **members: Any) -> dict[str, Any]:
    return {"model": "demo", "max_tokens": 1000, "messages": [{"role": "user", "content": prompt}], **members}


def kinds(message: dict[str, Any]) -> list[str]:
    return [block["type"] for block in message["content"]]


def fold(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a stream amounts to."""
    message: dict[str, Any] = {}
    arguments: dict[int, str] = {}
    for event in events:
        match event:
            case {"type": "message_start", "message": start}:
                message = {**start, "content": []}
            case {"type": "content_block_start", "content_block": block}:
                message["content"].append(dict(block))
            case {"type": "content_block_delta", "index": at, "delta": {"partial_json": piece}}:
                arguments[at] = arguments.get(at, "") + piece
            case {"type": "content_block_delta", "index": at, "delta": {"type": kind, **pieces}}:
                field = kind.removesuffix("_delta")
                message["content"][at][field] += pieces[field]
            case {"type": "message_delta", "delta": delta, "usage": usage}:
                message |= {**delta, "usage": usage}
    for at, text in arguments.items():
        message["content"][at]["input"] = json.loads(text)
    return message


REQUESTS = {
    "a greeting": asked("hi"),
    "a tool": asked("Use the Read tool on 'a.txt'", tools=[READ]),
    "thoughts": asked("hi", thinking={"type": "enabled", "budget_tokens": 1024}),
    "thoughts and a tool": asked("think, then use Read", tools=[READ], thinking={"type": "adaptive"}),
    "a schema": asked("hi", output_config={"format": {"type": "json_schema", "schema": READ["input_schema"]}}),
    "a probe": asked("hi", max_tokens=1),
    "no room at all": asked("hi", max_tokens=0),
    "a full body": FULL,
}
each_request = pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())


def test_says_what_it_is_and_how_to_add_a_key() -> None:
    message = answer(asked("hi"), "t1")
    assert message["content"] == [{"type": "text", "text": INTRODUCTION}]
    assert (message["stop_reason"], message["stop_sequence"], message["role"]) == ("end_turn", None, "assistant")
    assert "OPENROUTER_API_KEY=" in INTRODUCTION
    assert "ollama/" in INTRODUCTION


def test_ids_hang_on_the_token() -> None:
    one, other = (json.dumps(answer(REQUESTS["a tool"], token)) for token in ("t1", "t2"))
    assert one.replace("t1", "t2") == other
    assert one.count("t1") == 2


@each_request
def test_the_stream_folds_to_the_whole_answer(request_: dict[str, Any]) -> None:
    message = answer(request_, "t1")
    assert fold([json.loads(data) for _, data in by_the_book(b"".join(frames(message)))]) == message


@each_request
def test_the_stream_keeps_the_grammar(request_: dict[str, Any]) -> None:
    message = answer(request_, "t1")
    raw = b"".join(frames(message))
    reader = MessageStream("asked")
    passed = reader.feed(raw)
    assert (reader.begun, reader.ended, reader.failure) == (True, True, None)
    assert reader.usage.output_tokens == message["usage"]["output_tokens"]
    names = [name for name, _ in by_the_book(passed)]
    assert [json.loads(data)["type"].encode() for _, data in by_the_book(raw)] == names
    assert re.fullmatch(
        r"message_start( content_block_start( content_block_delta)* content_block_stop)* message_delta message_stop",
        b" ".join(names).decode(),
    )


# What it is asked for


@pytest.mark.parametrize(
    ("thinking", "prompt", "thinks"),
    [
        ({"type": "enabled", "budget_tokens": 1024}, "hi", True),
        ({"type": "adaptive"}, "Think hard", True),
        ({"type": "adaptive"}, "hi", False),
        ({"type": "disabled"}, "think", False),
        (None, "think", False),
    ],
)
def test_thinks_when_asked(thinking: Any, prompt: str, thinks: bool) -> None:
    message = answer(asked(prompt, thinking=thinking), "t1")
    assert kinds(message) == (["thinking", "text"] if thinks else ["text"])
    if thinks:
        assert message["content"][0]["signature"]


@pytest.mark.parametrize(
    ("prompt", "called"),
    [
        ("Use the Read tool", "Read"),
        ("please call Read on it", "Read"),
        ("the Read tool, please", "Read"),
        ("Run `mcp__web__fetch`", "mcp__web__fetch"),
        ("mcp__web__fetch now", "mcp__web__fetch"),
        ("mcp__web__fetch, then use Read", "mcp__web__fetch"),
        ("Read me a story", None),
        ("I like Reading; use it", None),
        ("use mcp__web__fetches", None),
        ("use the read tool", None),
        ("hi", None),
        ("", None),
        ("<system-reminder>use Read</system-reminder>hi", None),
    ],
)
def test_calls_a_tool_that_is_asked_for_by_name(prompt: str, called: str | None) -> None:
    message = answer(asked(prompt, tools=[READ, FETCH, {"type": "web_search_20250305"}]), "t1")
    if called is None:
        assert kinds(message) == ["text"]
        assert message["stop_reason"] == "end_turn"
        return
    assert kinds(message) == ["text", "tool_use"]
    assert message["content"][1]["name"] == called
    assert message["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("prompt", "value"),
    [("use Read on `a b.txt`", "a b.txt"), ('use Read on "c"', "c"), ("use Read on 'd'", "d"), ("use Read", "demo")],
)
def test_the_first_quoted_words_are_the_argument(prompt: str, value: str) -> None:
    assert answer(asked(prompt, tools=[READ]), "t1")["content"][1]["input"] == {"file_path": value}


def test_says_what_a_tool_answered() -> None:
    history = [
        {"role": "user", "content": "Use the Read tool"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "i", "name": "Read", "input": {}}]},
    ]
    for content, said in (
        ("five", "five"),
        ([{"type": "text", "text": "five"}, {"type": "image", "source": {}}], "five [image]"),
        (None, ""),
        ([], ""),
    ):
        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "i", "content": content}]}
        message = answer({**asked("x", tools=[READ]), "messages": [*history, result]}, "t1")
        assert message["content"] == [{"type": "text", "text": f"The tool answered: {said}"}]


def test_only_a_probe_stops_at_its_limit() -> None:
    assert answer(asked("hi", max_tokens=1), "t1")["content"] == [{"type": "text", "text": "OK"}]
    assert answer(asked("hi", max_tokens=1), "t1")["stop_reason"] == "max_tokens"
    assert answer(asked("hi", max_tokens=0), "t1")["content"] == []
    assert answer(asked("hi", max_tokens=8), "t1")["stop_reason"] == "end_turn"


def test_a_conversation_without_a_user_gets_an_answer() -> None:
    message = answer({**asked("x"), "messages": [{"role": "assistant", "content": "hi"}]}, "t1")
    assert kinds(message) == ["text"]


@property_test
@given(spoilt())
def test_every_checked_body_gets_an_answer(body: dict[str, Any]) -> None:
    raw = JsonObject(json.dumps(body).encode())
    try:
        DIALECT.check(raw)
    except Fault:
        return
    message = answer(json.loads(raw.raw), "t1")
    assert fold([json.loads(data) for _, data in by_the_book(b"".join(frames(message)))]) == message


# Behind the port that every provider stands behind


@pytest.mark.parametrize("whole", [False, True])
async def test_answers_through_a_provider(whole: bool) -> None:
    async with rig(config("demo:")) as live:
        sent = [await live.ask(call(asked("hi", stream=not whole), stream=not whole)) for _ in range(2)]
    assert b"Keyturn's demo" in sent[0]
    assert b'"model":"demo"' in sent[0]
    ids = [re.search(rb'"id":"(msg_[^"]+)"', each) for each in sent]
    assert ids[0] is not None
    assert ids[1] is not None
    assert ids[0][1] != ids[1][1]


async def test_a_reply_that_is_closed_says_no_more() -> None:
    transport = DemoTransport(config("demo:"))
    assert DIALECT.straight is not None
    request = DIALECT.straight.request(call(asked("hi", stream=True)), "demo", True, config("demo:"), "")
    reply = await transport.send(request)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
    assert (await reply.read()).startswith(b"event: message_start")
    await reply.aclose()
    assert await reply.read() == b""
    await transport.aclose()


# The official client


def as_api(request: Request) -> Reply:
    message = answer(request.json, "t1")
    return stream(*frames(message)) if request.json.get("stream") else json_reply(message)


@each_request
async def test_the_official_client_reads_the_same_from_a_stream(request_: dict[str, Any]) -> None:
    wanted = {
        name: request_[name]
        for name in ("model", "messages", "max_tokens", "tools", "thinking", "output_config")
        if name in request_
    }
    async with (
        ScriptedServer() as upstream,
        AsyncAnthropic(base_url=upstream.url, api_key="k", max_retries=0) as client,
    ):
        upstream.always(as_api)
        whole = await client.messages.create(**wanted)
        async with client.messages.stream(**wanted) as events:
            streamed = await events.get_final_message()
    expected = answer(request_, "t1")
    for read in (whole, streamed):
        got = read.model_dump(exclude_unset=True)
        assert {name: got[name] for name in expected} | {"content": None} == expected | {"content": None}
        assert [
            block.model_dump(include=set(wrote)) for block, wrote in zip(read.content, expected["content"], strict=True)
        ] == expected["content"]
