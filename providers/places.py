"""Parts of an address that only an operator knows: a project, a location. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Place:
    """``{name}`` in a row's base URLs. One without a value makes the provider unusable."""

    name: str
    variables: tuple[str, ...]  # that say it for this provider; the first is the one we write
    shared: tuple[str, ...] = ()  # that say it where those do not, and mean it for other programs too
    default: str = ""
    hosts: tuple[tuple[str, str], ...] = ()  # values whose host is not made as the base URL says

    @property
    def mark(self) -> str:
        return f"{{{self.name}}}"


def filled(url: str, places: Iterable[Place], values: Mapping[str, str]) -> str:
    """``url`` with the places' ``values`` in it, by their names; what has none stays."""
    for place in places:
        value = values.get(place.name, "")
        host = dict(place.hosts).get(value)
        if host and place.mark in urlsplit(url).netloc:
            url = url.replace(urlsplit(url).netloc, host, 1)
        url = url.replace(place.mark, value) if value else url
    return url


def open_places(url: str, places: Iterable[Place]) -> tuple[Place, ...]:
    """The places that ``url`` still lacks."""
    return tuple(place for place in places if place.mark in url)
