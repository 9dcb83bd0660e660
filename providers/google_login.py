"""Access tokens by Google's Application Default Credentials: a file, or the metadata server of a machine of Google's.

What google-auth asks of servers goes through our own transport, so that proxies, time limits and TLS are the same as
everywhere; it waits for the answers in a thread, since it knows no event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from providers.bearer import Bearer, Token
from providers.call import UpstreamRequest
from providers.credentials import Credential
from providers.errors import ErrorKind, UpstreamFailure
from providers.json_object import NotJson, decode
from providers.logins import GoogleLogin
from providers.ports import Time
from providers.secret import Secret
from providers.spec import Timeouts
from providers.transport import AiohttpTransport, Transport

PATIENCE = 20.0  # seconds for one answer of a server that gives tokens
MOST = 1_000_000  # bytes of it
PASSING = (408, 429)
# cloud.google.com/compute/docs/metadata (read 2026-11)
METADATA = "/computeMetadata/v1/instance/service-accounts/default/token"
METADATA_HEADERS = (("metadata-flavor", "Google"),)

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """As google-auth reads it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


Ask = Callable[..., Answer]
"""Called as google-auth calls its transports: with url, method, body and headers."""


class GoogleTokens:
    """See ``providers.bearer.TokenServer``. The file is read again for every token, so it may be replaced."""

    def __init__(self, login: GoogleLogin, transport: Transport, timeouts: Timeouts) -> None:
        self._login = login
        self._transport = transport
        self._timeouts = timeouts
        self._asking: set[Future[Answer]] = set()

    async def token(self) -> Token:
        if self._login.file is None:
            return await self._of_this_machine()
        return await asyncio.to_thread(self._of_file, self._login.file, asyncio.get_running_loop())

    async def aclose(self) -> None:
        for future in tuple(self._asking):
            future.cancel()  # or its thread would wait for ever
        await self._transport.aclose()

    async def _of_this_machine(self) -> Token:
        url = f"http://{self._login.metadata_host}{METADATA}"
        answer = await self._ask(url, "GET", b"", METADATA_HEADERS)
        try:
            given = decode(answer.data)
            return Token(Secret(given["access_token"]), float(given["expires_in"]))
        except (NotJson, AttributeError, KeyError, TypeError, ValueError):
            words = f"the metadata server gave no token (HTTP {answer.status}); give this machine a service account"
            raise UpstreamFailure(ErrorKind.CREDENTIAL, words) from None

    def _of_file(self, path: Path, loop: asyncio.AbstractEventLoop) -> Token:
        """In a thread."""
        from providers.google_files import token_of

        return token_of(path, self._asker(loop))

    def _asker(self, loop: asyncio.AbstractEventLoop) -> Ask:
        """What google-auth calls for each request, from its thread."""

        def ask(
            url: str,
            method: str = "GET",
            body: bytes | None = None,
            headers: Mapping[str, str] | None = None,
            **_: object,
        ) -> Answer:
            asked = self._ask(url, method, body or b"", tuple((headers or {}).items()))
            future = asyncio.run_coroutine_threadsafe(asked, loop)
            self._asking.add(future)
            future.add_done_callback(self._asking.discard)
            return future.result()

        return ask

    async def _ask(self, url: str, method: str, body: bytes, headers: Headers) -> Answer:
        request = UpstreamRequest(url, headers, body, self._timeouts, method=method)
        who = f"the server that gives its tokens ({urlsplit(url).hostname})"
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._answer(request)
        except TimeoutError:
            raise UpstreamFailure(ErrorKind.UNREACHABLE, f"{who} did not answer in {PATIENCE:g} seconds") from None
        except UpstreamFailure as failure:
            raise UpstreamFailure(failure.kind, f"{who}: {failure.words}") from failure
        if answer.status >= 500 or answer.status in PASSING:
            raise UpstreamFailure(ErrorKind.SERVER_ERROR, f"{who} answered with HTTP {answer.status}")
        return answer

    async def _answer(self, request: UpstreamRequest) -> Answer:
        reply = await self._transport.send(request)
        try:
            data = b""
            while len(data) < MOST and (piece := await reply.read()):
                data += piece
            return Answer(reply.status, reply.headers, data)
        finally:
            await reply.aclose()


def google_credential(login: GoogleLogin, timeouts: Timeouts, time: Time) -> Credential:
    """See ``providers.credentials.LoginFactory``."""
    transport = AiohttpTransport(login.proxy.reveal() if login.proxy else None)
    return Bearer(GoogleTokens(login, transport, timeouts), time)
