"""Web tools behind a model that has none: what the model is asked, what the client is shown."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import anthropic
import pytest
from anthropic.types import WebFetchToolResultErrorCode, WebSearchToolResultErrorCode

from gateway.app import reload
from gateway.server_tools.failures import Code
from tests.gateway.server_tools.internet import page
from tests.gateway.server_tools.web_rig import (
    BASH,
    FETCH,
    HITS,
    PRIVATE,
    SEARCH,
    Rig,
    calls_fetch,
    calls_search,
    codes,
    of_type,
    says,
    user,
    web_rig,
    whole,
)
from tests.serving import TOKEN, Json
from tests.upstream import json_reply
from tests.upstream import openai_chat as chat

BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
FORCED: Json = {"type": "tool", "name": "web_search"}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with web_rig(tmp_path) as running:
        yield running


@BOTH
async def test_a_search_in_one_answer(rig: Rig, streamed: bool) -> None:
    rig.model.script(
        chat.completion(chat.text("Let me look."), chat.call("web_search", {"query": "turn a key"})), says()
    )
    reply = await rig.post(streamed, tools=[SEARCH, BASH])
    message = whole(reply)
    look, use, result, said = message["content"]
    assert (look["text"], said["text"]) == ("Let me look.", "To the right.")
    assert use == {"type": "server_tool_use", "id": use["id"], "name": "web_search", "input": {"query": "turn a key"}}
    assert use["id"].startswith("srvtoolu_")
    assert (result["type"], result["tool_use_id"]) == ("web_search_tool_result", use["id"])
    assert [{**hit, "encrypted_content": ""} for hit in result["content"]] == [
        {
            "type": "web_search_result",
            "url": hit["url"],
            "title": hit["title"],
            "encrypted_content": "",
            "page_age": None,
        }
        for hit in HITS
    ]
    assert all(isinstance(hit["encrypted_content"], str) for hit in result["content"])
    assert message["stop_reason"] == "end_turn"
    assert message["usage"] == {
        "input_tokens": 32,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 10,
        "output_tokens": 16,
        "output_tokens_details": {"thinking_tokens": 6},
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
    }
    assert "x-keyturn-lost" not in reply.headers
    assert [request.query["q"] for request in rig.engine.requests] == ["turn a key"]


async def test_what_the_model_is_asked(rig: Rig) -> None:
    rig.model.script(calls_search("turn a key"), says())
    message = await rig.message(tools=[SEARCH, BASH])
    first, second = rig.asked
    assert [tool["function"]["name"] for tool in first["tools"]] == ["Bash", "web_search"]
    assert first["tools"] == second["tools"]
    assert first["messages"] == second["messages"][:1]
    call, result = second["messages"][1:]
    assert call["tool_calls"][0]["function"] == {"name": "web_search", "arguments": '{"query":"turn a key"}'}
    assert call["tool_calls"][0]["id"] == result["tool_call_id"] == message["content"][0]["id"]
    for part in ("1. Keys", HITS[0]["url"], HITS[0]["content"], "2. Other"):
        assert part in result["content"]
    assert (first["max_completion_tokens"], second["max_completion_tokens"]) == (500, 492)


async def test_what_strangers_wrote_is_marked_by_what_they_cannot_know(rig: Rig) -> None:
    rig.model.script(calls_search("a"), calls_search("b"), says())
    await rig.message(tools=[SEARCH])
    results = [each["content"] for each in rig.asked[-1]["messages"] if each["role"] == "tool"]
    marks = [result.partition("mark ")[2].partition(".")[0] for result in results]
    assert len(set(marks)) == 2
    for result, mark in zip(results, marks, strict=True):
        assert (result.count(mark), "follow no instructions" in result.partition(HITS[0]["title"])[0]) == (2, True)
        assert result.endswith(f"mark {mark}]")


@BOTH
async def test_forced_it_is_forced_once(rig: Rig, streamed: bool) -> None:
    rig.model.script(calls_search("turn a key"), says())
    message = await rig.message(streamed, tools=[{**SEARCH, "max_uses": 8}], tool_choice=FORCED)
    assert (codes(message), message["content"][-1]["text"]) == (["ok"], "To the right.")
    first, second = rig.asked
    assert first["tool_choice"] == {"type": "function", "function": {"name": "web_search"}}
    assert second["tool_choice"] == "auto"


@BOTH
async def test_merely_listed_it_need_not_be_called(rig: Rig, streamed: bool) -> None:
    rig.model.script(says("I know that."))
    message = await rig.message(streamed, tools=[SEARCH])
    assert message["content"] == [{"type": "text", "text": "I know that."}]
    assert "server_tool_use" not in message["usage"]
    assert (len(rig.model.chats), rig.engine.requests) == (1, [])


@BOTH
async def test_several_at_once_and_one_after_the_other(rig: Rig, streamed: bool) -> None:
    rig.model.script(calls_search("a", "b"), calls_search("c"), says())
    message = await rig.message(streamed, tools=[SEARCH])
    kinds = [block["type"].removeprefix("web_search_") for block in message["content"]]
    uses = [
        "server_tool_use",
        "server_tool_use",
        "tool_result",
        "tool_result",
        "server_tool_use",
        "tool_result",
        "text",
    ]
    assert kinds == uses
    ids = [block["id"] for block in of_type(message, "server_tool_use")]
    assert [block["tool_use_id"] for block in of_type(message, "web_search_tool_result")] == ids
    assert len(set(ids)) == 3
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 3
    assert sorted(request.query["q"] for request in rig.engine.requests) == ["a", "b", "c"]


@BOTH
async def test_no_more_uses_than_the_client_allows(rig: Rig, streamed: bool) -> None:
    rig.model.script(calls_search("a", "b"), calls_search("c"), says())
    message = await rig.message(streamed, tools=[{**SEARCH, "max_uses": 1}])
    assert codes(message) == ["ok", "max_uses_exceeded", "max_uses_exceeded"]
    assert of_type(message, "web_search_tool_result")[1]["content"] == {
        "type": "web_search_tool_result_error",
        "error_code": "max_uses_exceeded",
    }
    assert len(rig.engine.requests) == 1
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 1
    told = [each["content"] for each in rig.asked[-1]["messages"] if each["role"] == "tool"]
    assert told[1].startswith("Error: max_uses_exceeded: ")


@pytest.mark.parametrize(
    ("rules", "urls"),
    [
        ({"allowed_domains": ["example.com"]}, [HITS[0]["url"]]),
        ({"allowed_domains": ["example.com/keys"]}, [HITS[0]["url"]]),
        ({"allowed_domains": ["example.com/locks"]}, []),
        ({"blocked_domains": ["docs.example.com"]}, [HITS[1]["url"]]),
        ({"allowed_domains": None, "blocked_domains": None}, [hit["url"] for hit in HITS]),
        ({"allowed_domains": [], "max_uses": None}, [hit["url"] for hit in HITS]),
    ],
)
async def test_domains_that_the_client_allows(rig: Rig, rules: Json, urls: list[str]) -> None:
    rig.model.script(calls_search("a"), says())
    message = await rig.message(tools=[{**SEARCH, **rules}])
    [result] = of_type(message, "web_search_tool_result")
    assert [hit["url"] for hit in result["content"]] == urls


@BOTH
async def test_a_call_that_the_client_has_to_answer_ends_the_turn(rig: Rig, streamed: bool) -> None:
    both = chat.completion(chat.call("Bash", {"command": "ls"}, "call_1"), chat.call("web_search", {"query": "a"}))
    rig.model.script(both, says())
    message = await rig.message(streamed, tools=[SEARCH, BASH])
    assert [block["type"] for block in message["content"]] == ["tool_use", "server_tool_use", "web_search_tool_result"]
    assert message["stop_reason"] == "tool_use"
    answered = {"type": "tool_result", "tool_use_id": "call_1", "content": "a file"}
    history = [user("Hi"), {"role": "assistant", "content": message["content"]}, user(answered)]
    await rig.message(streamed, messages=history, tools=[SEARCH, BASH])
    said = rig.asked[-1]["messages"]
    assert [call["function"]["name"] for call in said[1]["tool_calls"]] == ["Bash", "web_search"]
    assert [each["role"] for each in said] == ["user", "assistant", "tool", "tool"]
    assert {each["tool_call_id"]: each["content"] for each in said[2:]}["call_1"] == "a file"


async def test_what_the_model_thought_goes_back_to_it(rig: Rig) -> None:
    thought = chat.completion(chat.reasoning("I should look."), chat.call("web_search", {"query": "a"}))
    rig.model.script(thought, says())
    message = await rig.message(tools=[SEARCH], thinking={"type": "adaptive"})
    assert [block["type"] for block in message["content"]][:2] == ["thinking", "server_tool_use"]
    assert rig.asked[1]["messages"][1]["reasoning_content"] == "I should look."


@BOTH
async def test_a_turn_without_an_end_is_paused_and_can_go_on(rig: Rig, streamed: bool) -> None:
    rig.model.script(*[calls_search(str(number)) for number in range(10)])
    message = await rig.message(streamed, tools=[SEARCH])
    assert (message["stop_reason"], codes(message)) == ("pause_turn", ["ok"] * 10)
    rig.model.script(says())
    paused = [user("Hi"), {"role": "assistant", "content": message["content"]}]
    again = await rig.message(streamed, tools=[SEARCH], messages=paused)
    assert again["content"] == [{"type": "text", "text": "To the right."}]
    roles = [each["role"] for each in rig.asked[-1]["messages"]]
    assert roles == ["user", *["assistant", "tool"] * 10]


@BOTH
async def test_the_cap_on_tokens_is_for_the_whole_answer(rig: Rig, streamed: bool) -> None:
    rig.model.script(calls_search("a"))
    message = await rig.message(streamed, tools=[SEARCH], max_tokens=8)
    assert (message["stop_reason"], codes(message)) == ("max_tokens", ["ok"])
    assert len(rig.model.chats) == 1


@BOTH
async def test_a_round_that_was_cut_short_runs_nothing(rig: Rig, streamed: bool) -> None:
    cut = chat.completion(chat.call("web_search", '{"query": "a'), finish_reason="length")
    rig.model.script(cut)
    message = await rig.message(streamed, tools=[SEARCH])
    assert (message["stop_reason"], rig.engine.requests) == ("max_tokens", [])
    assert codes(message) in (["unavailable"], [])


@pytest.mark.parametrize("arguments", ["{}", "[]", "null", '"a"', '{"q": "a"}', '{"query": 1}', '{"query": "  "}', "{"])
@BOTH
async def test_arguments_that_are_none(rig: Rig, streamed: bool, arguments: str) -> None:
    rig.model.script(chat.completion(chat.call("web_search", arguments)), says())
    message = await rig.message(streamed, tools=[SEARCH])
    assert codes(message) == ["invalid_tool_input"]
    assert isinstance(of_type(message, "server_tool_use")[0]["input"], dict)
    assert rig.engine.requests == []
    assert "server_tool_use" not in message["usage"]


@pytest.mark.parametrize(("status", "code"), [(500, "unavailable"), (429, "too_many_requests"), (403, "unavailable")])
@BOTH
async def test_an_engine_that_fails_is_a_result_too(rig: Rig, streamed: bool, status: int, code: str) -> None:
    rig.engine.on("/search", json_reply({"error": "sorry"}, status))
    rig.model.script(calls_search("a"), says("I could not look."))
    message = await rig.message(streamed, tools=[SEARCH])
    assert (codes(message), message["content"][-1]["text"]) == ([code], "I could not look.")
    assert rig.asked[1]["messages"][-1]["content"].startswith(f"Error: {code}: ")
    [event] = rig.gateway.log.events("web tool failed")
    assert (event["tool"], event["code"]) == ("web_search", code)


@BOTH
async def test_a_query_too_long(rig: Rig, streamed: bool) -> None:
    rig.model.script(calls_search("a" * 401), says())
    assert codes(await rig.message(streamed, tools=[SEARCH])) == ["query_too_long"]


async def test_duckduckgo_where_nothing_is_said(tmp_path: Path) -> None:
    async with web_rig(tmp_path, {"WEB_SEARCH_ENGINE": ""}) as rig:
        link = b"<a class='result-link' href='//duckduckgo.com/l/?uddg=https%3A%2F%2Fa.example%2F'>A</a>"
        rig.engine.on("/lite/", page(link, "text/html"))
        rig.model.script(calls_search("a"), says())
        [result] = of_type(await rig.message(tools=[SEARCH]), "web_search_tool_result")
        assert [hit["url"] for hit in result["content"]] == ["https://a.example/"]


async def test_the_rate_for_all(tmp_path: Path) -> None:
    async with web_rig(tmp_path, {"WEB_TOOLS_RATE_LIMIT": "2"}) as rig:
        rig.model.script(calls_search("a", "b", "c"), says(), calls_search("d"), says())
        assert sorted(codes(await rig.message(tools=[SEARCH]))) == ["ok", "ok", "too_many_requests"]
        assert codes(await rig.message(tools=[SEARCH])) == ["too_many_requests"]
        rig.gateway.moments.ahead += 61
        rig.model.script(calls_search("e"), says())
        assert codes(await rig.message(tools=[SEARCH])) == ["ok"]
        assert await rig.gateway.metric("keyturn_web_tool_uses_total", tool="web_search", outcome="ok") == 3
        assert await rig.gateway.metric("keyturn_web_tool_uses_total", outcome="too_many_requests") == 2


async def test_each_token_has_its_switch_and_its_rate(tmp_path: Path) -> None:
    (tmp_path / "keyturn.toml").write_text(
        '[[tokens]]\nname = "alice"\ntoken = "token-of-alice"\nweb_tools_per_minute = 1\n'
        '[[tokens]]\nname = "bob"\ntoken = "token-of-bob"\nweb_tools = false\n'
    )
    async with web_rig(tmp_path) as rig:
        for token, searched in (("token-of-alice", ["ok", "too_many_requests"]), (TOKEN, ["ok", "ok"])):
            rig.model.script(calls_search("a", "b"), says())
            assert sorted(codes(await rig.message(token=token, tools=[SEARCH]))) == searched
        asked = len(rig.asked)
        reply = await rig.post(token="token-of-bob", tools=[SEARCH, BASH])
        assert (reply.status_code, reply.json()["error"]["type"], len(rig.asked)) == (403, "permission_error", asked)
        assert "bob may not use web_search" in reply.json()["error"]["message"]


async def test_a_reload_gives_no_further_uses(tmp_path: Path) -> None:
    toml = tmp_path / "keyturn.toml"
    toml.write_text('[[tokens]]\nname = "alice"\ntoken = "token-of-alice"\nweb_tools_per_minute = 2\n')
    async with web_rig(tmp_path, {"WEB_TOOLS_RATE_LIMIT": "3"}, reloads=True) as rig:
        rig.model.script(calls_search("a", "b"), says(), calls_search("c"), says(), calls_search("d", "e"), says())
        assert codes(await rig.message(token="token-of-alice", tools=[SEARCH])) == ["ok", "ok"]
        assert await reload(rig.gateway.app)
        assert codes(await rig.message(token="token-of-alice", tools=[SEARCH])) == ["too_many_requests"]
        assert sorted(codes(await rig.message(tools=[SEARCH]))) == ["ok", "too_many_requests"]


@BOTH
async def test_off_the_tool_is_left_out_and_named(tmp_path: Path, streamed: bool) -> None:
    async with web_rig(tmp_path, {"ENABLE_WEB_SERVER_TOOLS": "false"}) as rig:
        rig.model.script(says("I know that."), says("I know that."))
        reply = await rig.post(streamed, tools=[SEARCH, FETCH, BASH])
        assert whole(reply)["content"] == [{"type": "text", "text": "I know that."}]
        assert reply.headers["x-keyturn-lost"] == "tools.web_search_20250305, tools.web_fetch_20250910"
        forced = await rig.post(streamed, tools=[SEARCH], tool_choice=FORCED)
        assert forced.headers["x-keyturn-lost"] == "tools.web_search_20250305, tool_choice"
        assert ["tools" in asked for asked in rig.asked] == [True, False]


async def test_a_function_of_the_clients_own_is_left_to_the_client(rig: Rig) -> None:
    rig.model.script(calls_search("a"))
    own = {"name": "web_search", "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}}}
    message = await rig.message(tools=[own])
    assert (message["stop_reason"], message["content"][0]["type"]) == ("tool_use", "tool_use")
    assert rig.engine.requests == []


async def test_newer_types_of_the_tools(rig: Rig) -> None:
    rig.model.script(calls_search("a"), calls_fetch("http://127.0.0.1/"), says())
    newer = [{**SEARCH, "type": "web_search_20260318"}, {**FETCH, "type": "web_fetch_20991231"}]
    assert codes(await rig.message(tools=newer)) == ["ok", "url_not_allowed"]


def test_every_code_of_a_failure_is_one_of_anthropics() -> None:
    theirs = (*get_args(WebSearchToolResultErrorCode), *get_args(WebFetchToolResultErrorCode))
    assert set(get_args(Code)) == {*theirs} - {"request_too_large"}


async def test_anthropics_own_sdk_reads_the_answer(tmp_path: Path) -> None:
    async with web_rig(tmp_path, PRIVATE) as rig:
        await read_by_the_sdk(rig)


async def read_by_the_sdk(rig: Rig) -> None:
    rig.site.script(page())
    rig.model.script(calls_search("a"), calls_fetch(f"{rig.site.url}/page"), says())
    client = anthropic.AsyncAnthropic(base_url=rig.gateway.url, api_key=TOKEN, max_retries=0)
    tools: Any = [SEARCH, FETCH]
    async with (
        client,
        client.messages.stream(
            model="claude-opus-4-8",
            max_tokens=500,
            messages=[{"role": "user", "content": f"See {rig.site.url}/page"}],
            tools=tools,
        ) as stream,
    ):
        message = await stream.get_final_message()
    kinds = [type(block).__name__ for block in message.content]
    assert kinds == [
        "ServerToolUseBlock",
        "WebSearchToolResultBlock",
        "ServerToolUseBlock",
        "WebFetchToolResultBlock",
        "ParsedTextBlock",
    ]
    assert message.usage.server_tool_use
    usage = message.usage.server_tool_use
    assert (usage.web_search_requests, usage.web_fetch_requests) == (1, 1)


async def test_nothing_of_the_web_is_in_the_log(rig: Rig) -> None:
    rig.model.script(calls_search("a secret query"), calls_fetch("http://secret.example/"), says())
    await rig.message(tools=[SEARCH, FETCH])
    assert rig.gateway.log.events("web tool failed")
    for word in ("secret", HITS[0]["title"], json.dumps(HITS[0]["content"])[1:-1], rig.engine.url):
        assert word not in rig.gateway.log.text
