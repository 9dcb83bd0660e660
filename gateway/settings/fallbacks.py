"""MODEL_FALLBACKS and its kin: who takes over where a target fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gateway.routing import Ref
from gateway.settings.layers import Value
from gateway.settings.refs import RefReader
from gateway.settings.report import Report


@dataclass(frozen=True, slots=True)
class Primary:
    """The target that a list stands in for, and the setting that names it."""

    ref: Ref
    named_by: str


def read_fallbacks(values: Iterable[Value], default: str, primary: Primary | None, refs: RefReader) -> tuple[Ref, ...]:
    """The targets of one list, in its order. Those of providers without a key stay, with a warning."""
    found: list[Ref] = []
    for value in values:
        # In a list that is used when all else fails, a word that names no provider is a slip.
        ref = refs.read(value, default, strict=True)
        if ref is None:
            continue
        if primary and ref == primary.ref:
            value.reject(refs.report, f"{value.text!r} is a cycle: {primary.named_by} names it already", "Remove it.")
        elif ref in found:
            value.reject(
                refs.report, f"{value.text!r} is a duplicate: the list has it already", "Remove one of the two."
            )
        refs.warn_of_unusable(value, ref.provider, f"{ref} is left out")
        found.append(ref)
    return tuple(found)


def members(value: Value, report: Report) -> list[Value]:
    """Each member of a list between commas."""
    parts = [part.strip() for part in value.text.split(",") if part.strip()]
    if not parts:
        value.reject(report, "names no model", "Write provider/model there, or remove the line.")
    return [replace(value, text=part) for part in parts]
