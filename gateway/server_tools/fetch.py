"""One page from the public Internet, within bounds of time, size, type and place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.server_tools import addresses, bodies
from gateway.server_tools.extract import Extract
from gateway.server_tools.failures import ToolFailure
from gateway.server_tools.outbound import Resolve, Unreachable, Web, WebReply, near
from gateway.server_tools.request import USER_AGENT, WebRequest
from gateway.server_tools.urls import Rules, Target, redirected, target

_HEADERS = (
    ("user-agent", USER_AGENT),
    ("accept", "text/html,application/xhtml+xml,text/plain,text/markdown,application/json;q=0.9,*/*;q=0.1"),
    ("accept-encoding", bodies.ACCEPTED),
)
_REDIRECTS = (301, 302, 303, 307, 308)
_CUT = "\n\n[The page goes on; this is its beginning.]"

Domains = Callable[[Target], str]
"""Why a target is not of the domains that are allowed, "" where it is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a page may take of us."""

    seconds: float = 20.0  # from the wish for it to its text
    at_once: int = 16  # pages of all clients; the others wait for a place, within their seconds
    redirects: int = 10
    wire: int = 2 * 1024 * 1024  # bytes as they come
    unpacked: int = 2 * 1024 * 1024  # bytes of what was packed
    characters: int = 24_000  # of its text, where nobody says otherwise
    most_characters: int = 100_000  # whatever anybody says


@dataclass(frozen=True, slots=True)
class Page:
    """``url`` is where it was found in the end."""

    url: str
    title: str
    text: str


class Fetcher:
    """Every hop is checked anew: the URL, the domain, and each address that its name has at that moment."""

    def __init__(
        self,
        web: Web,
        resolve: Resolve,
        extract: Extract,
        rules: Rules,
        limits: Limits | None = None,
        near: Callable[[str], bool] = near,
    ) -> None:
        self._web = web
        self._resolve = resolve
        self._extract = extract
        self._rules = rules
        self._limits = limits or Limits()
        self._near = near
        self._places = asyncio.Semaphore(self._limits.at_once)

    def target(self, url: str) -> Target:
        """The URL in its one form. Raises ToolFailure."""
        return target(url, self._rules)

    async def fetch(self, first: Target, domains: Domains, characters: int | None = None) -> Page:
        """Raises ToolFailure."""
        limits = self._limits
        most = min(characters or limits.characters, limits.most_characters)
        try:
            async with asyncio.timeout(limits.seconds), self._places:
                return await self._follow(first, domains, most)
        except TimeoutError:
            words = f"it took longer than {limits.seconds:g} seconds"
            raise ToolFailure("url_not_accessible", words) from None
        except Unreachable as error:
            raise ToolFailure("url_not_accessible", str(error)) from error

    async def _follow(self, place: Target, domains: Domains, most: int) -> Page:
        for _ in range(self._limits.redirects + 1):
            if words := domains(place):
                raise ToolFailure("url_not_allowed", words)
            request = WebRequest(place.url, await self._addresses(place), headers=_HEADERS)
            async with self._web.send(request) as reply:
                if reply.status not in _REDIRECTS:
                    kind, body = await self._body(reply)
                    return await self._page(place, kind, body, most)
                place = redirected(place, reply.headers.get("location", ""), self._rules)
        raise ToolFailure("url_not_accessible", f"it redirects more than {self._limits.redirects} times")

    async def _addresses(self, place: Target) -> tuple[str, ...]:
        answers = [str(place.address)] if place.address is not None else await self._answers(place)
        if self._rules.private:
            return tuple(answers)
        if words := addresses.refusal_of_any(answers):
            raise ToolFailure("url_not_allowed", f"its name leads to an address that is not public: {words}")
        if any(self._near(answer) for answer in answers):
            raise ToolFailure("url_not_allowed", "its address is this machine's own, or in one network with it")
        return tuple(answers)

    async def _answers(self, place: Target) -> list[str]:
        try:
            answers = await self._resolve(place.host, place.port)
        except (OSError, UnicodeError):
            answers = []
        if not answers:
            raise ToolFailure("url_not_accessible", "its name has no address")
        return answers

    async def _body(self, reply: WebReply) -> tuple[str, str]:
        """The media type and the text of an answer."""
        if not 200 <= reply.status < 300:
            raise ToolFailure("url_not_accessible", f"it answered {reply.status}")
        kind, charset = bodies.media_type(reply.headers)
        if not (bodies.is_html(kind) or bodies.is_text(kind)):
            raise ToolFailure("unsupported_content_type", f"it is {kind[:60] or 'of no known type'}, not text")
        length = reply.headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > self._limits.wire):
            raise ToolFailure("content_too_large", "it is larger than what is read here")
        unpacker = bodies.Unpacker(reply.headers.get("content-encoding", ""), self._limits.unpacked)
        room, parts = self._limits.wire, list[bytes]()
        while data := await reply.read():
            room -= len(data)
            if room < 0:
                raise ToolFailure("content_too_large", "it is larger than what is read here")
            parts.append(unpacker.feed(data))
        return kind, bodies.decoded(b"".join(parts), charset, bodies.is_html(kind))

    async def _page(self, place: Target, kind: str, text: str, most: int) -> Page:
        title = ""
        if bodies.is_html(kind):
            found = await self._extract(text, place.url, most + 1)
            title, text = found.title, found.text
        return Page(place.url, title, text if len(text) <= most else text[:most] + _CUT)
