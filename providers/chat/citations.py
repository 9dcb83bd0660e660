"""Where an answer's words come from: citations as Messages has them, and addresses as OpenAI's formats do. Pure.

A ``RawDelta`` carries either. Of those of Messages, the ones with an address become annotations; a position in a
document that only Anthropic's API was given means nothing elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ADDRESS = "url_citation"  # type of the deltas that OpenAI's readers make


@dataclass(frozen=True, slots=True)
class Address:
    """``start`` and ``end`` are places in a text, both 0 where nobody said them."""

    url: str
    title: str
    start: int = 0
    end: int = 0

    def within(self, start: int, end: int) -> Address:
        """The same in a longer text, of which this one's was the part from ``start`` to ``end``."""
        known = self.end > 0
        return Address(self.url, self.title, start + self.start, start + self.end if known else end)

    @property
    def annotation(self) -> dict[str, Any]:
        """As OpenAI's formats have it."""
        return {"url": self.url, "title": self.title, "start_index": self.start, "end_index": self.end}


def delta_of(annotation: Any) -> dict[str, Any] | None:
    """An annotation of OpenAI's, flat or with its member ``url_citation``; None for one without an address."""
    told = annotation.get(ADDRESS, annotation) if isinstance(annotation, Mapping) else {}
    if not isinstance(told, Mapping) or not isinstance(told.get("url"), str):
        return None
    return {
        "type": ADDRESS,
        **{name: told[name] for name in ("url", "title", "start_index", "end_index") if name in told},
    }


def address_of(delta: Mapping[str, Any]) -> Address | None:
    """The address that a delta of either kind cites."""
    told = delta if delta.get("type") == ADDRESS else delta.get("citation")
    if not isinstance(told, Mapping):
        return None
    url = told.get("url") or told.get("source")
    if not isinstance(url, str) or not url:
        return None
    return Address(url, _text(told.get("title")), _place(told.get("start_index")), _place(told.get("end_index")))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _place(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
