"""Lists as Gemini's own API has them (ai.google.dev/api/models, read 2026-11). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from providers.listings.model import Listed, Page, size, text

PREFIX = "models/"
_TALKS = "generateContent"


def read(value: Any) -> Page | None:
    """None where the value has another shape."""
    match value:
        case {"models": [*items]} if any(isinstance(item, dict) and _names(item) for item in items):
            token = text(value.get("nextPageToken"))
            return Page(tuple(_models(items)), urlencode({"pageToken": token, "pageSize": 1000}) if token else "")
    return None


def _names(item: dict[str, Any]) -> bool:
    return text(item.get("name")).startswith(PREFIX)


def _models(items: list[Any]) -> Iterator[Listed]:
    for item in items:
        if isinstance(item, dict) and _names(item):
            ways = item.get("supportedGenerationMethods")
            silent = isinstance(ways, list) and _TALKS not in ways
            yield Listed(
                text(item["name"]).removeprefix(PREFIX),
                text(item.get("displayName")),
                window=size(item, "inputTokenLimit"),
                output=size(item, "outputTokenLimit"),
                talks=False if silent else None,
            )
