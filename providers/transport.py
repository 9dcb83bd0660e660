"""Bytes to an upstream and back: the only file that imports an HTTP client.

aiohttp, without its conveniences: no redirects, no cookies, no retries, no netrc; aiohttp-socks where the proxy is a
SOCKS one (httpcore's never closes a connection whose handshake failed). Measured here against a loopback server
(2 cores, 2026-11-20, CPU per small request and per streamed chunk): httpx client over httpx-aiohttp 259 us and
15.7 us, that transport without the client 122 us and 11.0 us, aiohttp 60 us and 8.5 us.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Protocol

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError
from yarl import URL

from providers.call import UpstreamRequest
from providers.errors import ErrorKind, UpstreamFailure
from providers.spec import ProviderConfig

PIECE = 256 * 1024  # bytes of a body that are written at once
IDLE_KEPT = 15.0  # seconds an unused connection is kept; below what servers keep theirs, so that none is found dead


class UpstreamReply(Protocol):
    """An answer whose status has come. Close it, whatever happens; closing early drops the connection at once."""

    status: int
    headers: Mapping[str, str]  # names in lower case

    async def read(self) -> bytes:
        """What has come since the last read; b"" at the end. Raises UpstreamFailure (CUT)."""

    async def aclose(self) -> None: ...


class Transport(Protocol):
    """One provider's way out."""

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Raises UpstreamFailure: UNREACHABLE, CUT or MALFORMED."""

    async def aclose(self) -> None: ...


class AiohttpReply:
    """See UpstreamReply."""

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    async def read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except _FOREIGN as error:
            raise _failure(error) from error

    async def aclose(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class AiohttpTransport:
    """See Transport. The session is made on first use, inside the running loop."""

    def __init__(self, proxy: str | None = None) -> None:
        """``proxy`` is an http, https, socks5 or socks5h URL, which may hold a password."""
        socks = proxy is not None and proxy.startswith("socks")
        self._socks = proxy if socks else None
        self._proxy = None if socks else proxy
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        limits = request.timeouts
        try:
            response = await self._open().request(
                "POST",
                URL(request.url, encoded=True),
                headers=request.headers,
                data=_TimedBody(request.body, limits.write),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect),
                allow_redirects=False,
                proxy=self._proxy,
            )
        except _FOREIGN as error:
            raise _failure(error) from error
        _wake_when_lost(response)
        return AiohttpReply(response)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_connector(self._socks),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,  # proxies come from the settings; netrc must never replace a key
            )
        return self._session


def _wake_when_lost(response: aiohttp.ClientResponse) -> None:
    """aiohttp's parser, once it met bytes that are no chunk, tells nobody that the connection has gone."""

    def lost(_: object) -> None:
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the connection was lost"))

    content = response.content
    protocol = response.connection.protocol if response.connection else None
    if protocol is not None and (closed := protocol.closed) is not None:
        closed.add_done_callback(lost)


def _connector(socks: str | None) -> aiohttp.TCPConnector:
    if socks is None:
        return aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_KEPT)
    # The proxy resolves names, in the way that socks5h spells and most people mean by socks5.
    return ProxyConnector.from_url(
        socks.replace("socks5h:", "socks5:", 1), rdns=True, limit=0, keepalive_timeout=IDLE_KEPT
    )


class _TimedBody(aiohttp.Payload):
    """A body of which the upstream must take each piece within ``limit`` seconds; aiohttp has no timeout for that."""

    _autoclose = True

    def __init__(self, body: bytes, limit: float) -> None:
        super().__init__(body, content_type="application/json")
        self._size = len(body)
        self._limit = limit

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        body = memoryview(self._value)
        for start in range(0, len(body), PIECE):
            async with asyncio.timeout(self._limit):
                await writer.write(body[start : start + PIECE])


# Most telling first. The words name no address: a proxy's URL can hold a password.
_FAILURES: tuple[tuple[type[BaseException], ErrorKind, str], ...] = (
    (ssl.SSLError, ErrorKind.UNREACHABLE, "the TLS handshake failed"),
    (aiohttp.ClientSSLError, ErrorKind.UNREACHABLE, "the TLS handshake failed"),
    (aiohttp.ClientProxyConnectionError, ErrorKind.UNREACHABLE, "the proxy cannot be reached"),
    (ProxyConnectionError, ErrorKind.UNREACHABLE, "the proxy cannot be reached"),
    (ProxyTimeoutError, ErrorKind.UNREACHABLE, "the proxy took too long"),
    (ProxyError, ErrorKind.UNREACHABLE, "the proxy refused the connection"),
    (aiohttp.ClientHttpProxyError, ErrorKind.UNREACHABLE, "the proxy refused the connection"),
    (aiohttp.ClientConnectorDNSError, ErrorKind.UNREACHABLE, "its host name cannot be resolved"),
    (aiohttp.ConnectionTimeoutError, ErrorKind.UNREACHABLE, "connecting took too long"),
    (aiohttp.ClientConnectorError, ErrorKind.UNREACHABLE, "the connection was refused"),
    (aiohttp.InvalidURL, ErrorKind.UNREACHABLE, "its base URL is no URL"),
    (aiohttp.ClientResponseError, ErrorKind.MALFORMED, "its answer is no HTTP"),
    (HttpProcessingError, ErrorKind.CUT, "its answer broke the rules of HTTP"),
    (TimeoutError, ErrorKind.UNREACHABLE, "it did not take the request in time"),
    (aiohttp.ClientError, ErrorKind.CUT, "it closed the connection before the end of its answer"),
    (EOFError, ErrorKind.UNREACHABLE, "the proxy closed the connection"),
    (OSError, ErrorKind.CUT, "the connection broke"),
    (ValueError, ErrorKind.UNREACHABLE, "the request cannot be sent there"),
)

_FOREIGN = tuple(kind for kind, _, _ in _FAILURES)


def _failure(error: BaseException) -> UpstreamFailure:
    kind, words = next((kind, words) for base, kind, words in _FAILURES if isinstance(error, base))
    return UpstreamFailure(kind, words)


def http_transport(config: ProviderConfig) -> Transport:
    """The way to an http(s) upstream, through its proxy where it has one."""
    return AiohttpTransport(config.proxy.reveal() if config.proxy else None)


TransportFactory = Callable[[ProviderConfig], Transport]
