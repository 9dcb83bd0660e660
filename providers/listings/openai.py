"""Lists as OpenAI has them, with what the many compatible ones add. Pure.

Members beside ``id`` and ``created``: OpenRouter, Groq, Mistral, Together, Fireworks, SambaNova, Moonshot, GitHub, vLLM
and Hugging Face, each as its own documentation has it (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from providers.facts import Price
from providers.listings.model import Listed, Page, inner, price, size, text

_WINDOWS = (
    *("context_length", "context_window", "max_model_len", "max_context_length", "max_input_tokens"),
    *("loaded_context_length", "n_ctx"),
)
_OUTPUTS = ("max_completion_tokens", "max_output_tokens", "max_output_length")
_TYPES_THAT_TALK = ("chat", "language", "code", "llm", "vlm", "model", "text")
_PREFIX = "models/"  # Gemini's compatible list has it


def read(value: Any) -> Page | None:
    """An object with ``data``, or a bare list. None where the value has another shape."""
    match value:
        case {"data": [*items]} | [*items]:
            return Page(tuple(_models(items)), _next(value))
    return None


def _next(value: Any) -> str:
    """OpenRouter names the next part by its address, of which only the query is taken."""
    link = inner(value, "links").get("next") if isinstance(value, dict) else None
    try:
        return urlsplit(text(link)).query
    except ValueError:
        return ""


def _models(items: list[Any]) -> Iterator[Listed]:
    for item in items:
        if isinstance(item, dict) and text(item.get("id")):
            places = (item, inner(item, "top_provider"), inner(item, "limits"), inner(item, "meta"), *_hosts(item))
            created = item.get("created")
            yield Listed(
                text(item["id"]).removeprefix(_PREFIX),
                text(item.get("name")),
                created if isinstance(created, int) and 0 < created < 1 << 40 else 0,
                _largest(places, _WINDOWS),
                _largest(places, _OUTPUTS),
                _price(inner(item, "pricing")),
                _talks(item),
            )


def _hosts(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Hugging Face: who serves the model, each with a window of its own."""
    hosts = item.get("providers")
    return [host for host in hosts if isinstance(host, dict)] if isinstance(hosts, list) else []


def _largest(places: tuple[Mapping[str, Any], ...], names: tuple[str, ...]) -> int | None:
    """The item's own word, else the largest of those inside it."""
    own = size(places[0], *names)
    return own or max((found for place in places[1:] if (found := size(place, *names))), default=None)


def _price(paid: Mapping[str, Any]) -> Price | None:
    """OpenRouter prices a token, Together a million of them."""
    if "prompt" in paid:
        kept = paid.get("input_cache_read"), paid.get("input_cache_write")
        return price(paid["prompt"], paid.get("completion"), *kept)
    return price(paid.get("input"), paid.get("output"), paid.get("cached_input"), unit=1.0)


def _talks(item: Mapping[str, Any]) -> bool | None:
    """What the list says of what the model is for; None where it says nothing."""
    abilities = inner(item, "capabilities")
    if item.get("active") is False or item.get("supports_chat") is False or abilities.get("completion_chat") is False:
        return False
    written = inner(item, "architecture").get("output_modalities") or item.get("supported_output_modalities")
    if isinstance(written, list):
        return "text" in written
    kind = item.get("type")
    if abilities.get("completion_chat") is True:
        return True
    return False if isinstance(kind, str) and kind and kind not in _TYPES_THAT_TALK else None
