"""OpenAI's official client of Chat Completions through the gateway, over an upstream of every dialect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.gateway.endpoints.faces import CHAT, UPSTREAMS, Faces, Json, Said, faces, refusal
from tests.upstream import Signal, json_reply

each_upstream = pytest.mark.parametrize("dialect", UPSTREAMS)
openai_like = pytest.mark.parametrize("dialect", [*CHAT, "openai_responses"])
both = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])

SAID = Said("It is five.", "Let me see.", (("Bash", {"command": "ls -la"}, "call_1"), ("Plan", {}, "call_2")))
HI: list[Any] = [{"role": "user", "content": "How many?"}]
TOOLS: list[Any] = [{"type": "function", "function": {"name": name}} for name in ("Bash", "Plan")]
PNG = "data:image/png;base64,iVBORw0KGgo="
CALLS = [("call_1", "Bash", {"command": "ls -la"}), ("call_2", "Plan", {})]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Faces]:
    async with faces(tmp_path) as running:
        yield running


async def answer(client: openai.AsyncOpenAI, streamed: bool, **asked: Any) -> Any:
    """The SDK's own reading of a completion, whole or accumulated."""
    asked = {"model": "gpt-4o", "messages": HI, **asked}
    if not streamed:
        return await client.chat.completions.create(**asked)
    async with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
        async for _ in stream:
            pass
        return await stream.get_final_completion()


@each_upstream
@both
async def test_text_reasoning_tools_and_usage(served: Faces, dialect: str, streamed: bool) -> None:
    served.upstreams[dialect].script(SAID.answer(dialect))
    async with served.sdk(dialect) as client:
        completion = await answer(client, streamed, tools=TOOLS)
    (choice,) = completion.choices
    message = choice.message
    assert (message.content, message.reasoning_content, message.refusal) == ("It is five.", "Let me see.", None)
    calls = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls]
    assert calls == CALLS
    assert (choice.finish_reason, completion.model, completion.object) == ("tool_calls", "gpt-4o", "chat.completion")
    usage = completion.usage
    assert (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens) == (21, 5)
    assert usage.completion_tokens in (7, 8)
    assert served.asked(dialect)["model"] == UPSTREAMS[dialect].partition("/")[2]


