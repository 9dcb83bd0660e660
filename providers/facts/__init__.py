"""What is known of models before anybody asked them: window, longest answer, abilities, prices.

``models.json`` was made by ``scripts/model_facts.py``; it says of what and when. A row of a provider's own model is
believed; what other providers say of a model of the same name is a hint only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

import msgspec

from providers.ports import Usage

ABILITIES: Mapping[str, str] = {"t": "tools", "v": "vision", "r": "thinking", "c": "caching"}
MILLION = 1_000_000
_DATE = re.compile(r"[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|latest|default)$")
_POINT = re.compile(r"(?<=\d)p(?=\d)")  # glm-4p7 is GLM 4.7 at Fireworks
_COLUMNS = 8
_JOINTS = re.compile(r"[-._ ]+")


@dataclass(frozen=True, slots=True)
class Price:
    """In dollars for a million tokens; None where the source says nothing."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None

    def cost(self, usage: Usage) -> float:
        """In dollars. What a cache costs is taken for input where nothing is said of it."""
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        return (
            usage.input_tokens * self.input
            + usage.cache_read_tokens * read
            + usage.cache_write_tokens * write
            + usage.output_tokens * self.output
        ) / MILLION


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model. Sizes are in tokens; ``abilities`` are those that the source speaks of, of ABILITIES."""

    window: int | None = None  # of a prompt
    output: int | None = None  # the longest answer
    abilities: frozenset[str] = frozenset()
    price: Price | None = None
    long: tuple[int, Price] | None = None  # the price of prompts with more tokens than these

    def cost(self, usage: Usage) -> float | None:
        """In dollars, None where no price is known."""
        prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        price = self.long[1] if self.long and prompt > self.long[0] else self.price
        return price.cost(usage) if price else None


class Facts:
    """The whole table. Its rows are read when they are asked for."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.source = str(document.get("source", ""))
        self.date = str(document.get("date", ""))
        self._providers: Mapping[str, Mapping[str, Any]] = document.get("providers", {})
        self._windows: Mapping[str, int] = document.get("models", {})

    def of(self, provider: str, model: str) -> ModelFacts | None:
        """What the provider's own row says of the model, with or without the date in its name."""
        rows = self._providers.get(provider, {})
        name = model.lower()
        row = rows.get(name) or rows.get(_DATE.sub("", name))
        return _facts(row) if row else None

    def window_elsewhere(self, model: str) -> int | None:
        """The window that most providers give a model of this name."""
        return self._windows.get(plain_name(model))


class LazyFacts:
    """The table that comes with the package, read when it is first asked for: some milliseconds."""

    @cached_property
    def table(self) -> Facts:
        raw = resources.files(__name__).joinpath("models.json").read_bytes()
        return Facts(msgspec.json.decode(raw))


def plain_name(model: str) -> str:
    """A model's name without vendor, tag, date and joints: z-ai/glm4.7:free and GLM-4.7 are one."""
    name = model.lower().rpartition("/")[2].partition(":")[0]
    return _JOINTS.sub("", _POINT.sub("", _DATE.sub("", name)))


def _facts(row: Sequence[Any]) -> ModelFacts:
    """A row, of which the end may be missing."""
    whole: list[Any] = [*row, *[None] * (_COLUMNS - len(row))]
    abilities = frozenset(ABILITIES[letter] for letter in whole[2] or "")
    long = whole[7]
    beyond = _price(*long[1:]) if long else None
    return ModelFacts(whole[0], whole[1], abilities, _price(*whole[3:7]), (long[0], beyond) if beyond else None)


def _price(paid: float | None, written: float | None, read: float | None, cached: float | None) -> Price | None:
    return None if paid is None or written is None else Price(paid, written, read, cached)
