"""A token that expires: had once for all who wait for it, and had anew before it ends."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace
from typing import Protocol

from providers.call import UpstreamRequest
from providers.errors import UpstreamFailure
from providers.ports import Time
from providers.secret import Secret

EARLY = 300.0  # seconds before its end from which on a new one is had, while the old one still serves
LATE = 30.0  # and from which on calls wait for the new one
PAUSE = 15.0  # seconds between two such tries
REFUSED = 401


@dataclass(frozen=True, slots=True)
class Token:
    """``lifetime`` in seconds, from when it was given; ``headers`` go with it."""

    secret: Secret
    lifetime: float = math.inf
    headers: tuple[tuple[str, str], ...] = ()


class TokenServer(Protocol):
    """Who gives tokens."""

    async def token(self) -> Token:
        """A new one. Raises UpstreamFailure."""

    async def aclose(self) -> None: ...


class Bearer:
    """See ``providers.logins.credentials.Credential``."""

    def __init__(self, server: TokenServer, time: Time) -> None:
        self._server = server
        self._time = time
        self._headers: tuple[tuple[str, str], ...] = ()
        self._secrets: tuple[Secret, ...] = ()  # this one and the one before, which calls may still hold
        self._ends = -math.inf  # on the wall clock, which goes on while a machine sleeps
        self._next = -math.inf
        self._minting: asyncio.Task[Token] | None = None

    async def authorized(self, request: UpstreamRequest) -> UpstreamRequest:
        now = self._time.wall()
        if now >= self._ends - LATE:
            await self._fresh()
        elif now >= self._ends - EARLY and now >= self._next:
            self._begin()
        return replace(request, headers=(*request.headers, *self._headers))

    def outdated(self, request: UpstreamRequest, status: int) -> bool:
        """A token may be revoked before its end. Only the first who hears of it drops it; the others wait with him."""
        if status != REFUSED:
            return False
        if self._headers and self._headers[0] in request.headers:
            self._ends = -math.inf
        return True

    def scrub(self, text: str) -> str:
        for secret in self._secrets:
            text = secret.scrub(text)
        return text

    async def aclose(self) -> None:
        if self._minting is not None:
            self._minting.cancel()
            await asyncio.wait((self._minting,))
        await self._server.aclose()

    async def _fresh(self) -> None:
        """Everybody waits for one and the same. A call that goes away takes nothing from the others."""
        try:
            await asyncio.shield(self._begin())
        except UpstreamFailure as failure:
            raise replace(failure) from failure  # one of its own for each call: its lease writes into it

    def _begin(self) -> asyncio.Task[Token]:
        if self._minting is None:
            self._next = self._time.wall() + PAUSE
            self._minting = asyncio.get_running_loop().create_task(self._minted())
            self._minting.add_done_callback(self._over)
        return self._minting

    async def _minted(self) -> Token:
        began = self._time.wall()
        token = await self._server.token()
        self._ends = began + token.lifetime
        self._headers = (("authorization", f"Bearer {token.secret.reveal()}"), *token.headers)
        self._secrets = (token.secret, *self._secrets[:1])
        return token

    def _over(self, minted: asyncio.Task[Token]) -> None:
        self._minting = None
        if not minted.cancelled():
            minted.exception()  # told to whoever waited; where nobody did, the old token still serves
