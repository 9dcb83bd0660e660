"""Access tokens by Google's Application Default Credentials: a file, or the metadata server of Google's machines."""

from __future__ import annotations

import asyncio
from pathlib import Path

from providers.errors import ErrorKind, UpstreamFailure
from providers.json_object import NotJson, decode
from providers.logins.bearer import Bearer, Token
from providers.logins.credentials import Credential
from providers.logins.google_transport import TokenRequests
from providers.logins.kinds import GoogleLogin
from providers.ports import Time
from providers.secret import Secret
from providers.spec import Timeouts
from providers.transport import AiohttpTransport, Transport

# cloud.google.com/compute/docs/metadata (read 2026-11)
METADATA = "/computeMetadata/v1/instance/service-accounts/default/token"
METADATA_HEADERS = (("metadata-flavor", "Google"),)


class GoogleTokens:
    """See ``providers.logins.bearer.TokenServer``. The file is read again for every token, so it may be replaced."""

    def __init__(self, login: GoogleLogin, transport: Transport, timeouts: Timeouts) -> None:
        self._login = login
        self._requests = TokenRequests(transport, timeouts)

    async def token(self) -> Token:
        if self._login.file is None:
            return await self._of_this_machine()
        return await asyncio.to_thread(self._of_file, self._login.file, asyncio.get_running_loop())

    async def aclose(self) -> None:
        await self._requests.aclose()

    async def _of_this_machine(self) -> Token:
        url = f"http://{self._login.metadata_host}{METADATA}"
        answer = await self._requests.ask(url, "GET", b"", METADATA_HEADERS)
        try:
            given = decode(answer.data)
            return Token(Secret(given["access_token"]), float(given["expires_in"]))
        except (NotJson, AttributeError, KeyError, TypeError, ValueError):
            words = f"the metadata server gave no token (HTTP {answer.status}); give this machine a service account"
            raise UpstreamFailure(ErrorKind.CREDENTIAL, words) from None

    def _of_file(self, path: Path, loop: asyncio.AbstractEventLoop) -> Token:
        """In a thread."""
        from providers.logins.google_files import token_of

        return token_of(path, self._requests.asker(loop))


def google_credential(login: GoogleLogin, timeouts: Timeouts, time: Time) -> Credential:
    """See ``providers.logins.credentials.LoginFactory``."""
    transport = AiohttpTransport(login.proxy.reveal() if login.proxy else None)
    return Bearer(GoogleTokens(login, transport, timeouts), time)
