"""Fetching a page: where it is looked for, what is sent, what comes of the answer."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from collections.abc import AsyncIterator

import pytest

from gateway.server_tools.extract import ChildExtractor
from gateway.server_tools.failures import ToolFailure
from gateway.server_tools.fetch import Fetcher, Limits, Page
from gateway.server_tools.outbound import NAMES_AT_ONCE, AiohttpWeb, SystemResolver, absolute, near
from gateway.server_tools.request import USER_AGENT, WebRequest
from gateway.server_tools.urls import Rules, Target
from tests.gateway.server_tools.internet import HOST, OTHER, PUBLIC, URL, Internet, anywhere, page, redirect
from tests.upstream import Cut, Head, Raw, Reply, ScriptedServer, Send
from tests.upstream.bare_client import BOUND
from tests.upstream.sockets import free_port


@pytest.fixture
async def internet() -> AsyncIterator[Internet]:
    async with ScriptedServer() as server:
        yield Internet(server)


async def refused(internet: Internet, url: str = URL, limits: Limits | None = None) -> ToolFailure:
    with pytest.raises(ToolFailure) as failure:
        await internet.fetch(url, limits)
    return failure.value


async def test_a_page_comes_from_the_address_that_was_checked(internet: Internet) -> None:
    internet.server.script(page())
    assert await internet.fetch(f"{URL}?q=1#top") == Page(f"{URL}?q=1", "", "All is well")
    assert (internet.asked, internet.connected) == ([HOST], [(PUBLIC, 80)])
    [request] = internet.server.requests
    assert (request.method, request.target) == ("GET", "/page?q=1")
    assert {name.lower(): value for name, value in request.headers} == {
        "host": HOST,
        "user-agent": USER_AGENT,
        "accept": request.header("accept"),
        "accept-encoding": "gzip, deflate",
        "connection": "close",
    }


async def test_every_checked_address_is_tried(internet: Internet) -> None:
    dead = free_port()
    internet.zone[HOST] = [[OTHER, PUBLIC]]

    def route(address: str, port: int) -> tuple[str, int]:
        return "127.0.0.1", dead if address == OTHER else internet.server.port

    internet.server.script(page())
    fetcher = Fetcher(AiohttpWeb(route), internet.resolve, ChildExtractor(), Rules())
    assert (await fetcher.fetch(fetcher.target(URL), anywhere)).text == "All is well"


async def test_a_name_that_changes_its_address_after_the_check_gains_nothing(internet: Internet) -> None:
    internet.zone[HOST] = [[PUBLIC], ["127.0.0.1"]]
    internet.server.script(page())
    assert (await internet.fetch()).text == "All is well"
    assert (internet.asked, internet.connected) == ([HOST], [(PUBLIC, 80)])
    failure = await refused(internet)
    assert (failure.code, "loopback" in failure.words) == ("url_not_allowed", True)
    assert len(internet.server.requests) == 1


async def test_a_name_that_changes_its_address_between_two_hops_is_refused(internet: Internet) -> None:
    internet.zone[HOST] = [[PUBLIC], [PUBLIC, "169.254.169.254"]]
    internet.server.script(redirect("/again"))
    failure = await refused(internet)
    assert (failure.code, "cloud metadata" in failure.words) == ("url_not_allowed", True)
    assert internet.asked == [HOST, HOST]
    assert len(internet.connected) == 1


@pytest.mark.parametrize(
    "last",
    [
        "http://127.0.0.1:{port}/secret",
        "http://localhost:{port}/secret",
        "//[::1]:{port}/secret",
        "http://0x7f000001:{port}/",
        "http://inside.example.com/",
        "http://[::ffff:127.0.0.1]/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "http://user@docs.example.com/",
        "http://docs.example.com:22/",
        "",
        "http://[",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_chain_of_redirects_into_a_network_ends_before_it(internet: Internet, last: str, status: int) -> None:
    internet.zone |= {"a.example.org": [[OTHER]], "inside.example.com": [[PUBLIC, "10.0.0.7"]]}
    location = last.format(port=internet.server.port)
    internet.server.script(redirect("http://a.example.org/1"), redirect("/2", status), redirect(location, status))
    failure = await refused(internet)
    assert failure.code in ("url_not_allowed", "invalid_tool_input")
    assert internet.connected == [(PUBLIC, 80), (OTHER, 80), (OTHER, 80)]
    assert [request.target for request in internet.server.requests] == ["/page", "/1", "/2"]


async def test_a_redirect_carries_nothing_along(internet: Internet) -> None:
    internet.zone["a.example.org"] = [[OTHER]]
    cookie = ("set-cookie", "a=b; Domain=example.org; Path=/")
    internet.server.script(redirect("http://a.example.org:8080/x", 307, cookie), page())
    assert (await internet.fetch()).url == "http://a.example.org:8080/x"
    second = internet.server.requests[1]
    assert second.header("host") == "a.example.org:8080"
    assert {second.header(name) for name in ("cookie", "authorization", "referer", "origin")} == {None}


async def test_redirects_are_counted(internet: Internet) -> None:
    internet.server.always(redirect("/more"))
    failure = await refused(internet, limits=Limits(redirects=3))
    assert (failure.code, failure.words) == ("url_not_accessible", "it redirects more than 3 times")
    assert len(internet.server.requests) == 4


async def test_each_hop_is_one_of_the_allowed_domains(internet: Internet) -> None:
    def domains(place: Target) -> str:
        return "" if place.host == HOST else "not this one"

    internet.server.script(redirect("https://other.example.org/"))
    fetcher = internet.fetcher()
    with pytest.raises(ToolFailure, match="not this one") as failure:
        await fetcher.fetch(fetcher.target(URL), domains)
    assert failure.value.code == "url_not_allowed"
    assert internet.asked == [HOST]


async def test_proxy_variables_are_not_for_pages(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    internet.server.script(page())
    assert (await internet.fetch()).text == "All is well"


async def test_names_without_an_address(internet: Internet) -> None:
    assert (await refused(internet, "http://nowhere.example.com/")).code == "url_not_accessible"
    internet.zone["empty.example.com"] = [[]]
    assert (await refused(internet, "http://empty.example.com/")).code == "url_not_accessible"
    assert internet.connected == []


@pytest.mark.parametrize("answers", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], [OTHER, "::ffff:127.0.0.1"], ["224.0.0.1"]])
async def test_answers_that_are_not_public(internet: Internet, answers: list[str]) -> None:
    internet.zone[HOST] = [answers]
    assert (await refused(internet)).code == "url_not_allowed"
    assert internet.connected == []


@pytest.mark.parametrize("url", [URL, f"http://{PUBLIC}/", f"http://[{OTHER}]/"])
async def test_an_address_inside_the_machines_own_firewall(internet: Internet, url: str) -> None:
    asked: list[str] = []

    def near(address: str) -> bool:
        asked.append(address)
        return True

    fetcher = Fetcher(AiohttpWeb(internet.route), internet.resolve, ChildExtractor(), Rules(), near=near)
    with pytest.raises(ToolFailure, match="this machine's own") as failure:
        await fetcher.fetch(fetcher.target(url), anywhere)
    assert (failure.value.code, internet.connected) == ("url_not_allowed", [])
    assert asked == [OTHER if OTHER in url else PUBLIC]


@pytest.mark.parametrize(("address", "is_near"), [("127.0.0.1", True), ("127.0.0.77", False), (PUBLIC, False)])
def test_what_the_kernel_says_of_an_address(address: str, is_near: bool) -> None:
    assert near(address) is is_near


async def test_private_networks_for_those_who_allow_them(internet: Internet) -> None:
    internet.zone["wiki"] = [["10.0.0.7"]]
    internet.server.script(page(), page("secret"))
    fetcher = internet.fetcher(Rules(private=True))
    assert (await fetcher.fetch(fetcher.target("http://wiki/"), anywhere)).text == "All is well"
    here = fetcher.target(f"http://127.0.0.1:{internet.server.port}/")
    assert (await fetcher.fetch(here, anywhere)).text == "secret"


@pytest.mark.parametrize("status", [100, 204, 304, 400, 403, 404, 429, 500, 503])
async def test_answers_that_are_no_page(internet: Internet, status: int) -> None:
    if status == 100:
        internet.server.always(Reply((Head(100), Cut())))  # which aiohttp asks for once more
    else:
        internet.server.script(Reply((Head(status, (("content-length", "0"),)),)))
    failure = await refused(internet)
    assert failure.code in ("url_not_accessible", "unsupported_content_type")
    assert internet.server.url not in failure.words


@pytest.mark.parametrize(
    "kind", ["", "application/pdf", "image/png", "application/octet-stream", "video/mp4", "multipart/mixed", "nonsense"]
)
async def test_only_text_is_read(internet: Internet, kind: str) -> None:
    headers = (("content-type", kind),) if kind else ()
    internet.server.script(Reply((Head(200, (*headers, ("content-length", "3"))), Send(b"%PD"))))
    assert (await refused(internet)).code == "unsupported_content_type"


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/markdown", b"# Hi", "# Hi"),
        ("application/json; charset=utf-8", b'{"a": 1}', '{"a": 1}'),
        ("application/vnd.api+json", b"{}", "{}"),
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "caf\xe9"),
        ('TEXT/PLAIN; Charset="Windows-1251"', b"\xcf\xf0\xe8", "\u041f\u0440\u0438"),
        ("text/plain", b"caf\xe9", "caf\xe9"),
        ("text/plain", "\u00fc\u4e2d".encode(), "\u00fc\u4e2d"),
        ("text/plain", b"\xef\xbb\xbfmarked", "marked"),
        ("text/plain", "wide".encode("utf-16"), "wide"),
        ("text/plain; charset=zlib", b"as it is", "as it is"),
        ("text/plain; charset=idna", b"as it is", "as it is"),
        ("text/plain; charset=iso-8859-99", b"as it is", "as it is"),
        ("text/html", b'<meta charset="shift_jis">\x93\xfa', '<meta charset="shift_jis">\u65e5'),
        ("text/html; charset=utf-8", b'<meta charset="rot13">abc', '<meta charset="rot13">abc'),
    ],
)
async def test_texts_and_their_character_sets(internet: Internet, kind: str, body: bytes, text: str) -> None:
    internet.server.script(page(body, kind))
    assert (await internet.fetch()).text == text


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"packed", mtime=0)),
        ("x-gzip", gzip.compress(b"pack", mtime=0) + gzip.compress(b"ed", mtime=0)),
        ("GZIP", gzip.compress(b"packed", mtime=0) + b"\x00\x00 and something else"),
        ("deflate", zlib.compress(b"packed")),
        ("deflate", zlib.compress(b"packed")[2:-4]),
        ("identity", b"packed"),
    ],
)
@pytest.mark.parametrize("split", [1, 7, None])
async def test_packed_bodies(internet: Internet, encoding: str, body: bytes, split: int | None) -> None:
    reply = page(body, "text/plain", ("content-encoding", encoding))
    internet.server.script(reply.split_every(split) if split else reply)
    assert (await internet.fetch()).text == "packed"


@pytest.mark.parametrize(
    ("encoding", "code"),
    [
        ("br", "unsupported_content_type"),
        ("zstd", "unsupported_content_type"),
        ("gzip, gzip", "unsupported_content_type"),
    ],
)
async def test_packings_that_nobody_asked_for(internet: Internet, encoding: str, code: str) -> None:
    internet.server.script(page(b"\x00" * 20, "text/plain", ("content-encoding", encoding)))
    assert (await refused(internet)).code == code


async def test_a_body_that_is_not_packed_as_it_says(internet: Internet) -> None:
    internet.server.script(page(b"plain text", "text/plain", ("content-encoding", "gzip")))
    assert (await refused(internet)).code == "url_not_accessible"


TEXT = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-type: text/plain"
FOUND = b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: "


@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        (FOUND + b"/\xff", "url_not_allowed"),
        (FOUND + b"http://a\xff.example/", "url_not_allowed"),
        (FOUND + b"http://docs.example.com:\xc2\xb2/", "invalid_tool_input"),
        (FOUND + b"http://docs.example.com:" + b"1" * 5000 + b"/", "url_too_long"),
        (FOUND + b"/\r\nlocation: http://127.0.0.1/", "url_not_allowed"),
        (FOUND.replace(b"302", b"99999"), "url_not_accessible"),
        (b"HTTP/1.1 101 Switch\r\nconnection: upgrade\r\nupgrade: x", "url_not_accessible"),
        (b"PRI * HTTP/2.0", "url_not_accessible"),
        (TEXT + b"\xff", "unsupported_content_type"),
        (TEXT + b"; charset=\xff", "x"),
        (TEXT + b"; charset*=utf-16''%00; charset*0=a", "x"),
        (TEXT + b"; charset*=\xff''%", "x"),
        (TEXT + b'; charset="', "x"),
        (TEXT + b"\r\ncontent-encoding: \xff", "unsupported_content_type"),
        (TEXT + b"\r\nset-cookie: \xff=\xff; a", "x"),
    ],
    ids=lambda value: ascii(value)[-40:],
)
async def test_heads_that_are_made_to_break_what_reads_them(internet: Internet, head: bytes, outcome: str) -> None:
    internet.server.script(Reply((Raw(head + b"\r\n\r\n" + b"x" * head.startswith(TEXT)), Cut())))
    try:
        found = (await internet.fetch()).text
    except ToolFailure as failure:
        found = failure.code
    assert (found, len(internet.server.requests)) == (outcome, 1)


async def test_a_connection_that_breaks(internet: Internet) -> None:
    half = Reply((Head(200, (("content-type", "text/plain"), ("content-length", "100"))), Send(b"half"), Cut()))
    internet.server.script(half)
    internet.server.always(Reply((Cut(),)))
    assert (await refused(internet)).code == "url_not_accessible"
    assert (await refused(internet)).code == "url_not_accessible"


async def test_a_long_text_is_cut_and_says_so(internet: Internet) -> None:
    internet.server.always(page("x" * 300))
    text = (await internet.fetch(limits=Limits(characters=100))).text
    assert text.startswith("x" * 100 + "\n\n[")
    assert len((await internet.fetch(limits=Limits(characters=300))).text) == 300
    fetcher = internet.fetcher(limits=Limits(most_characters=50))
    assert (await fetcher.fetch(fetcher.target(URL), anywhere, 1000)).text.startswith("x" * 50 + "\n\n[")


async def test_tls_asks_for_the_name_and_goes_to_the_checked_address(internet: Internet) -> None:
    """The server takes the first bytes of the handshake, in which the name stands, and leaves."""
    hello: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello.set_result(await reader.read(4096))
        writer.close()

    async with await asyncio.start_server(greeted, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        fetcher = Fetcher(AiohttpWeb(lambda *_: ("127.0.0.1", port)), internet.resolve, ChildExtractor(), Rules())
        with pytest.raises(ToolFailure) as failure:
            await fetcher.fetch(fetcher.target(f"https://{HOST}./"), anywhere)
        assert HOST.encode() in await asyncio.wait_for(hello, BOUND)
    assert failure.value.code == "url_not_accessible"


async def test_the_systems_resolver() -> None:
    resolver = SystemResolver()
    assert await resolver("127.0.0.1", 80) == ["127.0.0.1"]
    assert await resolver("::1", 80) == ["::1"]


async def test_names_that_take_long_hold_up_no_other_work() -> None:
    """Else whoever serves slow names could stop the gateway from finding its providers."""
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow(host: str, *_: int) -> list[tuple[str, tuple[str, int]]]:
        begun.release()
        go_on.wait(BOUND)
        return [(host, (PUBLIC, 80))]

    resolver = SystemResolver(slow)
    tasks = [asyncio.ensure_future(resolver(f"n{number}.example", 80)) for number in range(40)]
    try:
        for _ in range(NAMES_AT_ONCE):
            assert await asyncio.to_thread(begun.acquire, timeout=BOUND)
        assert not begun.acquire(blocking=False)
    finally:
        go_on.set()
    assert await asyncio.wait_for(asyncio.gather(*tasks), BOUND) == [[PUBLIC]] * 40


async def test_a_public_name_is_asked_for_as_a_whole_one(internet: Internet) -> None:
    """Else a resolver with search domains makes docs.example.com.corp.example of it."""
    internet.zone[f"{HOST}."] = [[PUBLIC]]
    assert await absolute(internet.resolve)(HOST, 80) == [PUBLIC]
    assert internet.asked == [f"{HOST}."]


async def test_an_operators_own_address_needs_no_check(internet: Internet) -> None:
    internet.server.script(page("found"))
    async with AiohttpWeb().send(WebRequest(f"{internet.server.url}/search?q=a%20b")) as reply:
        assert (reply.status, await reply.read()) == (200, b"found")
    assert internet.server.requests[0].target == "/search?q=a%20b"
