"""``extra_body``: members that a client or an operator adds to what an upstream is sent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from providers.json_object import JsonObject, encode

# What the gateway itself answers for: routing, the conversation, and how the reply is read.
PROTECTED = ("model", "messages", "input", "contents", "tools", "stream")
MEMBER = "extra_body"


def merged(body: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """``extra`` over ``body``, object into object; what is protected stays. Neither is changed."""
    return {**body, **{name: over(body.get(name), value) for name, value in extra.items() if name not in PROTECTED}}


def over(old: Any, new: Any) -> Any:
    """``new``, laid into ``old`` where both are objects."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**old, **{name: over(old.get(name), value) for name, value in new.items()}}


def kept_out(extra: Iterable[str]) -> list[str]:
    """What ``merged`` leaves alone, by its path in the request."""
    return [f"{MEMBER}.{name}" for name in extra if name in PROTECTED]


def of_request(body: JsonObject) -> Mapping[str, Any]:
    """The client's own; anything but an object is none."""
    value = body.get(MEMBER)
    return value if isinstance(value, dict) else {}


def wrong(body: JsonObject) -> bool:
    """The client's own is there and is no object."""
    return MEMBER in body and not isinstance(body.get(MEMBER), dict | None)


def edits(body: JsonObject, operators: Mapping[str, Any], answers: bool) -> dict[str, bytes | None]:
    """Changes that lay the operator's and the client's members into a body that otherwise keeps its bytes.

    ``answers`` False (a count of tokens) only takes the client's member out.
    """
    changes: dict[str, bytes | None] = {MEMBER: None} if MEMBER in body else {}
    extra = over(operators, of_request(body)) if answers else {}
    return changes | {
        name: encode(over(body.get(name), value)) for name, value in extra.items() if name not in PROTECTED
    }
