"""Addresses that an operator has a say in: parts of a row's base URL, and those by which a cloud is known. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

MODEL = "{model}"  # in a base URL: where the model's name goes
_BARE_HOST = re.compile(r"https?://[^/]+/?")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a row's base URLs that has variables of its own: a resource, a region."""

    text: str  # what stands there in the row
    variables: tuple[str, ...]  # the first is the one we write
    needed: bool = False  # without it there is no base URL; else ``text`` is what holds
    name: str = ""  # how people say it, where it is not the base URL as a whole that is missing without it
    shared: tuple[str, ...] = ()  # variables that other programs read too: they hold where the others say nothing
    hosts: tuple[tuple[str, str], ...] = ()  # values with a host that is not made like the row's

    def put(self, url: str, value: str) -> str:
        """``url`` with ``value`` in the place of this part."""
        host = urlsplit(url).netloc
        other = dict(self.hosts).get(value)
        return (url.replace(host, other, 1) if other and self.text in host else url).replace(self.text, value)


@dataclass(frozen=True, slots=True)
class Site:
    """The addresses of one cloud: how they are told from others, and how each is asked.

    They are the cloud's whichever provider's base URL they are given as.
    """

    hosts: tuple[str, ...]  # ends of their names
    stem: str  # a path that says no more than the host alone
    dated: str  # in the path of what wants a version of the API, which is a date
    version: str  # that date, where an operator names none
    roots: tuple[tuple[str, str], ...]  # (dialect, the path that it has at a bare host)
    dated_roots: tuple[tuple[str, str], ...] = ()  # the same where an operator names a date

    def has(self, url: str) -> bool:
        """Whether this is one of its addresses."""
        parts = urlsplit(url)
        return f".{parts.hostname or ''}".endswith(self.hosts) or self.dated in f"{parts.path}/"

    def dialect(self, url: str) -> str:
        """The dialect that an address is for, where its path alone says so; else "". Takes what is no URL too."""
        path = "/" + url.partition("://")[2].partition("/")[2].rstrip("/")
        found = [dialect for dialect, root in self.roots if root == path]
        return found[0] if len(found) == 1 else ""

    def place(self, url: str, dialect: str, version: str) -> tuple[str, str]:
        """The base URL and the query to ask with, for an operator's URL and version of the API ("" = none)."""
        parts = urlsplit(url)
        path, date = parts.path.rstrip("/"), version[:1].isdigit()
        dated = path == self.dated.rstrip("/") or (date and path in ("", self.stem))
        root = dict(self.dated_roots if dated else ()).get(dialect)
        if root is None and path in ("", self.stem):
            root = dict(self.roots).get(dialect)
        if root is not None:
            url = f"{parts.scheme}://{parts.netloc}{root}"
        if self.dated in f"{url}/":
            return url, f"?api-version={version or self.version}"
        return url, f"?api-version={version}" if version and not date else ""


def endpoint(base: str, path: str, model: str = "", query: str = "") -> str:
    """``path`` under the base URL of an OpenAI-shaped API; a bare host means ``/v1`` under it."""
    if MODEL in base:
        base = base.replace(MODEL, quote(model, safe=""))
    bare = "/v1" if _BARE_HOST.fullmatch(base) else ""
    return f"{base.rstrip('/')}{bare}{path}{query}"
