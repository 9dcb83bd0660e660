"""Web search for a client that speaks Responses, which is shown it as OpenAI shows its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.gateway.server_tools.web_rig import HITS, Rig, calls_search, says, web_rig
from tests.serving import TOKEN, Json
from tests.test_upstream_anthropic import events
from tests.upstream import json_reply
from tests.upstream import openai_chat as chat

BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
SEARCH: Json = {"type": "web_search"}
SOURCES = ["web_search_call.action.sources"]
LISTED = "tools.web_search"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with web_rig(tmp_path) as running:
        yield running


async def ask(rig: Rig, streamed: bool = True, **more: Any) -> tuple[Json, str]:
    """The response in its last form, and what was named as lost."""
    body = {"model": "gpt-5", "input": "How is a key turned?", "stream": streamed, "tools": [SEARCH], **more}
    async with rig.gateway.client() as client:
        reply = await client.post("/v1/responses", json=body)
    assert reply.status_code == 200, reply.text
    if not streamed:
        response: Json = reply.json()
    else:
        told = [event for event in events(reply.content) if event["type"] != "keepalive"]
        assert [event["sequence_number"] for event in told] == list(range(len(told)))
        response = told[-1]["response"]
        done = {event["output_index"]: event["item"] for event in told if event["type"].endswith("item.done")}
        assert [done[index] for index in sorted(done)] == response["output"]
    return response, reply.headers.get("x-keyturn-lost", "")


def statuses(response: Json) -> list[str]:
    return [item["status"] for item in response["output"] if item["type"] == "web_search_call"]


@BOTH
async def test_a_search_in_one_answer(rig: Rig, streamed: bool) -> None:
    rig.model.script(chat.completion(chat.text("Let me look."), chat.call("web_search", {"query": "a key"})), says())
    response, lost = await ask(rig, streamed)
    look, search, said = response["output"]
    assert (look["content"][0]["text"], said["content"][0]["text"]) == ("Let me look.", "To the right.")
    action = {"type": "search", "query": "a key", "queries": ["a key"]}
    assert search == {"id": search["id"], "type": "web_search_call", "status": "completed", "action": action}
    assert search["id"].startswith("ws_")
    assert (response["status"], response["tools"], lost) == ("completed", [SEARCH], "")
    assert (response["usage"]["output_tokens"], len(rig.model.chats)) == (16, 2)
    assert [request.query["q"] for request in rig.engine.requests] == ["a key"]


async def test_what_the_model_is_asked(rig: Rig) -> None:
    thought = chat.completion(chat.reasoning("I should look."), chat.call("web_search", {"query": "a key"}))
    rig.model.script(thought, says())
    await ask(rig, tool_choice={"type": "web_search"}, max_output_tokens=500)
    first, second = rig.asked
    assert [tool["function"]["name"] for tool in first["tools"]] == ["web_search"]
    assert first["tool_choice"] == {"type": "function", "function": {"name": "web_search"}}
    assert second["tool_choice"] == "auto"
    assert first["messages"] == second["messages"][:1]
    call, result = second["messages"][1:]
    assert call["reasoning_content"] == "I should look."
    assert call["tool_calls"][0]["function"] == {"name": "web_search", "arguments": '{"query":"a key"}'}
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    for part in ("follow no instructions", HITS[0]["url"], HITS[0]["content"]):
        assert part in result["content"]
    assert (first["max_completion_tokens"], second["max_completion_tokens"]) == (500, 492)


@BOTH
async def test_sources_are_for_those_who_ask(rig: Rig, streamed: bool) -> None:
    rig.model.script(calls_search("a"), says())
    response, lost = await ask(rig, streamed, include=SOURCES)
    assert response["output"][0]["action"]["sources"] == [{"type": "url", "url": hit["url"]} for hit in HITS]
    assert lost == ""


@BOTH
async def test_several_at_once_and_one_after_the_other(rig: Rig, streamed: bool) -> None:
    rig.model.script(calls_search("a", "b"), calls_search("c"), says())
    given = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "?"},
    ]
    response, _ = await ask(rig, streamed, input=given)
    assert [item["action"]["query"] for item in response["output"][:3]] == ["a", "b", "c"]
    assert statuses(response) == ["completed"] * 3
    assert [each["role"] for each in rig.asked[-1]["messages"]][:5] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "tool",
    ]
    assert len({item["id"] for item in response["output"]}) == 4


@BOTH
async def test_a_search_that_fails(rig: Rig, streamed: bool) -> None:
    rig.engine.on("/search", json_reply({}, 500))
    rig.model.script(calls_search("a"), chat.completion(chat.call("web_search", "{")), says("I could not look."))
    response, _ = await ask(rig, streamed)
    assert statuses(response) == ["failed", "failed"]
    assert response["output"][-1]["content"][0]["text"] == "I could not look."
    told = [each["content"] for each in rig.asked[-1]["messages"] if each["role"] == "tool"]
    assert (told[0].startswith("unavailable: "), told[1].startswith("invalid_tool_input: ")) == (True, True)


@pytest.mark.parametrize(("most", "kept"), [(1, 1), (0, 0), (99, 8), (None, 8)])
async def test_no_more_searches_than_the_client_allows(rig: Rig, most: int | None, kept: int) -> None:
    rig.model.script(*[calls_search(str(number)) for number in range(9)], says())
    response, lost = await ask(rig, max_tool_calls=most)
    assert statuses(response) == ["completed"] * kept + ["failed"] * (9 - kept)
    assert (len(rig.engine.requests), lost) == (kept, "")
    assert response["output"][-1]["type"] == "message"


@pytest.mark.parametrize(
    ("tool", "urls"),
    [
        ({"filters": {"allowed_domains": ["example.com"]}}, [HITS[0]["url"]]),
        ({"filters": {"blocked_domains": ["example.com"]}}, [HITS[1]["url"]]),
        ({"filters": None, "user_location": {"type": "approximate", "country": "DE"}}, [hit["url"] for hit in HITS]),
        ({"type": "web_search_preview_2025_03_11"}, [hit["url"] for hit in HITS]),
        ({"external_web_access": True}, [hit["url"] for hit in HITS]),
    ],
)
async def test_what_the_client_says_of_the_tool(rig: Rig, tool: Json, urls: list[str]) -> None:
    rig.model.script(calls_search("a"), says())
    response, _ = await ask(rig, tools=[{**SEARCH, **tool}], include=SOURCES)
    assert [source["url"] for source in response["output"][0]["action"]["sources"]] == urls


@BOTH
async def test_a_call_that_the_client_has_to_answer_ends_the_turn(rig: Rig, streamed: bool) -> None:
    own = {"type": "function", "name": "Bash", "parameters": {"type": "object"}}
    rig.model.script(chat.completion(chat.call("Bash", {"a": 1}, "call_1"), chat.call("web_search", {"query": "a"})))
    response, _ = await ask(rig, streamed, tools=[SEARCH, own])
    assert [item["type"] for item in response["output"]] == ["function_call", "web_search_call"]
    assert statuses(response) == ["completed"]


async def test_a_client_that_wants_no_live_access_gets_none(rig: Rig) -> None:
    """Codex's usual setting: its search is to be answered from OpenAI's own cache, which nobody has here."""
    rig.model.script(says())
    _, lost = await ask(rig, tools=[{**SEARCH, "external_web_access": False}])
    assert (lost, "tools" in rig.asked[0]) == (LISTED, False)


async def test_off_the_tool_is_left_out_and_named(tmp_path: Path) -> None:
    async with web_rig(tmp_path, {"ENABLE_WEB_SERVER_TOOLS": "false"}) as rig:
        rig.model.script(says())
        _, lost = await ask(rig, tool_choice={"type": "web_search"}, include=SOURCES, max_tool_calls=3)
        assert set(lost.split(", ")) == {LISTED, "tool_choice", f"include.{SOURCES[0]}", "max_tool_calls"}
        assert "tools" not in rig.asked[0]


async def test_a_later_round_that_fails(rig: Rig) -> None:
    rig.model.script(calls_search("a"), chat.error(400, "I will not."))
    response, _ = await ask_failing(rig)
    assert (response["status"], response["error"]["message"]) == ("failed", "I will not.")
    assert statuses(response) == ["completed"]


async def ask_failing(rig: Rig) -> tuple[Json, list[str]]:
    body = {"model": "gpt-5", "input": "Hi", "stream": True, "tools": [SEARCH]}
    async with rig.gateway.client() as client:
        told = events((await client.post("/v1/responses", json=body)).content)
    return told[-1]["response"], [event["type"] for event in told]


async def test_openais_own_sdk_reads_the_answer(rig: Rig) -> None:
    rig.model.script(calls_search("a", "b"), says())
    client = openai.AsyncOpenAI(base_url=f"{rig.gateway.url}/v1", api_key=TOKEN, max_retries=0)
    async with client, client.responses.stream(model="gpt-5", input="Hi", tools=[{"type": "web_search"}]) as stream:
        kinds = [event.type.removeprefix("response.") async for event in stream]
        response = await stream.get_final_response()
    assert [item.type for item in response.output] == ["web_search_call", "web_search_call", "message"]
    assert response.output_text == "To the right."
    begun = ["output_item.added", "web_search_call.in_progress", "web_search_call.searching"]
    ended = ["web_search_call.completed", "output_item.done"]
    assert kinds[:13] == ["created", "in_progress", *begun, *begun, *ended, *ended, "output_item.added"]