@each_upstream
async def test_the_events_of_a_stream(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(SAID.answer(dialect))
    async with (
        served.sdk(dialect) as client,
        client.chat.completions.stream(model="m", messages=HI, tools=TOOLS) as stream,
    ):
        kinds = [event.type async for event in stream if event.type != "chunk"]
    order = list(dict.fromkeys(kinds))
    assert order == [
        "content.delta",
        "tool_calls.function.arguments.delta",
        "content.done",
        "tool_calls.function.arguments.done",
    ] or order == [
        "content.delta",
        "content.done",
        "tool_calls.function.arguments.delta",
        "tool_calls.function.arguments.done",
    ]
    assert kinds.count("tool_calls.function.arguments.done") == 2


@each_upstream
@pytest.mark.parametrize("wanted", [True, False])
async def test_usage_is_streamed_where_it_is_asked_for(served: Faces, dialect: str, wanted: bool) -> None:
    served.upstreams[dialect].script(Said("Five.").answer(dialect))
    options: Any = {"stream_options": {"include_usage": True}} if wanted else {}
    async with served.sdk(dialect) as client:
        stream = await client.chat.completions.create(model="m", messages=HI, stream=True, **options)
        chunks = [chunk async for chunk in stream]
    assert bool(chunks[-1].usage) is wanted
    assert len([chunk for chunk in chunks if not chunk.choices]) == wanted
    assert await served.gateway.metric("keyturn_requests_total", route="/v1/chat/completions", outcome="ok") == 1


@each_upstream
@both
async def test_a_conversation_with_tools_goes_back(served: Faces, dialect: str, streamed: bool) -> None:
    served.upstreams[dialect].script(SAID.answer(dialect), Said("Five, then.").answer(dialect))
    async with served.sdk(dialect) as client:
        first = await answer(client, streamed, tools=TOOLS)
        said = first.choices[0].message.model_dump(exclude_none=True, exclude={"parsed"})
        results = [{"role": "tool", "tool_call_id": each[0], "content": f"out of {each[0]}"} for each in CALLS]
        second = await answer(client, streamed, messages=[*HI, _unparsed(said), *results], tools=TOOLS)
    assert second.choices[0].message.content == "Five, then."
    sent = json.dumps(served.asked(dialect), ensure_ascii=False)
    assert sent.count("out of call_1") == sent.count("out of call_2") == 1
    assert sent.index("It is five.") < sent.index("ls -la") < sent.index("out of call_1") < sent.index("out of call_2")


def _unparsed(said: Json) -> Json:
    """What the SDK's helpers add to a call is no part of a request."""
    calls = [{**each, "function": _without(each["function"], "parsed_arguments")} for each in said["tool_calls"]]
    return {**said, "tool_calls": [_without(each, "index") for each in calls]}


def _without(value: Json, name: str) -> Json:
    return {key: each for key, each in value.items() if key != name}


class Count(BaseModel):
    """What the structured answers are."""

    number: int
    unit: str


@each_upstream
@both
async def test_a_structured_answer_is_parsed(served: Faces, dialect: str, streamed: bool) -> None:
    served.upstreams[dialect].script(Said('{"number": 5, "unit": "files"}').answer(dialect))
    async with served.sdk(dialect) as client:
        if streamed:
            completion = await answer(client, True, response_format=Count)
        else:
            completion = await client.chat.completions.parse(model="m", messages=HI, response_format=Count)
    assert completion.choices[0].message.parsed == Count(number=5, unit="files")
    asked = served.asked(dialect)
    forms: dict[str, Any] = {
        "anthropic": lambda: asked["output_config"]["format"]["schema"],
        **dict.fromkeys(CHAT, lambda: asked["response_format"]["json_schema"]["schema"]),
        "openai_responses": lambda: asked["text"]["format"]["schema"],
    }
    assert set(forms[dialect]()["properties"]) == {"number", "unit"}


@each_upstream
async def test_arguments_of_a_strict_tool_are_parsed(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(Said(calls=(("Count", {"number": 5, "unit": "files"}, "call_1"),)).answer(dialect))
    tool: Any = openai.pydantic_function_tool(Count)
    async with served.sdk(dialect) as client:
        completion = await client.chat.completions.parse(model="m", messages=HI, tools=[tool])
    (call,) = completion.choices[0].message.tool_calls or []
    assert call.function.parsed_arguments == Count(number=5, unit="files")


@openai_like
@both
async def test_a_refusal_is_told_as_one(served: Faces, dialect: str, streamed: bool) -> None:
    """What ``parse`` gives instead of an answer; a filter's word for it would raise."""
    served.upstreams[dialect].script(Said(refusal="I would rather not.").answer(dialect))
    async with served.sdk(dialect) as client:
        if streamed:
            completion = await answer(client, True, response_format=Count)
        else:
            completion = await client.chat.completions.parse(model="m", messages=HI, response_format=Count)
    (choice,) = completion.choices
    assert (choice.message.refusal, choice.message.content or None) == ("I would rather not.", None)
    assert (choice.message.parsed, choice.finish_reason) == (None, "stop")


@openai_like
async def test_the_events_of_a_refusal(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(Said(refusal="I would rather not.").answer(dialect))
    async with served.sdk(dialect) as client, client.chat.completions.stream(model="m", messages=HI) as stream:
        events = [event async for event in stream if event.type != "chunk"]
    assert events[0].type == "content.delta"  # an empty one, with the role
    assert list(dict.fromkeys(event.type for event in events[1:])) == ["refusal.delta", "refusal.done"]


@each_upstream
async def test_the_events_of_a_structured_answer(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(Said('{"number": 5, "unit": "files"}').answer(dialect))
    async with (
        served.sdk(dialect) as client,
        client.chat.completions.stream(model="m", messages=HI, response_format=Count) as stream,
    ):
        events = [event async for event in stream if event.type != "chunk"]
    kinds = [event.type for event in events]
    assert list(dict.fromkeys(kinds)) == ["content.delta", "content.done"]
    assert getattr(events[-1], "parsed", None) == Count(number=5, unit="files")


@openai_like
async def test_openais_own_members_arrive(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(Said('{"number": 5}').answer(dialect))
    async with served.sdk(dialect) as client:
        reply = await client.chat.completions.with_raw_response.create(
            model="m",
            messages=HI,
            response_format={"type": "json_object"},
            verbosity="low",
            prompt_cache_key="k",
            service_tier="flex",
            metadata={"a": "b"},
        )
    assert "x-keyturn-lost" not in reply.headers
    asked = served.asked(dialect)
    assert (asked["prompt_cache_key"], asked["service_tier"], asked["metadata"]) == ("k", "flex", {"a": "b"})
    if dialect == "openai_responses":
        assert asked["text"] == {"format": {"type": "json_object"}, "verbosity": "low"}
    else:
        assert (asked["response_format"], asked["verbosity"]) == ({"type": "json_object"}, "low")


@each_upstream
async def test_images_arrive(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(Said("A dot.").answer(dialect))
    content = [{"type": "text", "text": "See."}, {"type": "image_url", "image_url": {"url": PNG}}]
    async with served.sdk(dialect) as client:
        await answer(client, False, messages=[{"role": "user", "content": content}])
    sent = json.dumps(served.asked(dialect))
    assert sent.count("iVBORw0KGgo=") == 1
    assert ("data:image/png" in sent) is (dialect != "anthropic")


@each_upstream
@both
@pytest.mark.parametrize(
    ("status", "raised", "shown"),
    [
        (400, openai.BadRequestError, 400),
        (401, openai.InternalServerError, 502),
        (404, openai.NotFoundError, 404),
        (413, openai.APIStatusError, 413),
        (422, openai.UnprocessableEntityError, 422),
        (429, openai.RateLimitError, 429),
        (500, openai.InternalServerError, 500),
        (503, openai.InternalServerError, 503),
    ],
)
async def test_errors_wear_openais_shape(
    served: Faces, dialect: str, streamed: bool, status: int, raised: type[openai.APIStatusError], shown: int
) -> None:
    served.upstreams[dialect].script(refusal(dialect, status, "their words"))
    async with served.sdk(dialect) as client:
        with pytest.raises(raised) as failed:
            await client.chat.completions.create(model="m", messages=HI, stream=streamed)
    assert failed.value.status_code == shown
    assert "their words" in failed.value.message
    body: Any = failed.value.body
    assert set(body) == {"message", "type", "param", "code"}
    assert failed.value.response.headers["request-id"]


@pytest.mark.parametrize("dialect", CHAT)
@pytest.mark.parametrize(
    ("status", "code", "param", "shown"),
    [
        (400, "unsupported_value", "temperature", ("unsupported_value", "temperature")),
        (404, "model_not_found", None, ("model_not_found", None)),
        (404, None, None, ("not_found_error", None)),
        (400, 400, "a sentence, no name", ("invalid_request_error", None)),
        (429, "tokens_of_theirs", None, ("rate_limit_exceeded", None)),
    ],
)
async def test_an_upstreams_code_and_field_arrive(
    served: Faces, dialect: str, status: int, code: Any, param: str | None, shown: tuple[str, str | None]
) -> None:
    said = {"message": "their words", "type": "invalid_request_error", "param": param, "code": code}
    served.upstreams[dialect].always(json_reply({"error": said}, status))
    async with served.sdk(dialect) as client:
        with pytest.raises(openai.APIStatusError) as failed:
            await client.chat.completions.create(model="m", messages=HI)
    assert (failed.value.code, failed.value.param) == shown


async def _read(stream: Any, chunks: list[Any], seen: Signal) -> None:
    """``seen`` is set once there is text."""
    async for chunk in stream:
        chunks.append(chunk.choices[0])
        if chunks[-1].delta.content:
            seen.set()


@each_upstream
async def test_a_cut_is_an_error_and_no_end(served: Faces, dialect: str) -> None:
    seen, chunks = Signal(), list[Any]()
    served.upstreams[dialect].script(Said("The first half").half(dialect, seen))
    async with served.sdk(dialect) as client:
        stream = await client.chat.completions.create(model="m", messages=HI, stream=True)
        with pytest.raises(openai.APIError, match="Provider"):
            await _read(stream, chunks, seen)
    assert "".join(chunk.delta.content or "" for chunk in chunks) == "The fir"
    assert not any(chunk.finish_reason for chunk in chunks)


async def test_what_could_not_be_carried_is_named(served: Faces) -> None:
    served.upstreams["anthropic"].script(Said("Five.").answer("anthropic"))
    async with served.sdk("anthropic") as client:
        reply = await client.chat.completions.with_raw_response.create(
            model="m", messages=HI, temperature=1.5, stop="\n", seed=7, logprobs=True
        )
    assert reply.headers["x-keyturn-lost"] == "logprobs, seed, stop_sequences, temperature"
    assert served.asked("anthropic")["temperature"] == 1.0


async def test_what_only_openai_knows_passes_straight_through(served: Faces) -> None:
    served.upstreams["openai_chat"].script(Said("Five.").answer("openai_chat"))
    async with served.sdk("openai_chat") as client:
        reply = await client.chat.completions.with_raw_response.create(
            model="m", messages=HI, seed=7, logprobs=True, extra_body={"next_year": {"a": 1}}
        )
    assert "x-keyturn-lost" not in reply.headers
    asked = served.asked("openai_chat")
    assert (asked["seed"], asked["logprobs"], asked["next_year"]) == (7, True, {"a": 1})


async def test_what_a_row_knows_better_is_translated(served: Faces) -> None:
    served.upstreams["openai_row"].script(Said("Five.").answer("openai_row"))
    async with served.sdk("openai_row") as client:
        reply = await client.chat.completions.with_raw_response.create(
            model="m", messages=HI, seed=7, temperature=0.5, reasoning_effort="xhigh"
        )
    assert reply.headers["x-keyturn-lost"] == "temperature"
    asked = served.asked("openai_row")
    assert (asked["seed"], asked["reasoning_effort"], "temperature" in asked) == (7, "high", False)


async def test_a_model_without_a_tier_goes_to_the_default(served: Faces) -> None:
    served.upstreams["openai_chat"].script(Said("Five.").answer("openai_chat"))
    async with openai.AsyncOpenAI(base_url=f"{served.gateway.url}/v1", api_key="freecc", max_retries=0) as client:
        completion = await client.chat.completions.create(model="gpt-4o", messages=HI)
    assert (completion.model, served.asked("openai_chat")["model"]) == ("gpt-4o", "gpt-5")


async def test_a_model_of_a_provider_is_asked_there(served: Faces) -> None:
    served.upstreams["anthropic"].script(Said("Five.").answer("anthropic"))
    async with openai.AsyncOpenAI(base_url=f"{served.gateway.url}/v1", api_key="freecc", max_retries=0) as client:
        await client.chat.completions.create(model="anthropic/claude-opus-4-8", messages=HI)
    assert served.asked("anthropic")["model"] == "claude-opus-4-8"
