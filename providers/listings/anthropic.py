"""Lists as Anthropic has them (platform.claude.com/docs/en/api/models-list, read 2026-11). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from providers.listings.model import Listed, Page, size, text


def read(value: Any) -> Page | None:
    """None where the value has another shape."""
    match value:
        case {"data": [*items], "has_more": bool() as more} if not items or any(map(_is_item, items)):
            last = text(value.get("last_id"))
            query = urlencode({"after_id": last, "limit": 1000}) if more and last else ""
            return Page(tuple(_models(items)), query)
    return None


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "model"


def _models(items: list[Any]) -> Iterator[Listed]:
    for item in filter(_is_item, items):
        if item.get("lifecycle") != "retired":
            yield Listed(
                text(item.get("id")),
                text(item.get("display_name")),
                _unix(item.get("created_at")),
                size(item, "max_input_tokens"),
                size(item, "max_tokens"),
            )


def _unix(moment: Any) -> int:
    try:
        return max(0, int(datetime.fromisoformat(moment).timestamp()))
    except (TypeError, ValueError, OverflowError):
        return 0
