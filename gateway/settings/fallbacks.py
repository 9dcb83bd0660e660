"""MODEL_FALLBACKS and its kin: who takes over where a target fails."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.routing import Ref
from gateway.settings.layers import Value
from gateway.settings.refs import RefReader


def read_fallbacks(values: Iterable[Value], default: str, refs: RefReader) -> tuple[Ref, ...]:
    """The targets of one list, in its order. Those of providers without a key stay, with a warning."""
    found: list[Ref] = []
    for value in values:
        ref = refs.read(value, default)
        if ref is None:
            continue
        refs.warn_of_keyless(value.name, value.origin, ref.provider, f"{ref} is left out")
        found.append(ref)
    return tuple(found)


def members(value: Value) -> list[Value]:
    """Each member of a list between commas."""
    return [Value(value.name, part.strip(), value.origin) for part in value.text.split(",") if part.strip()]
