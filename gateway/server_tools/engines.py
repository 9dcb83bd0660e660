"""How each search engine is asked, and how its answer is read. Pure.

DuckDuckGo: its page without scripts, as claude-code-proxy asks it; ``result-link`` and ``result-snippet`` are that
page's classes. SearXNG: docs.searxng.org, Search API. Brave: api-dashboard.search.brave.com, Web Search. Tavily:
docs.tavily.com, Search (all read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from gateway.server_tools.failures import ToolFailure
from gateway.server_tools.request import USER_AGENT, WebRequest
from providers.json_object import NotJson, decode, encode
from providers.secret import Secret

HITS = 10
MOST_LINKS = 50  # of a result page that are looked at
LONGEST_PART = 4000  # characters of a tag or a text in it: ``unescape`` raises over more than 4300 digits

_TAG = re.compile(rf"<(a|td)(\s[^<>]{{0,{LONGEST_PART}}})>", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[^<>]*>")
_ATTRIBUTE = re.compile(r"""(?<![\w-])(class|href)\s*=\s*("[^"]*"|'[^']*'|[^\s"']+)""", re.IGNORECASE)
_END_OF_LINK = re.compile(r"</a", re.IGNORECASE)
_END_OF_CELL = re.compile(r"</?td", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Query:
    """``country`` is of two letters, "" where none was named."""

    text: str
    allowed: tuple[str, ...] = ()  # domains
    blocked: tuple[str, ...] = ()
    country: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """``age`` is the page's, in the engine's words, "" where it says none."""

    url: str
    title: str
    snippet: str = ""
    age: str = ""


class Engine(Protocol):
    """One search engine's language."""

    @property
    def name(self) -> str: ...

    def request(self, query: Query) -> WebRequest: ...

    def hits(self, body: bytes) -> Iterator[Hit]:
        """Raises ToolFailure (unavailable) for what is no answer of this engine's."""


@dataclass(frozen=True, slots=True)
class DuckDuckGo:
    """Needs nothing. Who asks it often is asked in turn whether they are human, and finds nothing."""

    base: str = "https://lite.duckduckgo.com"
    name: str = "duckduckgo"

    def request(self, query: Query) -> WebRequest:
        return _get(f"{self.base}/lite/", {"q": _narrowed(query)}, ("accept", "text/html"))

    def hits(self, body: bytes) -> Iterator[Hit]:
        for link in _links(body.decode("utf-8", "replace")):
            try:
                url = _led_to(urljoin(self.base, link.href))
                host = urlsplit(url).hostname or ""
            except ValueError:
                continue  # no URL
            if not host.endswith("duckduckgo.com"):  # else an advertisement, or its own pages
                yield Hit(url, link.title, link.snippet)


@dataclass(frozen=True, slots=True)
class SearXNG:
    """Somebody's own; the format json has to be switched on in it."""

    base: str
    name: str = "searxng"

    def request(self, query: Query) -> WebRequest:
        return _get(f"{self.base}/search", {"q": _narrowed(query), "format": "json"})

    def hits(self, body: bytes) -> Iterator[Hit]:
        for result in _results(_read(body)):
            yield Hit(
                _text(result, "url"), _text(result, "title"), _text(result, "content"), _text(result, "publishedDate")
            )


@dataclass(frozen=True, slots=True)
class Brave:
    """Needs a key."""

    key: Secret
    base: str = "https://api.search.brave.com"
    name: str = "brave"

    def request(self, query: Query) -> WebRequest:
        asked = {"q": _narrowed(query), "count": str(HITS), "text_decorations": "false"}
        asked |= {"country": query.country} if query.country else {}
        token = ("x-subscription-token", self.key.reveal())
        return _get(f"{self.base}/res/v1/web/search", asked, ("accept", "application/json"), token)

    def hits(self, body: bytes) -> Iterator[Hit]:
        web = _read(body).get("web")
        for result in _results(web if isinstance(web, dict) else {"results": []}):
            age = _text(result, "age") or _text(result, "page_age")
            yield Hit(_text(result, "url"), _text(result, "title"), _text(result, "description"), age)


@dataclass(frozen=True, slots=True)
class Tavily:
    """Needs a key; filters domains itself."""

    key: Secret
    base: str = "https://api.tavily.com"
    name: str = "tavily"

    def request(self, query: Query) -> WebRequest:
        asked: dict[str, Any] = {"query": query.text, "max_results": HITS}
        asked |= {"include_domains": query.allowed} if query.allowed else {}
        asked |= {"exclude_domains": query.blocked} if query.blocked else {}
        headers = (
            ("authorization", f"Bearer {self.key.reveal()}"),
            ("content-type", "application/json"),
            ("user-agent", USER_AGENT),
        )
        return WebRequest(f"{self.base}/search", method="POST", headers=headers, body=encode(asked))

    def hits(self, body: bytes) -> Iterator[Hit]:
        for result in _results(_read(body)):
            age = _text(result, "published_date")
            yield Hit(_text(result, "url"), _text(result, "title"), _text(result, "content"), age)


def _narrowed(query: Query) -> str:
    """With the domains in the engine's own words, which not all of them obey: the hits are filtered all the same."""
    sites = " OR ".join(f"site:{domain}" for domain in query.allowed[:HITS])
    return f"{query.text} {sites}" if sites else query.text


def _get(url: str, asked: Mapping[str, str], *headers: tuple[str, str]) -> WebRequest:
    return WebRequest(f"{url}?{urlencode(asked)}", headers=(("user-agent", USER_AGENT), *headers))


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        found = decode(body)
    except NotJson:
        found = None
    if not isinstance(found, dict):
        raise ToolFailure("unavailable", "the search service answered without JSON")
    return found


def _results(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    results = found.get("results")
    if not isinstance(results, list):
        raise ToolFailure("unavailable", "the search service answered without results")
    return [result for result in results if isinstance(result, dict)]


def _text(result: Mapping[str, Any], name: str) -> str:
    value = result.get(name)
    return _one_line(value) if isinstance(value, str) else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _led_to(url: str) -> str:
    """Where one of DuckDuckGo's own links leads: its member ``uddg``."""
    leads = parse_qs(urlsplit(url).query).get("uddg")
    return leads[0] if leads else url


@dataclass(slots=True)
class _Link:
    href: str
    title: str
    snippet: str = ""


def _links(page: str) -> list[_Link]:
    """The first links of a result page, each with what stands below it, in time that grows with the page and no more.

    ``html.parser`` takes a square of it: half a megabyte of ``<!--`` held the process for five minutes (Python 3.11.7,
    2026-11).
    """
    links: list[_Link] = []
    for tag in _TAG.finditer(page):
        named = {name.lower(): unescape(value.strip("\"'")) for name, value in _ATTRIBUTE.findall(tag[2])}
        classes = named.get("class", "").split()
        if tag[1] in "aA" and "result-link" in classes:
            if len(links) == MOST_LINKS:
                break
            links.append(_Link(named.get("href", ""), _text_from(page, tag.end(), _END_OF_LINK)))
        elif tag[1] not in "aA" and "result-snippet" in classes and links:
            links[-1].snippet = _text_from(page, tag.end(), _END_OF_CELL)
    return links


def _text_from(page: str, start: int, end: re.Pattern[str]) -> str:
    found = end.search(page, start, start + LONGEST_PART)
    inside = page[start : found.start() if found else start + LONGEST_PART]
    return _one_line(unescape(_ANY_TAG.sub("", inside)))
