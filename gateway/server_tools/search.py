"""Searching the web at one engine, within bounds; what comes back is a stranger's text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Protocol
from urllib.parse import urlsplit

from gateway.server_tools import domains
from gateway.server_tools.engines import HITS, Engine, Hit, Query
from gateway.server_tools.failures import ToolFailure
from gateway.server_tools.outbound import Unreachable, Web, WebReply
from gateway.server_tools.urls import LONGEST, Rules, target

SECONDS = 15.0
LARGEST = 512 * 1024  # bytes of an answer
LONGEST_QUERY = 400  # characters: what Brave takes
_TITLE, _SNIPPET, _AGE = 300, 1000, 60  # characters
_TOO_OFTEN = (202, 418, 429)  # the first two are DuckDuckGo's
_ANYWHERE = Rules(private=True)  # a hit is only shown; whoever fetches it is held to the rules


class Search(Protocol):
    """A way to search."""

    async def find(self, query: Query) -> list[Hit]:
        """Raises ToolFailure: query_too_long, too_many_requests, unavailable."""


class EngineSearch:
    """See Search."""

    def __init__(self, engine: Engine, web: Web, seconds: float = SECONDS) -> None:
        self._engine = engine
        self._web = web
        self._seconds = seconds

    async def find(self, query: Query) -> list[Hit]:
        if len(query.text) > LONGEST_QUERY:
            raise ToolFailure("query_too_long", f"a query may have {LONGEST_QUERY} characters")
        try:
            async with asyncio.timeout(self._seconds), self._web.send(self._engine.request(query)) as reply:
                body = await self._body(reply)
        except TimeoutError:
            raise ToolFailure(
                "unavailable", f"{self._engine.name} took longer than {self._seconds:g} seconds"
            ) from None
        except Unreachable as error:
            raise ToolFailure("unavailable", f"{self._engine.name}: {error}") from error
        return list(_fitting(self._engine.hits(body), query))

    async def _body(self, reply: WebReply) -> bytes:
        if reply.status in _TOO_OFTEN:
            raise ToolFailure("too_many_requests", f"{self._engine.name} is asked too often (HTTP {reply.status})")
        if reply.status != 200:
            raise ToolFailure(
                "unavailable", f"{self._engine.name} answered HTTP {reply.status}{self._advice(reply.status)}"
            )
        parts: list[bytes] = []
        room = LARGEST
        while data := await reply.read():
            parts.append(data)
            room -= len(data)
            if room < 0:
                raise ToolFailure("unavailable", f"{self._engine.name} answered with too much")
        return b"".join(parts)

    def _advice(self, status: int) -> str:
        if status == 403 and self._engine.name == "searxng":
            return ": add json to search.formats in its settings.yml"
        return ": set WEB_SEARCH_API_KEY to a key that it takes" if status in (401, 403) else ""


def _fitting(hits: Iterable[Hit], query: Query) -> Iterator[Hit]:
    """Those of the domains that are asked for, each once."""
    outside = domains.rule(query.allowed, query.blocked)
    seen: set[str] = set()
    for hit in hits:
        if hit.url in seen or not _is_page(hit.url):
            continue
        try:
            place = target(hit.url, _ANYWHERE)
        except ToolFailure:
            continue
        if outside(place):
            continue
        seen.add(hit.url)
        yield Hit(hit.url, hit.title[:_TITLE] or place.host, hit.snippet[:_SNIPPET], hit.age[:_AGE])
        if len(seen) == HITS:
            return


def _is_page(url: str) -> bool:
    try:
        return len(url) <= LONGEST and urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False
