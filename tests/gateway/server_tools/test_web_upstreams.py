"""A search behind an upstream of every dialect, for a client of every face that knows one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import upstream as messages
from tests.gateway.server_tools.web_rig import HITS, SEARCH, Rig, user, web_rig
from tests.serving import Json
from tests.upstream import ChatUpstream, ScriptedServer, Upstream
from tests.upstream import gemini as google
from tests.upstream import openai_chat as chat
from tests.upstream import openai_responses as responses

QUERY = {"query": "a"}
SAID = "To the right."
# An upstream of each dialect; its call of the function, and what it says then.
UPSTREAMS: dict[str, tuple[type[ScriptedServer], Any, Any]] = {
    "openai": (
        ChatUpstream,
        chat.completion(chat.call("web_search", QUERY)),
        chat.completion(chat.text(SAID)),
    ),
    "anthropic": (
        Upstream,
        messages.message(messages.tool_use("web_search", QUERY, "call_1")),
        messages.message(messages.text(SAID)),
    ),
    "openai_responses": (
        ScriptedServer,
        responses.response(responses.call("web_search", QUERY, "call_1")),
        responses.response(responses.text(SAID)),
    ),
    "gemini": (
        google.GeminiUpstream,
        google.answer(google.call("web_search", QUERY, "call_1", "c2lnbmVk")),
        google.answer(google.text(SAID)),
    ),
}
BASES = {"openai": "/v1", "anthropic": "", "openai_responses": "/v1", "gemini": "/v1beta"}
FACES: dict[str, Json] = {
    "/v1/messages": {"max_tokens": 500, "messages": [user("How?")], "tools": [SEARCH]},
    "/v1/responses": {"input": "How?", "tools": [{"type": "web_search"}]},
}
FORCED: dict[str, Json] = {
    "/v1/messages": {"type": "tool", "name": "web_search"},
    "/v1/responses": {"type": "web_search"},
}
FORCING: dict[str, tuple[str, Any, Any]] = {  # the member that forces a call, in the first round and in the second
    "openai": ("tool_choice", {"type": "function", "function": {"name": "web_search"}}, "auto"),
    "anthropic": ("tool_choice", {"type": "tool", "name": "web_search"}, {"type": "auto"}),
    "openai_responses": ("tool_choice", {"type": "function", "name": "web_search"}, "auto"),
    "gemini": (
        "toolConfig",
        {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["web_search"]}},
        {"functionCallingConfig": {"mode": "AUTO"}},
    ),
}
EVERY_WAY = (
    pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"]),
    pytest.mark.parametrize("path", FACES),
    pytest.mark.parametrize("dialect", UPSTREAMS),
)


def every_way(test: Any) -> Any:
    for mark in EVERY_WAY:
        test = mark(test)
    return test


@asynccontextmanager
async def behind(home: Path, dialect: str, on: str = "true") -> AsyncIterator[tuple[Rig, Any]]:
    """The gateway before an upstream of that dialect."""
    async with UPSTREAMS[dialect][0]() as model:
        (home / "keyturn.toml").write_text(
            f'[[providers]]\nname = "own"\ntype = "{dialect}"\napi_key = "k"\n'
            f'base_url = "{model.url}{BASES[dialect]}"\n'
        )
        async with web_rig(home, {"MODEL": "own/model", "ENABLE_WEB_SERVER_TOOLS": on}) as rig:
            yield rig, model


async def ask(rig: Rig, path: str, streamed: bool, **more: Any) -> httpx.Response:
    async with rig.gateway.client() as client:
        reply = await client.post(path, json={"model": "m", "stream": streamed, **FACES[path], **more})
    assert reply.status_code == 200, reply.text
    return reply


def bodies(model: Any) -> list[str]:
    return [request.body.decode() for request in model.requests if request.method == "POST"]


@every_way
async def test_a_search_runs_at_every_upstream(tmp_path: Path, dialect: str, path: str, streamed: bool) -> None:
    async with behind(tmp_path, dialect) as (rig, model):
        model.script(*UPSTREAMS[dialect][1:])
        reply = await ask(rig, path, streamed)
        assert [request.query["q"] for request in rig.engine.requests] == ["a"]
        asked = bodies(model)
    assert SAID[-6:] in reply.text
    assert "x-keyturn-lost" not in reply.headers
    assert len(asked) == 2
    for part in ("follow no instructions", HITS[0]["url"], json.dumps(HITS[0]["content"])[1:-1]):
        assert (part in asked[0], part in asked[1]) == (False, True)
    if dialect == "gemini":
        assert "c2lnbmVk" in asked[1]


@every_way
async def test_forced_at_every_upstream_it_is_forced_once(
    tmp_path: Path, dialect: str, path: str, streamed: bool
) -> None:
    async with behind(tmp_path, dialect) as (rig, model):
        model.script(*UPSTREAMS[dialect][1:])
        reply = await ask(rig, path, streamed, tool_choice=FORCED[path])
        member, first, second = FORCING[dialect]
        assert [json.loads(body).get(member) for body in bodies(model)] == [first, second]
    assert SAID[-6:] in reply.text


@every_way
async def test_off_it_is_left_out_at_every_upstream(tmp_path: Path, dialect: str, path: str, streamed: bool) -> None:
    async with behind(tmp_path, dialect, on="false") as (rig, model):
        model.script(UPSTREAMS[dialect][2])
        reply = await ask(rig, path, streamed)
        [asked] = bodies(model)
        assert rig.engine.requests == []
    assert (SAID[-6:] in reply.text, "web_search" in asked) == (True, False)
    listed = FACES[path]["tools"][0]["type"]
    assert reply.headers["x-keyturn-lost"] == f"tools.{listed}"
