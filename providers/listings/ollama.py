"""Lists as Ollama's own API has them, /api/tags (docs.ollama.com/api, read 2026-11). Pure.

What a model was trained for is not what it was loaded with, so nothing of a window is taken from there.
"""

from __future__ import annotations

from typing import Any

from providers.listings.model import Listed, Page, text


def read(value: Any) -> Page | None:
    """None where the value has another shape."""
    match value:
        case {"models": [*items]} if all(isinstance(item, dict) and text(item.get("name")) for item in items):
            return Page(tuple(Listed(text(item["name"])) for item in items))
    return None
