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
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
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
        """Raises UpstreamFailure: UNREACHABLE, DISCONNECTED, CUT or MALFORMED."""

    async def aclose(self) -> None: ...


class AiohttpReply:
    """See UpstreamReply."""

    __slots__ = ("_closed", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        protocol = response.connection.protocol if response.connection else None
        # aiohttp's protocol is a queue too, and false while that is empty
        self._closed = None if protocol is None else protocol.closed
        if self._closed is not None:
            self._closed.add_done_callback(self._lost)

    async def read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except _FOREIGN as error:
            raise _failure(error) from error

    async def aclose(self) -> None:
        if self._closed is not None:  # else the connection would keep every answer that it served
            self._closed.remove_done_callback(self._lost)
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()

    def _lost(self, _: object) -> None:
        """aiohttp's parser, once it met bytes that are no chunk, tells nobody that the connection has gone."""
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the connection was lost"))


class AiohttpTransport:
    """See Transport. The session is made on first use, inside the running loop."""

    def __init__(self, proxy: str | None = None) -> None:
        """``proxy`` is an http, https, socks5 or socks5h URL, which may hold a password."""
        socks = proxy is not None and proxy.startswith("socks")
        self._socks = proxy if socks else None
        self._proxy = None if socks else proxy
        self._session: aiohttp.ClientSession | None = None
        self._connector: _Connector | None = None

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        limits = request.timeouts
        body = _TimedBody(request.body, limits.write)
        try:
            response = await self._open().request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=body if request.body else None,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect),
                allow_redirects=False,
                proxy=self._proxy,
            )
        except _FOREIGN as error:
            raise self._unsent(error, body.reused) from error
        return AiohttpReply(response)

    async def aclose(self) -> None:
        """The next ``send`` opens it anew."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _unsent(self, error: BaseException, reused: bool) -> UpstreamFailure:
        if not reused or not _found_dead(error):
            return _failure(error)
        if self._connector is not None:
            self._connector.distrust()
        return UpstreamFailure(ErrorKind.DISCONNECTED, "it had closed a connection that was to be used again")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._connector = _connector(self._socks)
            self._session = aiohttp.ClientSession(
                connector=self._connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,  # proxies come from the settings; netrc must never replace a key
            )
        return self._session


class _Connector(aiohttp.TCPConnector):
    """Tells a body whether its connection is a used one, which the server may have closed for being idle."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._known: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # connections, by aiohttp's protocols
        self._trusted = 0  # the generation of connections that are used again

    def distrust(self) -> None:
        """One was found dead, so all that are there by now may be: none of them is used again."""
        self._trusted += 1

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        while (generation := self._known.get(connection.protocol)) is not None:
            if generation == self._trusted:
                if isinstance(req.body, _TimedBody):
                    req.body.reused = True
                return connection
            connection.close()
            connection = await super().connect(req, traces, timeout)
        self._meet(connection)
        return connection

    def _meet(self, connection: Connection) -> None:
        protocol = connection.protocol
        if protocol is not None and protocol.closed is not None:
            self._known[protocol] = self._trusted
            protocol.closed.add_done_callback(_take_note)


def _take_note(closed: asyncio.Future[None]) -> None:
    """asyncio complains of an exception that nobody looked at; this one is told to whoever reads or writes."""
    if not closed.cancelled():
        closed.exception()


class _SocksConnector(_Connector, ProxyConnector):
    """The same through a SOCKS proxy."""


def _connector(socks: str | None) -> _Connector:
    if socks is None:
        return _Connector(limit=0, keepalive_timeout=IDLE_KEPT)
    # The proxy resolves names, in the way that socks5h spells and most people mean by socks5.
    plain = socks.replace("socks5h:", "socks5:", 1)
    return cast(_Connector, _SocksConnector.from_url(plain, rdns=True, limit=0, keepalive_timeout=IDLE_KEPT))


class _TimedBody(aiohttp.Payload):
    """A body of which the upstream must take each piece within ``limit`` seconds; aiohttp has no timeout for that.

    ``reused``: it goes out on a connection that has served an answer before.
    """

    _autoclose = True

    def __init__(self, body: bytes, limit: float) -> None:
        super().__init__(body, content_type="application/json")
        self._size = len(body)
        self._limit = limit
        self.reused = False

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


def _found_dead(error: BaseException) -> bool:
    """Whether the connection ended before any byte of an answer. A reset may have discarded some: nobody can tell."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return isinstance(error.message, str)  # else it is the part of the head that had come
    return isinstance(error, OSError) and not isinstance(error, TimeoutError)


def http_transport(config: ProviderConfig) -> Transport:
    """The way to an http(s) upstream, through its proxy where it has one."""
    return AiohttpTransport(config.proxy.reveal() if config.proxy else None)


TransportFactory = Callable[[ProviderConfig], Transport]
