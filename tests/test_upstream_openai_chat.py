"""The Chat Completions dialect of the scripted upstream: OpenAI's own SDK reads what it writes, and it is as strict."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from tests.upstream import Answer, ChatUpstream, openai_chat
from tests.upstream.bare_client import BOUND, connected
from tests.upstream.openai_chat import TAKEN, USAGE, Calls, Counts, Json, Part, Shape, objection

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How many?"}]
ARGUMENTS = {"command": "echo 'ü'", "n": [1, None]}
PARTS = [
    openai_chat.reasoning("Let me see."),
    openai_chat.text("It is five."),
    openai_chat.call("Bash", ARGUMENTS, "call_1"),
    openai_chat.call("Read", {"file_path": "/a"}, "call_2"),
]
# Styles that keep to the types of OpenAI's SDK, whose accumulator can only add pieces up.
PROPER = (Calls.PIECES, Calls.WHOLE)


@asynccontextmanager
async def sdk(*answers: Answer) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's client pointed at an upstream with these answers."""
    async with ChatUpstream() as upstream:
        upstream.script(*answers)
        async with openai.AsyncOpenAI(
            api_key="sk-test", base_url=upstream.base_url, max_retries=0, timeout=BOUND
        ) as client:
            yield client


async def streamed(client: openai.AsyncOpenAI) -> ChatCompletion:
    """What the SDK's own accumulator makes of a stream."""
    options: Any = {"include_usage": True}
    async with client.chat.completions.stream(model="gpt-5", messages=ASK, stream_options=options) as events:
        return await events.get_final_completion()


def said(completion: ChatCompletion) -> tuple[str | None, list[tuple[str, str, str]], str]:
    """The text, the calls and the reason to stop."""
    [choice] = completion.choices
    calls = [call for call in choice.message.tool_calls or () if call.type == "function"]
    made = [(call.id, call.function.name, call.function.arguments) for call in calls]
    return choice.message.content, made, choice.finish_reason


@pytest.mark.parametrize("style", PROPER)
async def test_the_sdk_makes_the_same_of_a_stream_and_of_a_whole_answer(style: Calls) -> None:
    parts = [*PARTS[:2], openai_chat.call("Bash", ARGUMENTS, "call_1", style), PARTS[3]]
    answer = openai_chat.completion(*parts)
    async with sdk(answer, answer) as client:
        stream = await streamed(client)
        whole = await client.chat.completions.create(model="gpt-5", messages=ASK)
    calls = [("call_1", "Bash", json.dumps(ARGUMENTS)), ("call_2", "Read", '{"file_path": "/a"}')]
    assert said(stream) == said(whole) == ("It is five.", calls, "tool_calls")
    assert stream.model == whole.model == "gpt-5"
    for usage in (stream.usage, whole.usage):
        assert usage is not None
        assert usage.model_dump(exclude_unset=True) == USAGE
    assert stream.id != whole.id


async def test_the_sdk_reads_reasoning_and_a_refusal() -> None:
    answer = openai_chat.completion(openai_chat.reasoning("Hm."), openai_chat.refusal("I will not."))
    async with sdk(answer) as client:
        message = (await client.chat.completions.create(model="gpt-5", messages=ASK)).choices[0].message
    assert message.refusal == "I will not."
    assert message.model_extra == {"reasoning_content": "Hm."}


async def test_usage_comes_only_where_it_was_asked_for() -> None:
    async with sdk(openai_chat.completion(*PARTS)) as client:
        stream = await client.chat.completions.create(model="gpt-5", messages=ASK, stream=True)
        assert [chunk.usage async for chunk in stream if chunk.usage] == []


@pytest.mark.parametrize("shape", Shape)
async def test_the_sdk_raises_the_status_of_every_refusal(shape: Shape) -> None:
    async with sdk(openai_chat.error(429, "slow down", shape, headers=[("retry-after", "3")])) as client:
        with pytest.raises(openai.RateLimitError) as refused:
            await client.chat.completions.create(model="gpt-5", messages=ASK)
    assert "slow down" in refused.value.response.text
    assert refused.value.response.headers["retry-after"] == "3"


