"""Requests to AWS, signed by an AWS identity in place of a key."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from providers.call import UpstreamRequest
from providers.logins.credentials import Credential
from providers.logins.kinds import AwsLogin
from providers.ports import Time
from providers.secret import Secret
from providers.spec import Timeouts

REFUSED = (401, 403)
PAUSE = 60.0  # seconds between two looks for other credentials, since most refusals have other reasons
# docs.aws.amazon.com/bedrock/latest/userguide/inference-messages-api.html; the services' names for signing are those of
# the anthropic SDK 2.10.0. An address of one's own is taken for the newer one.
SERVICE = "bedrock-mantle"
SERVICES = {"bedrock-runtime": "bedrock", "bedrock-mantle": SERVICE}
_HOST = re.compile(rf"(?:^|\.)({'|'.join(SERVICES)})\.([a-z0-9-]+)\.")


class AwsSigner:
    """See ``providers.logins.credentials.Credential``."""

    def __init__(self, login: AwsLogin, time: Time) -> None:
        self._login = login
        self._time = time
        self._credentials: Any = None
        self._used: tuple[Secret, ...] = ()
        self._looked = time.clock()
        self._finding = Lock()

    async def authorized(self, request: UpstreamRequest) -> UpstreamRequest:
        headers = await asyncio.to_thread(self._signature, request)
        return replace(request, headers=(*request.headers, *headers))

    def outdated(self, request: UpstreamRequest, status: int) -> bool:
        """A profile's file may have been replaced; what an operator wrote into a variable is what there is."""
        if status not in REFUSED or self._login.secret_key or self._time.clock() - self._looked < PAUSE:
            return False
        self._looked = self._time.clock()
        self._credentials = None
        return True

    def scrub(self, text: str) -> str:
        for secret in self._used:
            text = secret.scrub(text)
        return text

    async def aclose(self) -> None:
        """Nothing is open."""

    def _signature(self, request: UpstreamRequest) -> tuple[tuple[str, str], ...]:
        """In a thread."""
        from providers.logins.aws_signing import found, frozen, signature

        with self._finding:
            credentials = self._credentials = self._credentials or found(self._login)
        now = frozen(credentials)
        self._used = tuple(Secret(text) for text in (now.secret_key, now.token) if text)
        service, region = _place(request.url, self._login.region)
        content_type = dict(request.headers).get("content-type", "")
        return signature(now, request.url, request.body, content_type, service, region)


def _place(url: str, region: str) -> tuple[str, str]:
    """The service and the region that a signature is for."""
    found = _HOST.search(urlsplit(url).hostname or "")
    return (SERVICES[found[1]], found[2]) if found else (SERVICE, region)


def aws_credential(login: AwsLogin, _: Timeouts, time: Time) -> Credential:
    """See ``providers.logins.credentials.LoginFactory``."""
    return AwsSigner(login, time)
