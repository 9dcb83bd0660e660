"""One HTTP request to a place outside: the only file here that imports an HTTP client.

aiohttp without its conveniences: no redirects, no cookies, no netrc, no proxy variables, no decompression. A request
that names its addresses is connected to one of these and no other, whatever a resolver says by then; its Host and the
name in its TLS handshake stay the URL's.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway.server_tools.addresses import beside
from gateway.server_tools.request import WebRequest

CONNECT = 10.0  # seconds
PIECE = 65536  # bytes that are read ahead, at most twice
NAMES_AT_ONCE = 4

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host for a port. Raises OSError."""

Lookup = Callable[[str, int, int, int], Sequence[tuple[Any, ...]]]
"""``socket.getaddrinfo``: host, port, family and type to tuples that end in a socket's address."""

Route = Callable[[str, int], tuple[str, int]]
"""Where an address and port are really reached. Tests put a server there."""


class Unreachable(Exception):
    """No answer, or the end of one that had begun. The message is for people and names no address."""


class WebReply(Protocol):
    """An answer whose head has come."""

    status: int
    headers: Mapping[str, str]  # names in lower case

    async def read(self) -> bytes:
        """What has come since the last read, as it was encoded; b"" at the end. Raises Unreachable."""


class Web(Protocol):
    """The way out."""

    def send(self, request: WebRequest) -> AbstractAsyncContextManager[WebReply]:
        """Entering it raises Unreachable; leaving it closes the connection."""


class SystemResolver:
    """This machine's resolver. See Resolve.

    A lookup cannot be ended, and whoever serves a name can make it last. So it has threads of its own: those in which
    providers' names are looked up stay free.
    """

    def __init__(self, lookup: Lookup = socket.getaddrinfo) -> None:
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(NAMES_AT_ONCE, "web-names")

    async def __call__(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._lookup, host, port, 0, socket.SOCK_STREAM)
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def absolute(resolve: Resolve) -> Resolve:
    """The same, asked with a closing dot: it does not try a name inside domains of its own."""

    async def resolve_absolute(host: str, port: int) -> list[str]:
        return await resolve(f"{host}.", port)

    return resolve_absolute


def near(address: str) -> bool:
    """Whether an address is ``beside`` the one of its own from which the kernel would send to it. Nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect((address, 9))
        except OSError:
            return False  # there is no way to it
        own = str(asked.getsockname()[0])
    return beside(ip_address(own), ip_address(address))


def _as_it_is(address: str, port: int) -> tuple[str, int]:
    return address, port


class AiohttpWeb:
    """See Web. Each request has a connection of its own: nothing is kept from one page to the next."""

    def __init__(self, route: Route = _as_it_is) -> None:
        self._route = route

    def send(self, request: WebRequest) -> AbstractAsyncContextManager[WebReply]:
        return _Sent(request, self._route)


class _Sent:
    def __init__(self, request: WebRequest, route: Route) -> None:
        self._request = request
        self._route = route
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> WebReply:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(self._session())
            asked = self._request
            try:
                response = await session.request(
                    asked.method,
                    URL(asked.url, encoded=True),
                    headers=asked.headers,
                    data=asked.body,
                    allow_redirects=False,
                )
            except _FOREIGN as error:
                raise Unreachable(_words(error)) from error
            stack.callback(response.close)
            self._stack = stack.pop_all()
        return _Reply(response)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def _session(self) -> aiohttp.ClientSession:
        pinned = _Pinned(self._request.addresses, self._route) if self._request.addresses else None
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=pinned, use_dns_cache=False, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
            trust_env=False,
            auto_decompress=False,
            read_bufsize=PIECE,
        )


class _Pinned(AbstractResolver):
    """Knows one answer, whatever it is asked."""

    def __init__(self, addresses: tuple[str, ...], route: Route) -> None:
        self._addresses = addresses
        self._route = route

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [_answer(host, *self._route(address, port)) for address in self._addresses]

    async def close(self) -> None:
        return


def _answer(name: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return {
        "hostname": name,
        "host": address,
        "port": port,
        "family": family,
        "proto": socket.IPPROTO_TCP,
        "flags": socket.AI_NUMERICHOST,
    }


class _Reply:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._content = response.content

    async def read(self) -> bytes:
        try:
            return await self._content.readany()
        except _FOREIGN as error:
            raise Unreachable(_words(error)) from error


_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLError, "the TLS handshake failed"),
    (aiohttp.ClientSSLError, "the TLS handshake failed"),
    (aiohttp.ConnectionTimeoutError, "connecting took too long"),
    (aiohttp.ClientConnectorError, "the connection was refused"),
    (aiohttp.ClientResponseError, "its answer is no HTTP"),
    (aiohttp.InvalidURL, "the request cannot be sent"),
    (aiohttp.ClientError, "the connection broke"),
    (TimeoutError, "it took too long"),
    (OSError, "the connection broke"),
    (ValueError, "the request cannot be sent"),
)
_FOREIGN = tuple(kind for kind, _ in _WORDS)


def _words(error: BaseException) -> str:
    return next(words for kind, words in _WORDS if isinstance(error, kind))