async def test_the_sdk_raises_an_error_inside_a_stream() -> None:
    event = openai_chat.error_event("overloaded", code="server_is_overloaded")
    async with sdk(openai_chat.stream(openai_chat.chunk({"content": "Hal"}), event)) as client:
        stream = await client.chat.completions.create(model="gpt-5", messages=ASK, stream=True)
        with pytest.raises(openai.APIError) as raised:
            assert [chunk.choices[0].delta.content async for chunk in stream] == ["Hal"]
    assert raised.value.code == "server_is_overloaded"


async def events_of(answer: Answer) -> list[Any]:
    """Every event of a stream, read without an SDK."""
    async with ChatUpstream() as upstream, connected(upstream.port) as client:
        upstream.script(answer)
        options = {"stream_options": {"include_usage": True}}
        client.post({"model": "m", "messages": ASK, "stream": True, **options}, "/v1/chat/completions")
        _, body = await client.answer()
    *frames, last = body.decode().split("\n\n")[:-1]
    assert last == "data: [DONE]"
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


def deltas(part: Part, place: int = 0) -> list[Any]:
    """The pieces of a call, without what holds them."""
    found = part.deltas(place)
    return [delta["function_call"] if "function_call" in delta else delta["tool_calls"][0] for delta in found]


STYLES: dict[Calls, list[Json]] = {
    Calls.PIECES: [
        {"index": 1, "id": "call_abc", "type": "function", "function": {"name": "Bash", "arguments": ""}},
        {"index": 1, "function": {"arguments": '{"a"'}},
        {"index": 1, "function": {"arguments": ": 1}"}},
    ],
    Calls.WHOLE: [
        {"index": 1, "id": "call_abc", "type": "function", "function": {"name": "Bash", "arguments": '{"a": 1}'}}
    ],
    Calls.NO_INDEX: [
        {"id": "call_abc", "type": "function", "function": {"name": "Bash", "arguments": ""}},
        {"function": {"arguments": '{"a"'}},
        {"function": {"arguments": ": 1}"}},
    ],
    Calls.SAME_INDEX: [
        {"index": 0, "id": "call_abc", "type": "function", "function": {"name": "Bash", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ": 1}"}},
    ],
    Calls.REPEATED: [
        {"index": 1, "id": "call_abc", "type": "function", "function": {"name": "Bash", "arguments": '{"a"'}},
        {"index": 1, "id": "call_abc", "type": "function", "function": {"name": "Bash", "arguments": ": 1}"}},
    ],
    Calls.SNAPSHOTS: [
        {"index": 1, "id": "call_abc", "type": "function", "function": {"name": "Bash", "arguments": '{"a"'}},
        {"index": 1, "id": "call_abc", "type": "function", "function": {"name": "Bash", "arguments": '{"a": 1}'}},
    ],
    Calls.SPLIT: [
        {"index": 1, "id": "cal", "type": "function", "function": {"name": "Ba", "arguments": ""}},
        {"index": 1, "id": "l_abc", "function": {"name": "sh"}},
        {"index": 1, "function": {"arguments": '{"a"'}},
        {"index": 1, "function": {"arguments": ": 1}"}},
    ],
    Calls.OBJECT: [
        {"index": 1, "id": "call_abc", "type": "function", "function": {"name": "Bash", "arguments": {"a": 1}}}
    ],
    Calls.NO_ID: [
        {"index": 1, "type": "function", "function": {"name": "Bash", "arguments": ""}},
        {"index": 1, "function": {"arguments": '{"a"'}},
        {"index": 1, "function": {"arguments": ": 1}"}},
    ],
    Calls.LEGACY: [{"name": "Bash", "arguments": ""}, {"arguments": '{"a"'}, {"arguments": ": 1}"}],
}


@pytest.mark.parametrize("style", Calls)
def test_a_call_is_streamed_in_its_style(style: Calls) -> None:
    assert deltas(openai_chat.call("Bash", {"a": 1}, "call_abc", style, pieces=2), 1) == STYLES[style]


@pytest.mark.parametrize("counts", Counts)
async def test_usage_comes_where_the_server_says_it(counts: Counts) -> None:
    events = await events_of(openai_chat.completion(openai_chat.text("Five"), counts=counts))
    *_, before, last = events
    holders = {
        Counts.LAST: last.get("usage") if last["choices"] == [] else None,
        Counts.WITH_REASON: last.get("usage"),
        Counts.EVERY: last.get("usage") if all(event.get("usage") for event in events) else None,
        Counts.X_GROQ: last.get("x_groq", {}).get("usage"),
    }
    assert holders[counts] == USAGE
    assert (before if counts is Counts.LAST else last)["choices"][0]["finish_reason"] == "stop"


