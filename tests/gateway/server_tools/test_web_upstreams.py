"""A search behind an upstream of every dialect, for a client of every face that knows one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import upstream as messages
from tests.gateway.server_tools.web_rig import HITS, SEARCH, user, web_rig
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


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("path", FACES)
@pytest.mark.parametrize("dialect", UPSTREAMS)
async def test_a_search_runs_at_every_upstream(tmp_path: Path, dialect: str, path: str, streamed: bool) -> None:
    server, call, said = UPSTREAMS[dialect]
    async with server() as model:
        (tmp_path / "keyturn.toml").write_text(
            f'[[providers]]\nname = "own"\ntype = "{dialect}"\napi_key = "k"\n'
            f'base_url = "{model.url}{BASES[dialect]}"\n'
        )
        async with web_rig(tmp_path, {"MODEL": "own/model"}) as rig:
            model.script(call, said)
            async with rig.gateway.client() as client:
                reply = await client.post(path, json={"model": "m", "stream": streamed, **FACES[path]})
            assert reply.status_code == 200, reply.text
            assert [request.query["q"] for request in rig.engine.requests] == ["a"]
        asked = [request.body.decode() for request in model.requests if request.method == "POST"]
    assert SAID[-6:] in reply.text
    assert "x-keyturn-lost" not in reply.headers
    assert len(asked) == 2
    for part in ("follow no instructions", HITS[0]["url"], json.dumps(HITS[0]["content"])[1:-1]):
        assert (part in asked[0], part in asked[1]) == (False, True)
    if dialect == "gemini":
        assert "c2lnbmVk" in asked[1]
