"""Search engines, each played by a scripted server; what is asked of them, and what is taken from them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.server_tools.engines import Brave, DuckDuckGo, Engine, Hit, Query, SearXNG, Tavily
from gateway.server_tools.failures import ToolFailure
from gateway.server_tools.outbound import AiohttpWeb
from gateway.server_tools.search import EngineSearch
from providers.secret import Secret
from tests.gateway.server_tools.internet import MIB, streamed
from tests.upstream import Answer, Cut, Hang, Head, Reply, ScriptedServer, Send, json_reply
from tests.upstream.sockets import refusing
from tests.virtual_http import in_virtual_time

KEY = Secret("search-key-1")
LITE = """<html><body><form><input name="q"></form><table border="0">
<tr class="result-sponsored"><td>1.</td><td><a rel="nofollow" class='result-link'
 href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fduckduckgo.com%2Fy.js%3Fad_domain%3Dads.example">Buy keys</a></td></tr>
<tr><td>2.&nbsp;</td><td><a rel="nofollow"
 href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fdocs.example.com%2Fkeys%3Fa%3D1%26b%3D2&amp;rut=0a" class='result-link'>
 Keys &amp; <b>locks</b></a></td></tr>
<tr><td>&nbsp;</td><td class='result-snippet'>How to turn a <b>key</b>
 to the right.</td></tr>
