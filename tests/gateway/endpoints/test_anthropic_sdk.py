"""Anthropic's official client of Messages through the gateway, over an upstream of every dialect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from pydantic import BaseModel

from tests.gateway.endpoints.faces import CHAT, UPSTREAMS, Faces, Said, faces, refusal
from tests.upstream import Signal, openai_chat

each_upstream = pytest.mark.parametrize("dialect", UPSTREAMS)
translated = pytest.mark.parametrize("dialect", [name for name in UPSTREAMS if name != "anthropic"])
both = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])

SAID = Said("It is five.", "Let me see.", (("Bash", {"command": "ls -la"}, "call_1"), ("Plan", {}, "call_2")))
HI: list[Any] = [{"role": "user", "content": "How many?"}]
TOOLS: list[Any] = [{"name": name, "input_schema": {"type": "object"}} for name in ("Bash", "Plan")]
CALLS = [("call_1", "Bash", {"command": "ls -la"}), ("call_2", "Plan", {})]
THINKING: Any = {"type": "adaptive"}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Faces]:
    async with faces(tmp_path) as running:
        yield running


async def answer(client: anthropic.AsyncAnthropic, streamed: bool, **asked: Any) -> Any:
    """The SDK's own reading of a message, whole or accumulated."""
    asked = {"model": "claude-sonnet-5", "max_tokens": 4096, "messages": HI, **asked}
    if not streamed:
        return await client.messages.create(**asked)
    async with client.messages.stream(**asked) as stream:
        return await stream.get_final_message()


@each_upstream
@both
async def test_text_thinking_tools_and_usage(served: Faces, dialect: str, streamed: bool) -> None:
    served.upstreams[dialect].script(SAID.answer(dialect))
    async with served.messages(dialect) as client:
        message = await answer(client, streamed, tools=TOOLS, thinking=THINKING)
    thought, text, *calls = message.content
    assert (thought.type, thought.thinking, bool(thought.signature)) == ("thinking", "Let me see.", True)
    assert (text.type, text.text) == ("text", "It is five.")
    assert [(call.id, call.name, call.input) for call in calls] == CALLS
    assert (message.stop_reason, message.model, message.role) == ("tool_use", "claude-sonnet-5", "assistant")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens) == (16, 5)
    assert usage.output_tokens in (7, 8)
    assert served.asked(dialect)["model"] == UPSTREAMS[dialect].partition("/")[2]


@each_upstream
async def test_the_events_of_a_stream(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(SAID.answer(dialect))
    async with (
        served.messages(dialect) as client,
        client.messages.stream(
            model="claude-sonnet-5", max_tokens=4096, messages=HI, tools=TOOLS, thinking=THINKING
        ) as stream,
    ):
        events = [event async for event in stream]
    kinds = [str(event.type) for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert (kinds.count("content_block_start"), kinds.count("content_block_stop")) == (4, 4)
    order = [kind for kind in dict.fromkeys(kinds) if kind in ("thinking", "signature", "text", "input_json")]
    assert order == ["thinking", "signature", "text", "input_json"]
    starts = [event.index for event in events if event.type == "content_block_start"]
    assert starts == [0, 1, 2, 3]


@each_upstream
@both
async def test_a_conversation_goes_back_with_its_thoughts(served: Faces, dialect: str, streamed: bool) -> None:
    served.upstreams[dialect].script(SAID.answer(dialect), Said("Five, then.").answer(dialect))
    results: list[Any] = [
        {"type": "tool_result", "tool_use_id": each[0], "content": f"out of {each[0]}"} for each in CALLS
    ]
    async with served.messages(dialect) as client:
        first = await answer(client, streamed, tools=TOOLS, thinking=THINKING)
        turns = [*HI, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
        second = await answer(client, streamed, messages=turns, tools=TOOLS, thinking=THINKING)
    assert [block.text for block in second.content] == ["Five, then."]
    asked = served.asked(dialect)
    sent = json.dumps(asked, ensure_ascii=False)
    assert sent.count("out of call_1") == sent.count("out of call_2") == 1
    assert sent.index("It is five.") < sent.index("ls -la") < sent.index("out of call_1") < sent.index("out of call_2")
    if dialect in CHAT:
        assert asked["messages"][1]["reasoning_content"] == "Let me see."
    if dialect == "openai_responses":
        assert asked["input"][1]["type"] == "reasoning"


class Count(BaseModel):
    """What the structured answers are."""

    number: int
    unit: str


@each_upstream
@both
async def test_a_structured_answer_is_parsed(served: Faces, dialect: str, streamed: bool) -> None:
    served.upstreams[dialect].script(Said('{"number": 5, "unit": "files"}').answer(dialect))
    async with served.messages(dialect) as client:
        if streamed:
            message = await answer(client, True, output_format=Count)
        else:
            message = await client.messages.parse(
                model="claude-sonnet-5", max_tokens=99, messages=HI, output_format=Count
            )
    assert message.parsed_output == Count(number=5, unit="files")
    asked = served.asked(dialect)
    forms: dict[str, Any] = {
        "anthropic": lambda: asked["output_config"]["format"]["schema"],
        **dict.fromkeys(CHAT, lambda: asked["response_format"]["json_schema"]["schema"]),
        "openai_responses": lambda: asked["text"]["format"]["schema"],
    }
    assert set(forms[dialect]()["properties"]) == {"number", "unit"}


@each_upstream
async def test_images_and_documents_arrive(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(Said("A dot.").answer(dialect))
    content: list[Any] = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "It is red."}},
    ]
    async with served.messages(dialect) as client:
        await answer(client, False, messages=[{"role": "user", "content": content}])
    sent = json.dumps(served.asked(dialect))
    files = 0 if dialect == "openai_chat" else 1  # this row does not say that it takes them
    assert (sent.count("iVBORw0KGgo="), sent.count("JVBERi0="), sent.count("It is red.")) == (1, files, 1)


@translated
async def test_what_could_not_be_carried_is_named(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(Said("Five.").answer(dialect))
    async with served.messages(dialect) as client:
        reply = await client.messages.with_raw_response.create(
            model="claude-sonnet-5", max_tokens=99, messages=HI, inference_geo="us", extra_body={"top_k": 5}
        )
    assert reply.headers["x-keyturn-lost"] == "inference_geo, top_k"


@both
async def test_what_of_an_answer_could_not_be_carried_is_named(served: Faces, streamed: bool) -> None:
    """In the headers, where they have not gone, and in the count."""
    shown = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}}]
    pieces: list[Any] = [{"content": "See."}, {"images": shown}]
    frames = [*(openai_chat.chunk(piece) for piece in pieces), openai_chat.chunk({}, finish_reason="stop")]
    served.upstreams["openai_chat"].script(openai_chat.stream(*frames, openai_chat.DONE))
    async with served.gateway.client(token="freecc:house/gpt-5") as client:
        reply = await client.post(
            "/v1/messages", json={"model": "m", "max_tokens": 9, "messages": HI, "stream": streamed}
        )
    assert "See." in reply.text
    assert reply.headers.get("x-keyturn-lost") == (None if streamed else "answer.images")
    assert await served.gateway.metric("keyturn_lost_total", provider="house", field="answer") == 1


