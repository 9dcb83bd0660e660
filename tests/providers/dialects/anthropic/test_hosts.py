"""Anthropic's web tools as a request lists them, and requests that go on with what they found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.chat.events import BlockKind
from providers.chat.fold import AnswerBlock
from providers.dialects.anthropic.hosts import WebTools, lists, without
from providers.hosting import HostedTool
from providers.json_object import JsonObject

Json = dict[str, Any]

HOSTS = WebTools()
SEARCH: Json = {"type": "web_search_20250305", "name": "web_search"}
FETCH: Json = {"type": "web_fetch_20250910", "name": "web_fetch"}
BASH: Json = {"name": "Bash", "input_schema": {"type": "object"}}


def body(**members: Any) -> JsonObject:
    message = {"role": "user", "content": "Hi"}
    return JsonObject(json.dumps({"model": "m", "max_tokens": 9, "messages": [message], **members}).encode())


@pytest.mark.parametrize(
    ("tool", "made"),
    [
        (SEARCH, HostedTool("web_search", "web_search_20250305", "web_search")),
        (
            {
                **SEARCH,
                "type": "web_search_20260318",
                "max_uses": 3,
                "allowed_domains": ["a.example", 1],
                "blocked_domains": None,
                "user_location": {"type": "approximate", "country": "de", "city": "Berlin"},
            },
            HostedTool("web_search", "web_search_20260318", "web_search", 3, ("a.example",), country="DE"),
        ),
        (
            {
                **FETCH,
                "max_content_tokens": 100,
                "citations": {"enabled": True},
                "url_sources": {"user_input": {"type": "none"}},
            },
            HostedTool(
                "web_fetch",
                "web_fetch_20250910",
                "web_fetch",
                max_content_tokens=100,
                citations=True,
                url_sources={"user_input": {"type": "none"}},
            ),
        ),
        (
            {**SEARCH, "max_uses": True, "allowed_domains": "a", "user_location": 1, "citations": 1, "url_sources": 1},
            HostedTool("web_search", "web_search_20250305", "web_search"),
        ),
        ({**SEARCH, "user_location": {"country": "Germany"}}, HostedTool("web_search", SEARCH["type"], "web_search")),
    ],
)
def test_tools(tool: Json, made: HostedTool) -> None:
    assert HOSTS.tools(body(tools=[BASH, tool])) == (made,)


@pytest.mark.parametrize(
    "tools",
    [
        None,
        [],
        [BASH],
        [{"name": "web_search"}],
        [{**BASH, "description": '"web_search_20250305"'}],
        [{"type": 1}],
    ],
)
def test_requests_without_such_tools(tools: Any) -> None:
    assert HOSTS.tools(body(tools=tools)) == ()


def test_most_requests_are_told_by_their_bytes() -> None:
    assert not lists(body(tools=[BASH]))
    assert not lists(body())
    assert lists(body(tools=[SEARCH]))


@pytest.mark.parametrize(
    ("native", "kept", "missing"),
    [
        ((), [BASH], [SEARCH, FETCH]),
        (("web_search",), [SEARCH, BASH], [FETCH]),
        (("web_search", "web_fetch"), [SEARCH, BASH, FETCH], []),
    ],
)
def test_without_those_that_an_upstream_has_not(native: tuple[str, ...], kept: list[Json], missing: list[Json]) -> None:
    left, gone = without(body(tools=[SEARCH, BASH, FETCH]), native)
    assert left is not None
    assert (json.loads(left), gone) == (kept, missing)
    assert without(body(tools=[SEARCH]), ())[0] is None


USE: Json = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
SAID = [AnswerBlock(BlockKind.TEXT, "Let me look."), AnswerBlock(BlockKind.RAW, '{"query":"a"}', raw=USE)]


def test_a_request_goes_on_with_all_that_was_said() -> None:
    asked = body(tools=[SEARCH], x=1.0)
    result = HOSTS.result(SAID[1], [])
    more = HOSTS.continued(asked, [*SAID, result], 5)
    assert json.loads(more.raw) == json.loads(asked.raw) | {
        "max_tokens": 5,
        "messages": [
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me look."},
                    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "a"}},
                    {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
                ],
            },
        ],
    }
    assert more.raw.startswith(b'{"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"},')


@pytest.mark.parametrize(
    ("choice", "after"),
    [
        ({"type": "tool", "name": "web_search"}, {"type": "auto"}),
        ({"type": "any", "disable_parallel_tool_use": True}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"type": "auto"}, {"type": "auto"}),
        ({"type": "none"}, {"type": "none"}),
        (None, None),
    ],
)
def test_a_choice_is_made_once(choice: Json | None, after: Json | None) -> None:
    more = HOSTS.continued(body(tool_choice=choice), SAID, None)
    assert more.get("tool_choice") == after
    assert more.get("max_tokens") == 9


def test_the_cap_on_the_answer() -> None:
    assert HOSTS.most_tokens(body()) == 9
    assert HOSTS.most_tokens(JsonObject(b'{"messages": []}')) is None
