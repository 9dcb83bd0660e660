"""Every row's base URL, proxy, limits and timeouts are an operator's to set: by variables, and as connections show."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from providers.call import UpstreamRequest
from providers.catalog import CATALOG
from providers.errors import ErrorKind, UpstreamFailure
from providers.secret import Secret
from providers.spec import ProviderConfig, ProviderSpec, Retries, Timeouts, Traffic
from providers.transport import http_transport
from tests.gateway.place import Place, provider
from tests.gateway_process import ONE_ATTEMPT
from tests.providers.socks import Mood, socks_proxy
from tests.serving import ask, serving
from tests.upstream import ChatUpstream, ScriptedServer, Signal, json_reply
from tests.upstream import openai_chat as chat

BOUND = 10.0  # seconds
KEY = "row-0123456789abcdef"
ROWS = [row for row in CATALOG if row.id != "demo"]
HOSTED = [row for row in ROWS if not row.local]
every_row = pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
every_hosted_row = pytest.mark.parametrize("row", HOSTED, ids=[row.id for row in HOSTED])
LIMITS = {
    "RATE_LIMIT": "7",
    "RATE_WINDOW": "2.5",
    "MAX_CONCURRENCY": "3",
    "MAX_RETRIES": "1",
    "RETRY_BASE_DELAY": "0.5",
    "RETRY_MAX_DELAY": "9",
    "READ_TIMEOUT": "1",
    "WRITE_TIMEOUT": "2",
    "CONNECT_TIMEOUT": "3",
    "FIRST_TOKEN_TIMEOUT": "4",
    "KEY_USAGE_LIMIT": "5",
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def row_settings(row: ProviderSpec, settings: dict[str, str]) -> dict[str, str]:
    """These settings as the row's variables, with a key and, where only an operator knows it, an address."""
    resources = {part.variables[0]: "mine" for part in row.parts if part.needed}
    own = {"API_KEY": KEY, **settings}
    return {**resources, **{f"{row.prefixes[0]}_{name}": text for name, text in own.items()}}


def loaded(place: Place, row: ProviderSpec, **settings: str) -> ProviderConfig:
    read = place.load(row_settings(row, settings))
    assert read.warnings == ()
    return provider(read, row.id)


@every_row
def test_its_limits_and_timeouts(place: Place, row: ProviderSpec) -> None:
    config = loaded(place, row, **LIMITS)
    assert config.traffic == Traffic(rate=7, window=2.5, concurrency=3)
    assert config.retries == Retries(most=1, base_delay=0.5, max_delay=9)
    assert config.timeouts == Timeouts(read=1, write=2, connect=3, first_token=4)
    assert config.rotation.usage_limit == 5


@every_row
def test_its_limits_and_timeouts_in_the_file(place: Place, row: ProviderSpec) -> None:
    lines = [f"{name.lower()} = {text}" for name, text in LIMITS.items()]
    base = "base_url = 'http://127.0.0.1:9/base'\nproxy = 'socks5://127.0.0.1:1080'"
    settings = place.toml("\n".join(["[[providers]]", f"name = '{row.id}'", f"api_key = '{KEY}'", base, *lines]))
    config = provider(settings, row.id)
    assert (config.base_url, config.proxy) == ("http://127.0.0.1:9/base", Secret("socks5://127.0.0.1:1080"))
    assert (config.traffic, config.timeouts.read) == (Traffic(rate=7, window=2.5, concurrency=3), 1)


@every_row
@pytest.mark.parametrize("url", ["http://127.0.0.1:9/base", "https://llm.example.com/base/"])
def test_its_base_url(place: Place, row: ProviderSpec, url: str) -> None:
    assert loaded(place, row, BASE_URL=url).base_url == url.rstrip("/")


@every_row
@pytest.mark.parametrize(
    "proxy",
    ["http://127.0.0.1:3128", "https://me:pw@proxy.example.com:3129", "socks5://127.0.0.1:1080", "socks5h://me:pw@p:1"],
)
def test_its_proxy(place: Place, row: ProviderSpec, proxy: str) -> None:
    assert loaded(place, row, PROXY=proxy).proxy == Secret(proxy)


async def sent(config: ProviderConfig) -> UpstreamFailure:
    """What becomes of a request on this provider's way out, which must not lead anywhere."""
    transport = http_transport(config)
    request = UpstreamRequest(f"{config.base_url}/x", (("content-type", "application/json"),), b"{}", config.timeouts)
    try:
        async with asyncio.timeout(BOUND):
            with pytest.raises(UpstreamFailure) as raised:
                await transport.send(request)
            return raised.value
    finally:
        await transport.aclose()


@every_hosted_row
async def test_its_socks_proxy_sees_the_handshake_and_the_rows_own_host(place: Place, row: ProviderSpec) -> None:
    """The proxy resolves the name, so that nothing leaves this machine."""
    async with socks_proxy(Mood.REFUSE) as proxy:
        config = loaded(place, row, PROXY=f"socks5://me:p%40ss@127.0.0.1:{proxy.port}")
        failure = await sent(config)
    assert proxy.targets == [(urlsplit(config.base_url).hostname, 443)]
    assert proxy.logins == [("me", "p@ss")]
    assert failure.kind is ErrorKind.UNREACHABLE


@every_hosted_row
async def test_its_http_proxy_is_asked_for_a_tunnel_to_the_rows_own_host(place: Place, row: ProviderSpec) -> None:
    async with ScriptedServer() as proxy:
        proxy.script(json_reply({}, 403))
        config = loaded(place, row, PROXY=proxy.url)
        failure = await sent(config)
    assert [request.method for request in proxy.requests] == ["CONNECT"]
    assert proxy.requests[0].target == f"{urlsplit(config.base_url).hostname}:443"
    assert failure.words == "the proxy refused the connection"


async def test_an_https_proxy_is_spoken_to_in_tls(place: Place) -> None:
    hello = Signal()
    first: list[bytes] = []

    async def greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first.append(await reader.readexactly(3))
        hello.set()
        writer.close()

    server = await asyncio.start_server(greeted, "127.0.0.1", 0)
    async with server:
        [row] = [row for row in HOSTED if row.id == "groq"]
        port = server.sockets[0].getsockname()[1]
        failure = await sent(loaded(place, row, PROXY=f"https://127.0.0.1:{port}"))
        await hello.wait()
    assert first[0][:2] == b"\x16\x03"  # a TLS handshake record
    assert failure.kind in (ErrorKind.UNREACHABLE, ErrorKind.CUT)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_a_whole_call_through_a_rows_socks_proxy(tmp_path: Path, scheme: str) -> None:
    async with ChatUpstream() as upstream, socks_proxy() as proxy:
        upstream.script(chat.completion(chat.text("through")))
        environ = {
            "GROQ_API_KEY": KEY,
            "GROQ_BASE_URL": upstream.base_url,
            "GROQ_PROXY": f"{scheme}://me:p%40ss@127.0.0.1:{proxy.port}",
            "MODEL": "groq/openai/gpt-oss-120b",
            "ANTHROPIC_AUTH_TOKEN": "freecc",
        }
        async with serving(tmp_path, environ | ONE_ATTEMPT) as gateway, gateway.client() as client:
            reply = await client.post("/v1/messages", json=ask("Hi"))
        assert reply.json()["content"] == [{"type": "text", "text": "through"}]
        assert proxy.targets == [("127.0.0.1", upstream.port)]
        assert proxy.logins == [("me", "p@ss")]
        assert "p@ss" not in gateway.log.text
