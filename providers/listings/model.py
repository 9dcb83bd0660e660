"""One model as its provider lists it, and what is no model for a conversation. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.facts import MILLION, Price

LONGEST = 200  # characters of a name
_LONGEST_TEXT = 1000
_LEAST = 256  # tokens of a size that is believed
_MOST = 100_000_000
# Words in the names of models that do something else: vectors, pictures, sound, judgements.
_OTHERS = re.compile(
    r"(?:^|[-_/.:])(?:text-)?(?:embed|embeddings?|rerank(?:er)?|moderations?|whisper|tts|stt|asr|transcribe"
    r"|speech|dall-e|imagen?|image|images|veo|sora|lyria|guard|realtime|clip|bge|ocr|babbage|davinci)(?=$|[-_/.:\d])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Listed:
    """Sizes are in tokens, None where the list does not say."""

    id: str
    title: str = ""
    created: int = 0  # Unix time, 0 where the list does not say
    window: int | None = None  # of a prompt
    output: int | None = None  # the longest answer
    price: Price | None = None
    talks: bool | None = None  # whether the list says that it is for conversations; None: it does not say

    @property
    def usable(self) -> bool:
        """A name that can be asked for, of a model that talks."""
        name = self.id
        if not (0 < len(name) <= LONGEST and name.isprintable() and name.isascii() and " " not in name):
            return False
        return self.talks if self.talks is not None else _OTHERS.search(name) is None


@dataclass(frozen=True, slots=True)
class Page:
    """A list, or a part of it; ``more`` is the query that asks for the next part."""

    models: tuple[Listed, ...]
    more: str = ""


def size(holder: Mapping[str, Any], *names: str) -> int | None:
    """The first of these members that is a number of tokens."""
    for name in names:
        value = holder.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and _LEAST <= value <= _MOST:
            return value
    return None


def inner(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object; an empty one where it is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """A string of a sensible length, "" for anything else."""
    return value if isinstance(value, str) and len(value) <= _LONGEST_TEXT and value.isprintable() else ""


def price(paid: Any, written: Any, read: Any = None, cached: Any = None, unit: float = MILLION) -> Price | None:
    """Prices as numbers or text, for a token where ``unit`` is a million of them; None where one is missing."""
    known = [_dollars(each, unit) for each in (paid, written, read, cached)]
    if known[0] is None or known[1] is None:
        return None
    return Price(known[0], known[1], known[2], known[3])


def _dollars(value: Any, unit: float) -> float | None:
    try:
        dollars = float(value) * unit
    except (TypeError, ValueError):
        return None
    return round(dollars, 6) if 0 <= dollars < MILLION else None
