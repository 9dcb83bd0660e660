"""A provider that speaks its row's dialect or another: the first 404 decides, and only the first call pays for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway_process import ONE_ATTEMPT
from tests.serving import Gateway, ask, refusal, serving
from tests.upstream import Answer, ChatUpstream, ScriptedServer, json_reply, message, text
from tests.upstream import openai_chat as chat
from tests.upstream import openai_responses as responses

KEY = "friendli-0123456789abcdef"
MESSAGES, CHAT = "/serverless/v1/messages", "/serverless/v1/chat/completions"
UNKNOWN = json_reply({"detail": "Not Found"}, 404)
NO_MODEL = json_reply({"error": {"message": "The model 'x' does not exist", "code": "model_not_found"}}, 404)


@pytest.fixture
def upstream() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def serve(home: Path, upstream: ScriptedServer, **environ: str) -> AbstractAsyncContextManager[Gateway]:
    settings = {
        "FRIENDLIAI_API_KEY": KEY,
        "FRIENDLIAI_BASE_URL": f"{upstream.url}/serverless/v1",
        "MODEL": "friendliai/zai-org/GLM-5.3",
        "ANTHROPIC_AUTH_TOKEN": "freecc",
        **environ,
    }
    return serving(home, settings | ONE_ATTEMPT)


async def post(gateway: Gateway, **more: Any) -> httpx.Response:
    async with gateway.client() as client:
        return await client.post("/v1/messages", json=ask("Hi", **more))


def asked(upstream: ScriptedServer) -> list[str]:
    return [request.path for request in upstream.requests]


def answers(upstream: ScriptedServer, messages: Answer, chats: Answer) -> None:
    upstream.on(MESSAGES, messages)
    upstream.on(CHAT, chats)


async def test_only_the_first_call_pays(upstream: ScriptedServer, tmp_path: Path) -> None:
    answers(upstream, UNKNOWN, chat.completion(chat.reasoning("Hm."), chat.text("Fine.")))
    async with serve(tmp_path, upstream) as gateway:
        first = await post(gateway)
        second = await post(gateway, stream=True)
    assert asked(upstream) == [MESSAGES, CHAT, CHAT]
    assert {request.header("authorization") for request in upstream.requests} == {f"Bearer {KEY}"}
    assert upstream.requests[1].json["parse_reasoning"] is True  # the row's way of asking in this dialect
    assert first.json()["content"][-1] == {"type": "text", "text": "Fine."}
    assert (first.headers["x-keyturn-provider"], first.headers["x-keyturn-attempts"]) == ("friendliai", "2")
    assert second.headers["x-keyturn-attempts"] == "1"
    assert b"event: message_stop" in second.content


async def test_what_answers_in_its_rows_dialect_stays_there(upstream: ScriptedServer, tmp_path: Path) -> None:
    upstream.on(CHAT, chat.completion(chat.text("Never.")))
    upstream.script(message(text("Fine.")), UNKNOWN, message(text("Again.")))
    async with serve(tmp_path, upstream) as gateway:
        await post(gateway)
        refusal(await post(gateway), 404)
        last = await post(gateway)
    assert asked(upstream) == [MESSAGES] * 3
    assert last.json()["content"] == [{"type": "text", "text": "Again."}]


async def test_a_404_in_both_is_neither_dialects_fault(upstream: ScriptedServer, tmp_path: Path) -> None:
    answers(upstream, UNKNOWN, UNKNOWN)
    async with serve(tmp_path, upstream) as gateway:
        assert "Not Found" in refusal(await post(gateway), 404)
        refusal(await post(gateway), 404)
    assert asked(upstream) == [MESSAGES, CHAT, MESSAGES, CHAT]


async def test_a_404_that_names_the_model_is_no_reason(upstream: ScriptedServer, tmp_path: Path) -> None:
    upstream.always(NO_MODEL)
    async with serve(tmp_path, upstream) as gateway:
        refusal(await post(gateway), 404)
    assert asked(upstream) == [MESSAGES]


async def test_a_dialect_that_an_operator_chose_is_kept(upstream: ScriptedServer, tmp_path: Path) -> None:
    upstream.always(UNKNOWN)
    async with serve(tmp_path, upstream, FRIENDLIAI_DIALECT="anthropic") as gateway:
        refusal(await post(gateway), 404)
    assert asked(upstream) == [MESSAGES]


async def test_calls_that_are_under_way_together_all_find_the_way(upstream: ScriptedServer, tmp_path: Path) -> None:
    answers(upstream, UNKNOWN, chat.completion(chat.text("Fine.")))
    async with serve(tmp_path, upstream) as gateway:
        replies = await asyncio.gather(*(post(gateway) for _ in range(6)))
    assert [reply.status_code for reply in replies] == [200] * 6
    assert asked(upstream).count(CHAT) == 6
    assert 1 <= asked(upstream).count(MESSAGES) <= 6


async def test_openais_models_think_with_tools_in_responses(upstream: ScriptedServer, tmp_path: Path) -> None:
    upstream.script(responses.response(responses.reasoning("Hm."), responses.call("Bash", {"command": "ls"}, "call_1")))
    openai = {
        "OPENAI_API_KEY": KEY[::-1],
        "OPENAI_BASE_URL": f"{upstream.url}/v1",
        "OPENAI_DIALECT": "openai_responses",
        "MODEL": "openai/gpt-5.6-sol",
    }
    tools = [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}]
    wish: dict[str, Any] = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}, "tools": tools}
    async with serve(tmp_path, upstream, **openai) as gateway:
        reply = await post(gateway, **wish)
    [request] = upstream.requests
    assert request.target == "/v1/responses"
    assert request.json["reasoning"]["effort"] == "high"
    assert [tool["name"] for tool in request.json["tools"]] == ["Bash"]
    assert [block["type"] for block in reply.json()["content"]] == ["thinking", "tool_use"]


async def test_in_chat_completions_the_same_models_do_not(tmp_path: Path) -> None:
    async with ChatUpstream() as upstream:
        upstream.script(chat.completion(chat.call("Bash", {"command": "ls"}, "call_1")))
        openai = {"OPENAI_API_KEY": KEY[::-1], "OPENAI_BASE_URL": upstream.base_url, "MODEL": "openai/gpt-5.6-sol"}
        tools = [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}]
        wish: dict[str, Any] = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}, "tools": tools}
        async with serve(tmp_path, upstream, **openai) as gateway:
            reply = await post(gateway, **wish)
        assert upstream.requests[0].json["reasoning_effort"] == "none"
        assert reply.headers["x-keyturn-lost"] == "thinking"