async def test_without_usage_none_is_reported() -> None:
    assert not [event for event in await events_of(openai_chat.completion(*PARTS, usage=None)) if event.get("usage")]


async def test_a_server_that_ignores_stream_answers_whole() -> None:
    async with ChatUpstream() as upstream, connected(upstream.port) as client:
        upstream.script(openai_chat.completion(*PARTS, ignores_stream=True))
        client.post({"model": "m", "messages": ASK, "stream": True}, "/v1/chat/completions")
        head, body = await client.answer()
    assert b"content-type: application/json" in head
    assert json.loads(body)["choices"][0]["message"]["content"] == "It is five."


CALL = {"id": "call_1", "type": "function", "function": {"name": "Bash", "arguments": "{}"}}
CALLED: Json = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "five"}
TOOL = {"type": "function", "function": {"name": "Bash", "parameters": {"type": "object"}}}
REFUSED: dict[str, Json] = {
    "an unknown member": {"system": "Be brief."},
    "no tools": {"tools": []},
    "a choice without tools": {"tool_choice": "auto"},
    "a tool's odd name": {"tools": [{**TOOL, "function": {"name": "mcp.a", "parameters": {"type": "object"}}}]},
    "a schema of no object": {"tools": [{**TOOL, "function": {"name": "Bash", "parameters": {}}}]},
    "two limits": {"max_tokens": 1, "max_completion_tokens": 1},
    "five stop sequences": {"stop": list("abcde")},
    "a long user": {"user": "u" * 65},
    "a result without its call": {"messages": [*ASK, RESULT]},
    "a result given twice": {"messages": [CALLED, RESULT, RESULT]},
    "a call without its result": {"messages": [CALLED]},
    "text before a result": {"messages": [CALLED, *ASK, RESULT]},
    "a call's long id": {"messages": [{**CALLED, "tool_calls": [{**CALL, "id": "c" * 41}]}]},
    "an unknown member of a message": {"messages": [{"role": "user", "content": "a", "cache_control": {}}]},
    "an unknown role": {"messages": [{"role": "thinker", "content": "a"}]},
    "no content": {"messages": [{"role": "user", "content": None}]},
    "an image in a result": {"messages": [CALLED, {**RESULT, "content": [{"type": "image_url"}]}]},
    "a block that is Anthropic's": {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
}


@pytest.mark.parametrize("odd", REFUSED.values(), ids=REFUSED)
def test_what_openai_refuses_is_refused(odd: Json) -> None:
    assert objection({"model": "m", "messages": ASK, **odd})


def test_another_servers_switch_is_taken() -> None:
    assert objection({"model": "m", "messages": ASK, "thinking": {"type": "disabled"}}) == ""


def test_what_openai_takes_is_taken() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    seen = {"role": "user", "content": [image, {"type": "text", "text": "see"}]}
    messages = [{"role": "system", "content": "Be brief."}, *ASK, CALLED, RESULT, seen]
    assert objection({"model": "m", "messages": messages, "tools": [TOOL], "tool_choice": "auto", "stream": True}) == ""


def test_the_members_that_are_taken_are_the_sdks() -> None:
    assert {"stream", *CompletionCreateParamsBase.__annotations__} >= TAKEN


async def test_a_refused_request_is_the_tests_failure() -> None:
    async with ChatUpstream() as upstream, connected(upstream.port) as client:
        upstream.script(openai_chat.completion(*PARTS))
        client.post({"model": "m", "messages": ASK, "system": "x"}, "/v1/chat/completions")
        head, body = await client.answer()
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"supplied: system" in body
        with pytest.raises(AssertionError, match="supplied: system"):
            upstream.forget()


async def test_a_forgotten_upstream_is_as_new() -> None:
    async with ChatUpstream() as upstream, connected(upstream.port) as client:
        upstream.script(openai_chat.completion(*PARTS))
        client.post({"model": "m", "messages": ASK}, "/v1/chat/completions")
        await client.answer()
        assert len(upstream.chats) == 1
        upstream.forget()
        assert upstream.chats == []
        upstream.script(openai_chat.completion(*PARTS))
        with pytest.raises(AssertionError):
            upstream.forget()
        upstream.forget()
