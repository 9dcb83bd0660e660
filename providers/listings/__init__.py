"""A provider's list of its models, in any of the shapes that lists have. Pure: bytes in, models out.

Which shape a list has does not follow from the dialect that a provider is asked in, so it is told by the body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from providers.json_object import NotJson, decode
from providers.listings import anthropic, gemini, ollama, openai
from providers.listings.model import Listed, Page

__all__ = ["MOST", "Listed", "Page", "Unreadable", "read"]

MOST = 5000  # models of one provider

_SHAPES: tuple[Callable[[Any], Page | None], ...] = (anthropic.read, gemini.read, ollama.read, openai.read)


class Unreadable(ValueError):
    """The body is no list of models; the message says what it is, in a few words."""


def read(body: bytes) -> Page:
    """The models that are of use for a conversation, each once, in their order. Raises Unreadable."""
    try:
        value = decode(body)
    except NotJson as error:
        raise Unreadable("its list of models is not JSON") from error
    page = next((page for shape in _SHAPES if (page := shape(value)) is not None), None)
    if page is None:
        raise Unreadable("its list of models has a shape that is not known")
    once = {model.id: model for model in page.models if model.usable}
    return Page(tuple(once.values())[:MOST], page.more)
