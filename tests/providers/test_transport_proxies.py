"""Upstreams behind a proxy of their own: HTTP and SOCKS5, that serve, refuse, or break."""

from __future__ import annotations

import asyncio
import base64

import pytest

from providers.call import UpstreamRequest
from providers.errors import ErrorKind, UpstreamFailure
from providers.secret import Secret
from providers.spec import Timeouts
from providers.transport import http_transport
from tests.providers.socks import Mood, Socks, socks_proxy
from tests.providers.support import BOUND, config, quick
from tests.upstream import Hang, Head, Reply, ScriptedServer, Send, blackhole, json_reply, refusing

PASSWORD = "proxy-p@ssword"
URL_PASSWORD = "proxy-p%40ssword"


async def ask(proxy: str, base: str, timeouts: Timeouts | None = None) -> tuple[int, bytes]:
    """One exchange through this proxy: the status and the body."""
    transport = http_transport(config(base, proxy=Secret(proxy)))
    headers = (("content-type", "application/json"), ("x-api-key", "k"))
    try:
        async with asyncio.timeout(BOUND):
            reply = await transport.send(UpstreamRequest(f"{base}/v1/messages", headers, b"{}", timeouts or quick()))
            try:
                parts = []
                while part := await reply.read():
                    parts.append(part)
                return reply.status, b"".join(parts)
            finally:
                await reply.aclose()
    finally:
        await transport.aclose()


async def refusal(proxy: str, base: str = "http://acme.example", timeouts: Timeouts | None = None) -> UpstreamFailure:
    """The failure, which names neither the proxy nor its password."""
    with pytest.raises(UpstreamFailure) as raised:
        await ask(proxy, base, timeouts)
    failure = raised.value
    for part in (PASSWORD, URL_PASSWORD, "127.0.0.1", "me:"):
        assert part not in str(failure)
    return failure


# HTTP proxies


async def test_an_http_proxy_is_asked_for_the_whole_address() -> None:
    async with ScriptedServer() as proxy:
        proxy.script(json_reply("through"))
        assert await ask(f"http://me:{URL_PASSWORD}@127.0.0.1:{proxy.port}", "http://acme.example") == (
            200,
            b'"through"',
        )
    [request] = proxy.requests
    assert request.target == "http://acme.example/v1/messages"
    assert request.header("host") == "acme.example"
    assert request.header("x-api-key") == "k"
    scheme, _, login = (request.header("proxy-authorization") or "").partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(login).startswith(b"me:proxy-p")


async def test_a_proxy_without_a_login_gets_none() -> None:
    async with ScriptedServer() as proxy:
        proxy.script(json_reply("through"))
        await ask(proxy.url, "http://acme.example")
    assert proxy.requests[0].header("proxy-authorization") is None


async def test_a_proxy_that_wants_a_login_for_plain_http_answers_407() -> None:
    async with ScriptedServer() as proxy:
        proxy.script(json_reply({"error": "login first"}, 407))
        assert (await ask(proxy.url, "http://acme.example"))[0] == 407


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_refuses_a_tunnel(status: int) -> None:
    async with ScriptedServer() as proxy:
        proxy.script(Reply((Head(status, (("content-length", "0"),)),)))
        failure = await refusal(f"http://me:{URL_PASSWORD}@127.0.0.1:{proxy.port}", "https://acme.example")
    assert (failure.kind, failure.words) == (ErrorKind.UNREACHABLE, "the proxy refused the connection")
    assert (proxy.requests[0].method, proxy.requests[0].target) == ("CONNECT", "acme.example:443")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there(scheme: str) -> None:
    with refusing() as nowhere:
        proxy = nowhere.replace("//", f"//me:{URL_PASSWORD}@")
        failure = await refusal(proxy, f"{scheme}://acme.example")
    assert (failure.kind, failure.words) == (ErrorKind.UNREACHABLE, "the proxy cannot be reached")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_never_takes_the_connection(scheme: str) -> None:
    with blackhole() as nowhere:
        proxy = nowhere.replace("http://", f"{scheme}://me:{URL_PASSWORD}@")
        failure = await refusal(proxy, timeouts=quick(connect=0.05))
    assert failure.kind is ErrorKind.UNREACHABLE
    assert failure.words in ("connecting took too long", "the proxy took too long")


# SOCKS5 proxies


def url(proxy: Socks, login: bool = True, scheme: str = "socks5") -> str:
    return f"{scheme}://{f'me:{URL_PASSWORD}@' if login else ''}127.0.0.1:{proxy.port}"


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("login", [False, True])
async def test_a_socks_proxy_relays(login: bool, scheme: str) -> None:
    async with ScriptedServer() as upstream, socks_proxy() as proxy:
        upstream.script(json_reply("through"))
        assert await ask(url(proxy, login, scheme), upstream.url) == (200, b'"through"')
    assert proxy.targets == [("127.0.0.1", upstream.port)]
    assert proxy.logins == ([("me", PASSWORD)] if login else [])
    assert upstream.requests[0].header("x-api-key") == "k"


async def test_a_socks_proxy_resolves_the_host_itself() -> None:
    async with socks_proxy(Mood.REFUSE) as proxy:
        await refusal(url(proxy), "http://acme.example")
    assert proxy.targets == [("acme.example", 80)]


@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("mood", [Mood.REFUSE, Mood.FORBID, Mood.GARBAGE])
async def test_a_socks_proxy_that_sends_away_is_left(mood: Mood, login: bool) -> None:
    async with socks_proxy(mood) as proxy:
        assert (await refusal(url(proxy, login))).kind is ErrorKind.UNREACHABLE
        await proxy.left.wait(2)


async def test_a_socks_proxy_that_hangs_up() -> None:
    async with socks_proxy(Mood.CUT) as proxy:
        assert (await refusal(url(proxy))).kind in (ErrorKind.UNREACHABLE, ErrorKind.CUT)


async def test_a_silent_socks_proxy_is_given_up_within_the_time_to_connect() -> None:
    async with socks_proxy(Mood.SILENT) as proxy:
        async with asyncio.timeout(2):
            failure = await refusal(url(proxy), timeouts=quick(connect=0.05))
        assert failure.kind is ErrorKind.UNREACHABLE
        await proxy.left.wait(2)


async def test_leaving_while_a_socks_proxy_is_silent_closes_its_connection() -> None:
    async with socks_proxy(Mood.SILENT) as proxy:
        asking = asyncio.ensure_future(ask(url(proxy), "http://acme.example"))
        await proxy.greeted.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await proxy.left.wait(2)


async def test_a_socks_proxy_that_is_not_there() -> None:
    with refusing() as nowhere:
        failure = await refusal(nowhere.replace("http://", f"socks5://me:{URL_PASSWORD}@"))
    assert failure.kind is ErrorKind.UNREACHABLE


async def test_a_relayed_stream_that_is_left_closes_all_the_way() -> None:
    async with ScriptedServer() as upstream, socks_proxy() as proxy:
        upstream.script(Reply((Head(), Send(b"one"), Hang())))
        asking = asyncio.ensure_future(ask(url(proxy), upstream.url))
        request = await upstream.request()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await request.gone.wait()
