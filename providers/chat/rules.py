"""What a member of a request may be, and the words in which anything else is refused. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.errors import bad_request

Rule = tuple[Any, str]  # types, and their name

TEXT: Rule = (str, "a string")
LIST: Rule = (list, "a list")
OBJECT: Rule = (dict, "an object")
FLAG: Rule = (bool, "true or false")
WHOLE: Rule = (int, "a whole number")
NUMBER: Rule = (int | float, "a number")
TEXT_OR_OBJECT: Rule = (str | dict, "a string or an object")
TEXT_OR_PARTS: Rule = (str | list, "a string or a list of parts")


def need(path: str, value: Any, rule: Rule) -> None:
    """Raises Fault (400) unless the value is of these types; true and false are no numbers."""
    expected, words = rule
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise bad_request(path, f"should be {words}")


def allow(path: str, value: Any, rule: Rule) -> None:
    """The same, where it may be left out."""
    if value is not None:
        need(path, value, rule)


def members(path: str, holder: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Each of an object's members that has a rule and is there."""
    for name, rule in rules.items():
        allow(f"{path}.{name}" if path else name, holder.get(name), rule)


def named(path: str, value: Any) -> None:
    """A name, which is not empty."""
    if not isinstance(value, str) or not value:
        raise bad_request(path, "should be a non-empty string")


def positive(path: str, value: Any) -> None:
    """A limit, where there is one."""
    allow(path, value, WHOLE)
    if value is not None and value < 1:
        raise bad_request(path, "should be 1 or more")
