"""The rounds of one answer: each with its own keys, slots and targets, none of them held while a tool runs."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests import upstream as messages
from tests.gateway.server_tools.web_rig import (
    BASH,
    HITS,
    SEARCH,
    calls_search,
    codes,
    folded,
    of_type,
    says,
    user,
    web_rig,
    whole,
)
from tests.serving import TOKEN, Json, post
from tests.test_upstream_anthropic import events
from tests.upstream import Answer, Hang, Head, Pause, Reply, Request, Upstream, json_reply
from tests.upstream import openai_chat as chat
from tests.upstream.bare_client import connected
from tests.virtual_http import LoopMoments, in_virtual_time

BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
KEY = "sk-of-another"
TWO_KEYS = {"OPENAI_API_KEYS": "sk-1,sk-2", "PROVIDER_MAX_RETRIES": "3", "QUEUE_MAX_WAIT": "5"}


def key(request: Request) -> str:
    return (request.header("authorization") or "").removeprefix("Bearer ")


@BOTH
async def test_nothing_is_held_while_a_tool_runs(tmp_path: Path, streamed: bool) -> None:
    """With one slot and one key, a second round would wait for the first one for ever."""
    async with web_rig(tmp_path, {"PROVIDER_MAX_CONCURRENCY": "1", "QUEUE_MAX_WAIT": "5"}) as rig:
        provider = rig.gateway.app.state.registry.get("openai")
        held: list[int] = []

        def while_searching(request: Request) -> Reply:
            held.append(provider.gate.held)
            return json_reply({"results": HITS})

        rig.engine.on("/search", while_searching)
        rig.model.script(calls_search("a"), calls_search("b"), says())
        assert codes(await rig.message(streamed, tools=[SEARCH])) == ["ok", "ok"]
        await rig.gateway.settled()
        assert (held, provider.gate.held) == ([0, 0], 0)


@BOTH
async def test_the_rounds_use_one_connection(tmp_path: Path, streamed: bool) -> None:
    async with web_rig(tmp_path) as rig:
        rig.model.script(calls_search("a"), calls_search("b"), says())
        await rig.message(streamed, tools=[SEARCH])
        assert rig.model.accepted == 1


@BOTH
async def test_a_later_round_has_another_key_to_go_to(tmp_path: Path, streamed: bool) -> None:
    async with web_rig(tmp_path, TWO_KEYS) as rig:
        rig.model.script(calls_search("a"), chat.error(500, "sorry"), says())
        message = await rig.message(streamed, tools=[SEARCH])
        assert (codes(message), message["content"][-1]["text"]) == (["ok"], "To the right.")
        assert len({key(request) for request in rig.model.chats[1:]}) == 2
        assert [request.query["q"] for request in rig.engine.requests] == ["a"]


async def test_what_a_broken_attempt_began_is_not_shown(tmp_path: Path) -> None:
    async with web_rig(tmp_path, TWO_KEYS) as rig:
        begun = chat.stream(chat.chunk({"role": "assistant", "content": ""}, "gpt-5"), messages.Cut())
        rig.model.script(begun, calls_search("a"), begun, says())
        reply = await rig.post(tools=[SEARCH])
        assert [block["type"] for block in folded(reply.content)["content"]][-1] == "text"


async def test_a_later_round_goes_to_the_next_target(tmp_path: Path) -> None:
    async with Upstream() as claude:
        environ = {
            "MODEL_FALLBACKS": "anthropic/claude-sonnet-5",
            "ANTHROPIC_UPSTREAM_API_KEY": KEY,
            "ANTHROPIC_UPSTREAM_BASE_URL": claude.url,
        }
        async with web_rig(tmp_path, environ) as rig:
            rig.model.script(calls_search("a"), chat.error(503, "sorry"))
            claude.script(messages.message(messages.text("To the right.")))
            message = await rig.message(tools=[SEARCH])
            assert (codes(message), message["content"][-1]["text"]) == (["ok"], "To the right.")
        [request] = claude.posts("/v1/messages")
        assert [tool["name"] for tool in request.json["tools"]] == ["web_search"]
        assert "type" not in request.json["tools"][0]
        assert [each["content"][0]["type"] for each in request.json["messages"]] == ["text", "tool_use", "tool_result"]


async def test_a_stream_whose_later_round_fails_ends_in_an_error(tmp_path: Path) -> None:
    async with web_rig(tmp_path) as rig:
        rig.model.script(calls_search("a"), chat.error(400, "I will not."))
        reply = await rig.post(tools=[SEARCH])
        told = events(reply.content)
        assert told[-1]["type"] == "error"
        assert "I will not." in told[-1]["error"]["message"]
        assert [event["type"] for event in told].count("content_block_stop") == 2  # the call and its result are whole


async def test_a_whole_answer_whose_later_round_fails_is_an_error(tmp_path: Path) -> None:
    async with web_rig(tmp_path) as rig:
        rig.model.script(calls_search("a"), chat.error(400, "I will not."))
        reply = await rig.post(False, tools=[SEARCH])
        assert (reply.status_code, reply.json()["error"]["message"]) == (400, "I will not.")


@BOTH
async def test_a_client_that_leaves_ends_the_search(tmp_path: Path, streamed: bool) -> None:
    async with web_rig(tmp_path) as rig:
        rig.engine.on("/search", Reply((Head(200), Hang())))
        rig.model.script(calls_search("a"))
        body = {"model": "m", "max_tokens": 9, "messages": [user("Hi")], "tools": [SEARCH], "stream": streamed}
        async with connected(rig.gateway.port) as client:
            client.write(post(json.dumps(body).encode()))
            request = await rig.engine.request()
        await request.gone.wait()
        await rig.gateway.settled()
        provider = rig.gateway.app.state.registry.get("openai")
        assert provider.gate.held == 0
        assert [each.in_flight for each in (await provider.pool.snapshot()).keys] == [0]


def test_pings_while_tools_and_later_rounds_take_long(tmp_path: Path) -> None:
    in_virtual_time(pinged)(tmp_path)


async def pinged(home: Path) -> None:
    moments = LoopMoments()
    environ = {"STREAM_KEEPALIVE_AFTER": "2", "REQUEST_DEADLINE": "100", "FIRST_TOKEN_TIMEOUT": "90"}
    async with web_rig(home, environ, moments) as rig:
        slow = json_reply({"results": HITS})
        rig.engine.on("/search", Reply((Pause(13), *slow.steps)))
        late = says()
        rig.model.script(calls_search("a"), lambda request: Reply((Pause(33), *reply_of(late, request).steps)))
        async with rig.gateway.client() as client:
            client.timeout = httpx.Timeout(None)
            body = {"model": "m", "max_tokens": 99, "messages": [user("Hi")], "tools": [SEARCH], "stream": True}
            began, pings, told = moments.clock(), [], b""
            async with client.stream("POST", "/v1/messages", json=body) as reply:
                async for data in reply.aiter_raw():
                    told += data
                    if b"event: ping" in data:
                        pings.append(round(moments.clock() - began))
        assert pings == [2, 12, 15, 25, 35, 45]
        assert folded(told)["content"][-1]["text"] == "To the right."


def reply_of(answer: Answer, request: Request) -> Reply:
    return answer if isinstance(answer, Reply) else answer(request)


def test_a_turn_that_takes_too_long_is_paused(tmp_path: Path) -> None:
    in_virtual_time(paused)(tmp_path)


async def paused(home: Path) -> None:
    """Each search takes 14 seconds and each round 50: the fifth is not begun after 240 seconds."""
    environ = {"FIRST_TOKEN_TIMEOUT": "90"}
    async with web_rig(home, environ, LoopMoments()) as rig:
        rig.engine.on("/search", Reply((Pause(14), *json_reply({"results": HITS}).steps)))
        call = calls_search("a")
        rig.model.always(lambda request: Reply((Pause(50), *reply_of(call, request).steps)))
        async with rig.gateway.client() as client:
            client.timeout = httpx.Timeout(None)
            body = {"model": "m", "max_tokens": 999, "messages": [user("Hi")], "tools": [SEARCH], "stream": True}
            message = whole(await client.post("/v1/messages", json=body))
        assert (message["stop_reason"], codes(message)) == ("pause_turn", ["ok"] * 4)


CLAUDE = {"MODEL": "anthropic/claude-sonnet-5", "ANTHROPIC_UPSTREAM_API_KEY": KEY}
NATIVE = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}


@pytest.mark.parametrize("on", ["true", "false"])
@BOTH
async def test_anthropic_itself_runs_its_own(tmp_path: Path, on: str, streamed: bool) -> None:
    async with Upstream() as claude:
        environ = {**CLAUDE, "ANTHROPIC_UPSTREAM_BASE_URL": claude.url, "ENABLE_WEB_SERVER_TOOLS": on}
        async with web_rig(tmp_path, environ) as rig:
            claude.script(messages.message(messages.text("To the right.")))
            body = {"model": "claude-sonnet-5", "max_tokens": 9, "messages": [user("Hi")], "tools": [SEARCH, BASH]}
            raw = json.dumps({**body, "stream": streamed, "tool_choice": {"type": "tool", "name": "web_search"}})
            async with rig.gateway.client() as client:
                reply = await client.post("/v1/messages", content=raw)
            assert whole(reply)["content"] == [{"type": "text", "text": "To the right."}]
            assert "x-keyturn-lost" not in reply.headers
            assert rig.engine.requests == []
        assert claude.posts("/v1/messages")[0].body == raw.encode()


async def test_blocks_of_ours_reach_anthropic_as_text(tmp_path: Path) -> None:
    """It would refuse an encrypted_content that it did not make."""
    async with Upstream() as claude:
        environ = {"ANTHROPIC_UPSTREAM_API_KEY": KEY, "ANTHROPIC_UPSTREAM_BASE_URL": claude.url}
        async with web_rig(tmp_path, environ) as rig:
            rig.model.script(calls_search("a"), says())
            message = await rig.message(tools=[SEARCH])
            theirs = {**NATIVE, "input": {"query": "b"}}
            answered = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
            history = [
                user("Hi"),
                {"role": "assistant", "content": [*message["content"], theirs, answered]},
                user("And now?"),
            ]
            claude.script(messages.message(messages.text("Left.")))
            token = f"{TOKEN}:anthropic/claude-sonnet-5"
            await rig.message(token=token, tools=[SEARCH], messages=history)
        sent = claude.posts("/v1/messages")[0].json["messages"][1]["content"]
        assert [block["type"] for block in sent] == [
            "text",
            "text",
            "text",
            "server_tool_use",
            "web_search_tool_result",
        ]
        assert sent[0]["text"] == '[web_search: {"query":"a"}]'
        assert HITS[0]["content"] in sent[1]["text"]
        assert (sent[3], sent[4]) == (theirs, answered)


DEEPSEEK = {"MODEL": "deepseek/deepseek-flash", "DEEPSEEK_API_KEY": KEY}


@BOTH
async def test_another_messages_upstream_is_given_a_function(tmp_path: Path, streamed: bool) -> None:
    async with Upstream() as deepseek:
        async with web_rig(tmp_path, {**DEEPSEEK, "DEEPSEEK_BASE_URL": deepseek.url}) as rig:
            call = messages.tool_use("web_search", {"query": "a"}, "call_1")
            deepseek.script(messages.message(call), messages.message(messages.text("To the right.")))
            message = await rig.message(streamed, tools=[SEARCH])
            assert (codes(message), message["content"][-1]["text"]) == (["ok"], "To the right.")
        first, second = (request.json for request in deepseek.posts("/v1/messages"))
        assert [tool["name"] for tool in first["tools"]] == ["web_search"]
        assert [block["type"] for block in second["messages"][2]["content"]] == ["tool_result"]


async def test_another_messages_upstream_is_not_sent_a_tool_that_is_off(tmp_path: Path) -> None:
    async with Upstream() as deepseek:
        environ = {**DEEPSEEK, "DEEPSEEK_BASE_URL": deepseek.url, "ENABLE_WEB_SERVER_TOOLS": "false"}
        async with web_rig(tmp_path, environ) as rig:
            deepseek.always(messages.message(messages.text("I know that.")))
            kept = json.dumps({"name": "Bash", "input_schema": {"type": "object"}})
            raw = (
                '{"model": "deepseek-flash", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], '
                f'"tools": [{json.dumps(SEARCH)}, {kept}], "x": 1}}'
            )
            async with rig.gateway.client() as client:
                reply = await client.post("/v1/messages", content=raw)
            assert reply.headers["x-keyturn-lost"] == "tools.web_search_20250305"
            forced: Json = {"type": "tool", "name": "web_search"}
            only = await rig.post(False, tools=[SEARCH], tool_choice=forced, model="deepseek-flash")
            assert only.headers["x-keyturn-lost"] == "tools.web_search_20250305"
            message = {"role": "assistant", "content": [NATIVE, {**HIT, "tool_use_id": "srvtoolu_1"}]}
            await rig.post(False, model="deepseek-flash", messages=[user("Hi"), message, user("And?")])
        one, two, three = deepseek.posts("/v1/messages")
        assert one.body == raw.replace(f"[{json.dumps(SEARCH)}, {kept}]", f"[{kept}]").encode()
        assert not {"tools", "tool_choice"} & two.json.keys()
        assert [block["type"] for block in three.json["messages"][1]["content"]] == ["text", "text"]


HIT: Json = {
    "type": "web_search_tool_result",
    "content": [{"type": "web_search_result", "url": "https://a.example/", "title": "A", "encrypted_content": "Eo8"}],
}


async def test_a_row_of_ones_own_says_what_it_runs(tmp_path: Path) -> None:
    async with Upstream() as own:
        (tmp_path / "keyturn.toml").write_text(
            f'[[providers]]\nname = "own"\ntype = "anthropic"\nbase_url = "{own.url}"\nserver_tools = ["web_search"]\n'
        )
        async with web_rig(tmp_path, {"MODEL": "own/model"}) as rig:
            own.script(messages.message(messages.text("To the right.")))
            await rig.message(tools=[SEARCH])
        assert own.posts("/v1/messages")[0].json["tools"] == [SEARCH]


async def test_calls_that_a_model_wrote_as_text_are_run_too(tmp_path: Path) -> None:
    environ = {"MODEL": "nvidia_nim/z-ai/glm4.7", "NVIDIA_NIM_API_KEY": KEY}
    async with chat.ChatUpstream() as nim:
        async with web_rig(tmp_path, {**environ, "NVIDIA_NIM_BASE_URL": nim.base_url}) as rig:
            written = '<tool_call>{"name": "web_search", "arguments": {"query": "a"}}</tool_call>'
            nim.script(chat.completion(chat.text(written)), says())
            message = await rig.message(tools=[SEARCH])
        assert [block["type"] for block in message["content"]] == ["server_tool_use", "web_search_tool_result", "text"]
        assert of_type(message, "server_tool_use")[0]["input"] == {"query": "a"}
