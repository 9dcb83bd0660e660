"""Whether a value holds a form: the part of it that a case demands. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ANY = "…"  # alone it is any value; around words, any text that holds them


def holds(value: Any, form: Any) -> bool:
    """An object has every member of the form, a list has its elements in their order among others.

    Everywhere a text and a list of one part with this text are the same.
    """
    if isinstance(form, str) and isinstance(value, list):
        return len(value) == 1 and isinstance(value[0], dict) and holds(value[0].get("text"), form)
    match form:
        case dict():
            return isinstance(value, dict) and all(name in value and holds(value[name], form[name]) for name in form)
        case list():
            return isinstance(value, list) and _in_order(iter(value), form)
        case str() if form.startswith(ANY):
            return form == ANY or (isinstance(value, str) and form.strip(ANY) in value)
        case bool():
            return value is form
    return bool(value == form and not isinstance(value, bool))


def _in_order(values: Iterator[Any], forms: list[Any]) -> bool:
    return all(any(holds(value, form) for value in values) for form in forms)


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The members that are not the same in both, in their order."""
    names = dict.fromkeys([*one, *other])
    return [name for name in names if (name in one, one.get(name)) != (name in other, other.get(name))]


def leaves(value: Any) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from leaves(child)