<tr><td>&nbsp;</td><td><span class='link-text'>docs.example.com/keys</span></td></tr>
<tr><td>3.</td><td><a href="https://other.example.org/" class='result-link'>Other</a></td></tr>
<tr><td>4.</td><td><a href="javascript:alert(1)" class='result-link'>No page</a></td></tr>
<tr><td>5.</td><td><a href="https://other.example.org/" class='result-link'>Other, again</a></td></tr>
</table><a href="/next">Next</a></body></html>"""

FOUND: list[Hit] = [
    Hit("https://docs.example.com/keys?a=1&b=2", "Keys & locks", "How to turn a key to the right."),
    Hit("https://other.example.org/", "Other"),
]
Make = Callable[[str], Engine]
ENGINES: dict[str, tuple[Make, Any]] = {
    "duckduckgo": (DuckDuckGo, LITE),
    "searxng": (
        SearXNG,
        {
            "results": [
                {"url": FOUND[0].url, "title": FOUND[0].title, "content": "How to turn a key\n to the right."},
                {"url": FOUND[1].url, "title": "Other", "content": None},
                "nonsense",
                {"title": "no url"},
            ]
        },
    ),
    "brave": (
        lambda base: Brave(KEY, base),
        {
            "web": {
                "results": [
                    {"url": FOUND[0].url, "title": FOUND[0].title, "description": FOUND[0].snippet},
                    {"url": FOUND[1].url, "title": "Other"},
                ]
            }
        },
    ),
    "tavily": (
        lambda base: Tavily(KEY, base),
        {
            "results": [
                {"url": FOUND[0].url, "title": FOUND[0].title, "content": FOUND[0].snippet, "score": 0.9},
                {"url": FOUND[1].url, "title": "Other", "content": ""},
            ]
        },
    ),
}
EVERY = pytest.mark.parametrize("name", ENGINES)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as scripted:
        yield scripted


def said(body: Any) -> Reply:
    if not isinstance(body, str):
        return json_reply(body)
    return streamed((("content-type", "text/html; charset=UTF-8"),), body.encode())


async def find(server: ScriptedServer, name: str, query: Query) -> list[Hit]:
    return await EngineSearch(ENGINES[name][0](server.url), AiohttpWeb()).find(query)


async def failing(server: ScriptedServer, name: str, answer: Answer, query: str = "keys") -> ToolFailure:
    server.always(answer)
    with pytest.raises(ToolFailure) as failure:
        await find(server, name, Query(query))
    assert KEY.reveal() not in failure.value.words
    assert server.url not in failure.value.words
    return failure.value


@EVERY
async def test_what_is_found(server: ScriptedServer, name: str) -> None:
    server.script(said(ENGINES[name][1]))
    assert await find(server, name, Query("how to turn a key & a lock")) == FOUND


async def test_how_each_is_asked(server: ScriptedServer) -> None:
    query = Query("keys", ("example.com", "example.org/docs"), ("ads.example",), "DE")
    for name, (_, body) in ENGINES.items():
        server.script(said(body))
        await find(server, name, query)
    lite, searxng, brave, tavily = server.requests
    narrowed = "keys site:example.com OR site:example.org/docs"
    assert (lite.path, lite.query) == ("/lite/", {"q": narrowed})
    assert (searxng.path, searxng.query) == ("/search", {"q": narrowed, "format": "json"})
    assert brave.path == "/res/v1/web/search"
    assert brave.query == {"q": narrowed, "count": "10", "text_decorations": "false", "country": "DE"}
    assert brave.header("x-subscription-token") == KEY.reveal()
    assert (tavily.method, tavily.path, tavily.header("authorization")) == ("POST", "/search", f"Bearer {KEY.reveal()}")
    assert tavily.json == {
        "query": "keys",
        "max_results": 10,
        "include_domains": ["example.com", "example.org/docs"],
        "exclude_domains": ["ads.example"],
    }
    assert not [request for request in server.requests if "Keyturn" not in (request.header("user-agent") or "")]
    assert not [request for request in server.requests if request.header("cookie")]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (Query("q"), 2),
        (Query("q", allowed=("example.com",)), 1),
        (Query("q", allowed=("EXAMPLE.com/keys",)), 1),
        (Query("q", allowed=("example.com/locks",)), 0),
        (Query("q", allowed=("ample.com",)), 0),
        (Query("q", blocked=("example.org",)), 1),
        (Query("q", blocked=("example.org", "docs.example.com")), 0),
        (Query("q", allowed=("nonsense//",)), 0),
    ],
)
@EVERY
async def test_domains_are_filtered_whatever_the_engine_obeys(
    server: ScriptedServer, name: str, query: Query, kept: int
) -> None:
    server.script(said(ENGINES[name][1]))
    assert len(await find(server, name, query)) == kept


@EVERY
async def test_nothing_found(server: ScriptedServer, name: str) -> None:
    server.script(said("<html>No results.</html>" if name == "duckduckgo" else {"results": [], "web": {"results": []}}))
    assert await find(server, name, Query("zqxj")) == []


async def test_brave_without_web_results(server: ScriptedServer) -> None:
    server.script(json_reply({"type": "search"}))
    assert await find(server, "brave", Query("zqxj")) == []


@EVERY
async def test_at_most_ten_and_none_of_them_long(server: ScriptedServer, name: str) -> None:
    many = [
        {"url": f"https://e.example/{n}", "title": "t" * 5000, "content": "s" * 5000, "description": "s" * 5000}
        for n in range(12)
    ]
    page = "".join(
        f"<a class='result-link' href='{hit['url']}'>{hit['title']}</a><td class='result-snippet'>{hit['content']}</td>"
        for hit in many
    )
    server.script(said(page if name == "duckduckgo" else {"results": many, "web": {"results": many}}))
    hits = await find(server, name, Query("q"))
    assert len(hits) == 10
    assert max(len(hit.title) + len(hit.snippet) for hit in hits) <= 1300


@EVERY
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (202, "too_many_requests"),
        (429, "too_many_requests"),
        (302, "unavailable"),
        (401, "unavailable"),
        (500, "unavailable"),
    ],
)
async def test_refusals(server: ScriptedServer, name: str, status: int, code: str) -> None:
    reply = json_reply({"error": KEY.reveal()}, status, [("location", "http://127.0.0.1:1/")])
    assert (await failing(server, name, reply)).code == code
    assert len(server.requests) == 1


async def test_what_an_operator_can_do_about_a_refusal(server: ScriptedServer) -> None:
    assert "settings.yml" in (await failing(server, "searxng", json_reply({}, 403))).words
    assert "WEB_SEARCH_API_KEY" in (await failing(server, "brave", json_reply({}, 403))).words


@pytest.mark.parametrize("name", ["searxng", "brave", "tavily"])
@pytest.mark.parametrize(
    "body", ["<html>busy</html>", "[]", "null", '{"results": 1, "web": {"results": {}}}', '{"results']
)
async def test_answers_that_are_none(server: ScriptedServer, name: str, body: str) -> None:
    assert (await failing(server, name, said(body))).code == "unavailable"


@EVERY
async def test_too_large_an_answer(server: ScriptedServer, name: str) -> None:
    endless = streamed((), *([b" " * 65536] * (64 * MIB // 65536)))
    assert (await failing(server, name, endless)).code == "unavailable"


@EVERY
async def test_broken_answers(server: ScriptedServer, name: str) -> None:
    half = Reply((Head(200, (("content-length", "100"),)), Send(b"{"), Cut()))
    assert (await failing(server, name, half)).code == "unavailable"
    with refusing() as nobody, pytest.raises(ToolFailure) as failure:
        await EngineSearch(ENGINES[name][0](nobody), AiohttpWeb()).find(Query("q"))
    assert failure.value.code == "unavailable"


@pytest.mark.parametrize(
    "body",
    [
        "<!--" * 131_000,
        "<" * 520_000,
        "<a " * 170_000,
        "<a class='result-link' href='x'>" * 16_000,
        "<a class='result-link' href='x'>x</a>" + "<td class='result-snippet'>" * 19_000,
        "<a class" + " " * 500_000,
    ],
    ids=lambda body: body[:40],
)
def test_a_result_page_that_is_made_to_take_long(body: str) -> None:
    """Half a megabyte of what takes a square of its length would stop every client's answer."""
    began = time.monotonic()
    assert len(list(DuckDuckGo().hits(body.encode()))) <= 50
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("part", ["http://[", "&#" + "1" * 5000 + ";", "&#xd800;", "//duckduckgo.com/l/?uddg=http://["])
def test_links_that_are_none(part: str) -> None:
    """The first breaks ``urljoin``, the second ``html.unescape``."""
    link = f"<a class='result-link' href='{part}'>{part}</a><td class='result-snippet'>{part}</td>"
    good = "<a class=result-link href=https://good.example/>Good</a>"
    assert list(DuckDuckGo().hits(f"{link}{good}".encode()))[-1] == Hit("https://good.example/", "Good")


@in_virtual_time
async def test_an_engine_that_takes_too_long() -> None:
    async with ScriptedServer() as server:
        server.script(Reply((Head(200), Send(b"{"), Hang())))
        began = asyncio.get_running_loop().time()
        with pytest.raises(ToolFailure, match="15 seconds"):
            await find(server, "searxng", Query("q"))
        assert asyncio.get_running_loop().time() - began == pytest.approx(15, abs=0.5)


@EVERY
async def test_too_long_a_query_is_not_asked(server: ScriptedServer, name: str) -> None:
    with pytest.raises(ToolFailure) as failure:
        await find(server, name, Query("q" * 401))
    assert (failure.value.code, server.requests) == ("query_too_long", [])


async def test_a_query_is_text_and_nothing_else(server: ScriptedServer) -> None:
    server.always(json_reply({"results": []}))
    text = "a&format=html#x ?q=\u00fc%20+\r\nHost: evil"
    await find(server, "searxng", Query(text))
    [request] = server.requests
    assert parse_qs(urlsplit(request.target).query) == {"q": [text], "format": ["json"]}
    assert json.dumps(request.headers).count("evil") == 0
