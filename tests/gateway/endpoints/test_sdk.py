"""Anthropic's official client through the gateway: its types accept what comes, its exceptions fit what fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest

from tests.serving import Gateway
from tests.upstream import (
    Cut,
    Pause,
    Upstream,
    block,
    error,
    error_event,
    message,
    message_start,
    stream,
    text,
    thinking,
    tool_use,
)

THOUGHT = thinking("Which file?", "c2lnbmF0dXJl")
CALL = tool_use("read", {"path": "/home/a b", "lines": [1, 2]}, "toolu_1")
TOOL: Any = {"name": "read", "description": "Read a file", "input_schema": {"type": "object", "properties": {}}}
ASKED: Any = {
    "model": "claude-opus-4-8",
    "max_tokens": 4000,
    "messages": [{"role": "user", "content": "Read it"}],
    "tools": [TOOL],
    "thinking": {"type": "enabled", "budget_tokens": 2000},
}


@pytest.fixture
async def sdk(gateway: Gateway) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key="freecc", max_retries=0) as client:
        yield client


async def test_a_whole_message(sdk: anthropic.AsyncAnthropic, upstream: Upstream) -> None:
    upstream.script(
        message(THOUGHT, text("Reading."), CALL, usage={"input_tokens": 5}, late_usage={"output_tokens": 9})
    )
    answer = await sdk.messages.create(**ASKED)
    assert [block.to_dict() for block in answer.content] == [THOUGHT.whole, text("Reading.").whole, CALL.whole]
    assert (answer.model, answer.stop_reason) == ("claude-opus-4-8", "tool_use")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 9)
    sent = upstream.requests[0].json
    assert (sent["tools"], sent["thinking"]) == ([TOOL], ASKED["thinking"])


async def test_a_streamed_message(sdk: anthropic.AsyncAnthropic, upstream: Upstream) -> None:
    upstream.script(message(THOUGHT, text("Reading.", pieces=4), CALL, late_usage={"output_tokens": 9}))
    async with sdk.messages.stream(**ASKED) as streamed:
        kinds = [event.type async for event in streamed]
        answer = await streamed.get_final_message()
    assert [block.to_dict() for block in answer.content] == [THOUGHT.whole, text("Reading.").whole, CALL.whole]
    assert answer.usage.output_tokens == 9
    assert kinds[-1] == "message_stop"


async def test_the_answer_of_a_tool_goes_back(sdk: anthropic.AsyncAnthropic, upstream: Upstream) -> None:
    upstream.script(message(THOUGHT, CALL), message(text("Done")))
    first = await sdk.messages.create(**ASKED)
    result: Any = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "the file"}
    turns = [
        *ASKED["messages"],
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    second = await sdk.messages.create(**{**ASKED, "messages": turns})
    assert second.content[0].to_dict() == text("Done").whole
    assert upstream.requests[1].json["messages"][1]["content"] == [THOUGHT.whole, CALL.whole]
    assert upstream.requests[1].json["messages"][2]["content"] == [result]


async def test_counting(sdk: anthropic.AsyncAnthropic) -> None:
    counted = await sdk.messages.count_tokens(model="claude-opus-4-8", messages=ASKED["messages"])
    assert counted.input_tokens == 321


@pytest.mark.parametrize(
    ("status", "kind", "raised", "shown"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError, 400),
        (401, "authentication_error", anthropic.InternalServerError, 502),
        (403, "permission_error", anthropic.InternalServerError, 502),
        (404, "not_found_error", anthropic.NotFoundError, 404),
        (413, "request_too_large", anthropic.RequestTooLargeError, 413),
        (422, "invalid_request_error", anthropic.UnprocessableEntityError, 422),
        (429, "rate_limit_error", anthropic.RateLimitError, 429),
        (500, "api_error", anthropic.InternalServerError, 500),
        (503, "api_error", anthropic.InternalServerError, 503),
        (529, "overloaded_error", anthropic.InternalServerError, 529),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_errors(
    sdk: anthropic.AsyncAnthropic,
    upstream: Upstream,
    status: int,
    kind: str,
    raised: type[anthropic.APIStatusError],
    shown: int,
    streamed: bool,
) -> None:
    upstream.script(error(status, kind, "their words"))
    with pytest.raises(raised) as failed:
        await sdk.messages.create(**ASKED, stream=streamed)
    assert failed.value.status_code == shown
    assert "their words" in str(failed.value)
    assert failed.value.request_id


async def test_a_wrong_token(gateway: Gateway) -> None:
    async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key="wrong", max_retries=3) as client:
        with pytest.raises(anthropic.AuthenticationError):
            await client.messages.create(**ASKED)
    # x-should-retry: false kept it from trying again
    assert await gateway.metric("keyturn_requests_total", outcome="error") == 1


@pytest.mark.parametrize("last", [(Cut(),), (error_event("api_error", "their words"),)], ids=["cut", "error event"])
async def test_a_stream_that_breaks(
    sdk: anthropic.AsyncAnthropic, upstream: Upstream, last: tuple[bytes | Cut, ...]
) -> None:
    begun = [message_start("m"), *block(0, text("The first half"))[:-1]]
    upstream.script(stream(*begun, Pause(0.05), *last))
    events = aiter(await sdk.messages.create(**ASKED, stream=True))
    got = [(await anext(events)).type for _ in begun]
    with pytest.raises(anthropic.APIStatusError) as failed:
        await anext(events)
    assert got[0] == "message_start"
    assert "message_stop" not in got
    assert "Provider anthropic" in str(failed.value)
