"""Names and ids as Chat Completions takes them. Pure: the same in a definition, a call and a result."""

from __future__ import annotations

import base64
import hashlib
import re

from providers.chat.marks import plain_id
from providers.quirks import Quirks

MAX_ID = 40  # characters of a call's id that OpenAI takes
# OpenAI takes a digit or a hyphen in front too, Gemini takes dots too: this is what both take.
_TOOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


def tool_name(name: str) -> str:
    """The name where every provider takes it, else one made of it that no other name makes."""
    if _TOOL_NAME.fullmatch(name):
        return name
    fit = _NOT_IN_A_NAME.sub("_", name)
    head = fit if _TOOL_NAME.match(fit) else f"_{fit}"
    return f"{head[:55]}_{_digest(name)[:8]}"


def call_id(identity: str) -> str:
    """The id, without a signature that it may carry, where it fits; else one made of it."""
    identity = plain_id(identity)
    return identity if 0 < len(identity) <= MAX_ID else f"call_{_digest(identity)[:24]}"


def id_of_length(identity: str, length: int) -> str:
    """The id where it has just so many letters and digits, else one made of it."""
    if len(identity) == length and identity.isascii() and identity.isalnum():
        return identity
    letters = base64.b64encode(hashlib.sha256(identity.encode("utf-8", "replace")).digest(), b"Aa")
    return letters.decode()[:length]


def of_model(model: str, beginnings: tuple[str, ...]) -> bool:
    """Whether the model's name, with or without what stands before its last slash, has one of these beginnings."""
    name = model.lower()
    return bool(beginnings) and (name.startswith(beginnings) or name.rpartition("/")[2].startswith(beginnings))


def think_names(model: str, quirks: Quirks) -> tuple[str, ...]:
    """What the tags can be called between which this model writes its thoughts, the usual name last."""
    return (*(name for beginning, name in quirks.think_names if of_model(model, (beginning,))), "think")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
