"""Whether a URL stands in the conversation. Pure.

A model that could make up addresses could be told, by a page that it reads, to write what it knows into one. So only
what a user or a tool wrote down, letter by letter, is fetched (platform.claude.com, web fetch tool, read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv6Address
from itertools import islice

import idna

from gateway.server_tools.failures import ToolFailure
from gateway.server_tools.urls import LONGEST, Rules, Target, target

_REST = re.compile(rf"[^\s<>\"`]{{0,{LONGEST}}}")  # what a URL may go on with
_MOST = 20_000  # URLs of one host in one text that are looked at, which takes a fifth of a second
_TRAILING = ".,:;!?)]}'*_|\\"  # what may stand behind a URL and be none of it
_OPENING = "([{<\"'`*_|"  # what may stand before a host without its scheme
_SCHEME = re.compile(r"(https?)://\Z")
_LOOKED_BACK = 8  # characters: "https://"
_ANYWHERE = Rules(private=True)


def stands_in(place: Target, texts: Iterable[str]) -> bool:
    """With its scheme or without; http counts for https, and a fragment for nothing."""
    wanted = _key(place)
    hosts = _written(place)
    found = (each for text in texts for host in hosts for each in islice(_candidates(place, host, text), _MOST))
    return any(_key(each) == wanted for each in found)


def _written(place: Target) -> tuple[str, ...]:
    """How its host may be written in a text."""
    if isinstance(place.address, IPv6Address):
        return (f"[{place.host}]",)
    if "xn--" not in place.host:
        return (place.host,)
    with suppress(idna.IDNAError):
        return place.host, idna.decode(place.host)
    return (place.host,)


def _candidates(place: Target, host: str, text: str) -> Iterator[Target]:
    """The URLs of that host that a text holds, each with and without what may be punctuation behind it."""
    lowered = text.lower()
    at = lowered.find(host)
    while at >= 0:
        if (scheme := _scheme(lowered, at)) is not None:
            rest = _REST.match(text, at)
            yield from _readings(f"{scheme or place.scheme}://{rest[0] if rest else ''}")
        at = lowered.find(host, at + 1)


def _scheme(text: str, at: int) -> str | None:
    """What stands before a host: its scheme, "" for none; None where it is a part of another word, host or URL."""
    before = text[max(0, at - _LOOKED_BACK) : at]
    if found := _SCHEME.search(before):
        return found[1]
    return "" if not before or before[-1].isspace() or before[-1] in _OPENING else None


def _readings(written: str) -> Iterator[Target]:
    shorter = written
    while shorter:
        with suppress(ToolFailure):
            yield target(shorter.partition("#")[0], _ANYWHERE)
        if shorter[-1] not in _TRAILING:
            return
        shorter = shorter[:-1]


def _key(place: Target) -> tuple[str, int | None, str, str]:
    """The two schemes lead to one page at their own ports, and to two at any other."""
    port = None if (place.scheme, place.port) in (("http", 80), ("https", 443)) else place.port
    return place.host, port, place.path, place.query
