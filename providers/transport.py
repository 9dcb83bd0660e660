"""Bytes to an upstream and back: the only file that imports an HTTP client.

aiohttp carries everything but SOCKS, for which httpx has a transport. Both are called below their client layer's
conveniences: no redirects, no cookies, no retries, no netrc. Measured here against a loopback server (2 cores,
2026-11-20, CPU per small request and per streamed chunk): httpx client over httpx-aiohttp 259 us and 15.7 us, that
transport without the client 122 us and 11.0 us, aiohttp 60 us and 8.5 us.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Protocol

import aiohttp
import httpx
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from providers.call import UpstreamRequest
from providers.errors import ErrorKind, UpstreamFailure
from providers.spec import ProviderConfig

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
        except (aiohttp.ClientError, OSError) as error:
            raise _failure(error) from error

    async def aclose(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class AiohttpTransport:
    """See Transport. The session is made on first use, inside the running loop."""

    def __init__(self, proxy: str | None = None) -> None:
        self._proxy = proxy
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
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failure(error) from error
        return AiohttpReply(response)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_KEPT),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,  # proxies come from the settings; netrc must never replace a key
            )
        return self._session


class _TimedBody(aiohttp.BytesPayload):
    """A body that the upstream must take within ``limit`` seconds; aiohttp has no timeout for that."""

    def __init__(self, body: bytes, limit: float) -> None:
        super().__init__(body, content_type="application/json")
        self._limit = limit

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        async with asyncio.timeout(self._limit):
            await super().write_with_length(writer, content_length)


class HttpxReply:
    """See UpstreamReply."""

    __slots__ = ("_chunks", "_response", "headers", "status")

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._chunks = response.aiter_bytes()
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)

    async def read(self) -> bytes:
        try:
            return await anext(self._chunks, b"")
        except httpx.TransportError as error:
            raise _failure(error) from error

    async def aclose(self) -> None:
        await self._response.aclose()


class HttpxTransport:
    """See Transport. For SOCKS proxies, which aiohttp does not speak."""

    def __init__(self, proxy: str) -> None:
        self._transport = httpx.AsyncHTTPTransport(
            proxy=httpx.Proxy(proxy),
            trust_env=False,
            limits=httpx.Limits(max_connections=None, keepalive_expiry=IDLE_KEPT),
        )

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        limits = request.timeouts
        timeout = {"connect": limits.connect, "write": limits.write, "read": None, "pool": None}
        try:
            response = await self._transport.handle_async_request(
                httpx.Request(
                    "POST",
                    request.url,
                    headers=list(request.headers),
                    content=request.body,
                    extensions={"timeout": timeout},
                )
            )
        except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
            raise _failure(error) from error
        return HttpxReply(response)

    async def aclose(self) -> None:
        await self._transport.aclose()


# Most telling first. The words name no address: a proxy's URL can hold a password.
_FAILURES: tuple[tuple[type[BaseException], ErrorKind, str], ...] = (
    (ssl.SSLError, ErrorKind.UNREACHABLE, "the TLS handshake failed"),
    (aiohttp.ClientSSLError, ErrorKind.UNREACHABLE, "the TLS handshake failed"),
    (aiohttp.ClientProxyConnectionError, ErrorKind.UNREACHABLE, "the proxy cannot be reached"),
    (aiohttp.ClientHttpProxyError, ErrorKind.UNREACHABLE, "the proxy refused the connection"),
    (httpx.ProxyError, ErrorKind.UNREACHABLE, "the proxy refused the connection"),
    (aiohttp.ClientConnectorDNSError, ErrorKind.UNREACHABLE, "its host name cannot be resolved"),
    (aiohttp.ConnectionTimeoutError, ErrorKind.UNREACHABLE, "connecting took too long"),
    (httpx.ConnectTimeout, ErrorKind.UNREACHABLE, "connecting took too long"),
    (aiohttp.ClientConnectorError, ErrorKind.UNREACHABLE, "the connection was refused"),
    (httpx.ConnectError, ErrorKind.UNREACHABLE, "the connection was refused"),
    (aiohttp.InvalidURL, ErrorKind.UNREACHABLE, "its base URL is no URL"),
    (httpx.InvalidURL, ErrorKind.UNREACHABLE, "its base URL is no URL"),
    (aiohttp.ClientResponseError, ErrorKind.MALFORMED, "its answer is no HTTP"),
    (httpx.RemoteProtocolError, ErrorKind.CUT, "it closed the connection before the end of its answer"),
    (TimeoutError, ErrorKind.UNREACHABLE, "it did not take the request in time"),
    (httpx.WriteTimeout, ErrorKind.UNREACHABLE, "it did not take the request in time"),
    (aiohttp.ClientError, ErrorKind.CUT, "it closed the connection before the end of its answer"),
    (httpx.TransportError, ErrorKind.CUT, "it closed the connection before the end of its answer"),
    (OSError, ErrorKind.CUT, "the connection broke"),
    (ValueError, ErrorKind.UNREACHABLE, "the request cannot be sent there"),
)


def _failure(error: BaseException) -> UpstreamFailure:
    kind, words = next((kind, words) for base, kind, words in _FAILURES if isinstance(error, base))
    return UpstreamFailure(kind, words)


def http_transport(config: ProviderConfig) -> Transport:
    """The way to an http(s) upstream, through its proxy where it has one."""
    proxy = config.proxy.reveal() if config.proxy else None
    if proxy and proxy.startswith("socks"):
        return HttpxTransport(proxy)
    return AiohttpTransport(proxy)


TransportFactory = Callable[[ProviderConfig], Transport]
