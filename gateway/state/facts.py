"""What was found out about models, told between processes and kept for those to come: in Redis."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from gateway.state import redis_text
from gateway.state.line import Job, Line
from gateway.state.reasons import StoreAway
from gateway.state.redis_text import Names
from gateway.state.scripts import EXCHANGE

KEPT = 90 * 86400  # seconds after which nobody needs it any more
AT_ONCE = 100  # facts that are written in one go

Facts = Mapping[str, Mapping[str, Mapping[str, Any]]]  # by provider, kind and model


class FactBook:
    """Two processes' words on one model are joined by whoever reads them; what is then new to the book is written."""

    def __init__(self, line: Line, names: Names) -> None:
        self._line = line
        self._names = names
        self._known: dict[str, dict[str, str]] = {}  # what the book is known to hold, by provider and field

    async def exchange(self, providers: Iterable[str], facts: Facts) -> Facts:
        """Writes what is new of ``facts``, and returns what is in the book of all ``providers``."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        with suppress(StoreAway):
            for provider in providers:
                found[provider] = await self._exchange(provider, _fields(facts.get(provider, {})))
        return found

    async def _exchange(self, provider: str, fields: dict[str, str]) -> dict[str, dict[str, Any]]:
        known = self._known.get(provider, {})
        new = [(field, text) for field, text in fields.items() if known.get(field) != text][:AT_ONCE]
        args = [str(KEPT), *(word for pair in new for word in pair)]
        flat = await self._line.run(Job(EXCHANGE, (f"{self._names.prefix}{{{provider}}}:facts",), args))
        self._known[provider] = dict(redis_text.pairs(flat))
        return _facts(self._known[provider])


def _fields(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {
        f"{kind} {redis_text.model_name(model)}": json.dumps(fact)
        for kind, models in facts.items()
        for model, fact in models.items()
    }


def _facts(fields: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for field, text in fields.items():
        kind, _, model = field.partition(" ")
        with suppress(ValueError):
            found.setdefault(kind, {})[model] = json.loads(text)
    return found
