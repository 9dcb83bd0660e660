"""How each search engine is asked, and how its answer is read. Pure.

DuckDuckGo: its page without scripts, as claude-code-proxy asks it; ``result-link`` and ``result-snippet`` are that
page's classes. SearXNG: docs.searxng.org, Search API. Brave: api-dashboard.search.brave.com, Web Search. Tavily:
docs.tavily.com, Search (all read 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from gateway.server_tools.failures import ToolFailure
from gateway.server_tools.request import USER_AGENT, WebRequest
from providers.json_object import NotJson, decode, encode
from providers.secret import Secret

HITS = 10


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
        page = _ResultPage()
        page.feed(body.decode("utf-8", "replace"))
        page.close()
        for link in page.links:
            url = _led_to(urljoin(self.base, link.href))
            if (urlsplit(url).hostname or "").endswith("duckduckgo.com"):
                continue  # an advertisement, or its own pages
            yield Hit(url, _one_line(link.title), _one_line(link.snippet))


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
    title: str = ""
    snippet: str = ""


@dataclass
class _ResultPage(HTMLParser):
    """The links of a result page, each with what stands below it."""

    links: list[_Link] = field(default_factory=list)
    _inside: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        classes = (named.get("class") or "").split()
        if tag == "a" and "result-link" in classes:
            self.links.append(_Link(named.get("href") or ""))
            self._inside = tag
        elif tag == "td":
            self._inside = tag if "result-snippet" in classes and self.links else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "a":
            self.links[-1].title += data
        elif self._inside == "td":
            self.links[-1].snippet += data