@each_upstream
@both
@pytest.mark.parametrize(
    ("status", "raised", "shown"),
    [
        (400, anthropic.BadRequestError, 400),
        (403, anthropic.InternalServerError, 502),
        (404, anthropic.NotFoundError, 404),
        (429, anthropic.RateLimitError, 429),
        (500, anthropic.InternalServerError, 500),
    ],
)
async def test_errors_wear_anthropics_shape(
    served: Faces, dialect: str, streamed: bool, status: int, raised: type[anthropic.APIStatusError], shown: int
) -> None:
    served.upstreams[dialect].script(refusal(dialect, status, "their words"))
    async with served.messages(dialect) as client:
        with pytest.raises(raised) as failed:
            await client.messages.create(model="m", max_tokens=9, messages=HI, stream=streamed)
    assert (failed.value.status_code, bool(failed.value.request_id)) == (shown, True)
    assert "their words" in str(failed.value)


async def _read(stream: Any, kinds: list[str], seen: Signal) -> None:
    """``seen`` is set once there is text."""
    async for event in stream:
        kinds.append(event.type)
        if event.type == "content_block_delta":
            seen.set()


@each_upstream
async def test_a_cut_is_an_error_and_closes_nothing(served: Faces, dialect: str) -> None:
    seen, kinds = Signal(), list[str]()
    served.upstreams[dialect].script(Said("The first half").half(dialect, seen))
    async with served.messages(dialect) as client:
        stream = await client.messages.create(model="m", max_tokens=9, messages=HI, stream=True)
        with pytest.raises(anthropic.APIStatusError, match="Provider"):
            await _read(stream, kinds, seen)
    assert kinds[-1] == "content_block_delta"
    assert not {"content_block_stop", "message_delta", "message_stop"} & set(kinds)


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_row", "openai_responses"])
@both
async def test_a_refusal_is_text_and_a_reason(served: Faces, dialect: str, streamed: bool) -> None:
    served.upstreams[dialect].script(Said(refusal="I would rather not.").answer(dialect))
    async with served.messages(dialect) as client:
        message = await answer(client, streamed)
    assert ([block.text for block in message.content], message.stop_reason) == (["I would rather not."], "refusal")


@translated
async def test_tokens_are_counted(served: Faces, dialect: str) -> None:
    async with served.messages(dialect) as client:
        counted = await client.messages.count_tokens(model="claude-sonnet-5", messages=HI)
    assert 0 < counted.input_tokens < 100
