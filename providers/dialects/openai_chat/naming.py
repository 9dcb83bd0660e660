"""Names and ids as Chat Completions takes them. Pure: the same in a definition, a call and a result."""

from __future__ import annotations

import base64
import hashlib
import re

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
    """The id where it fits, else one made of it."""
    return identity if 0 < len(identity) <= MAX_ID else f"call_{_digest(identity)[:24]}"


def id_of_length(identity: str, length: int) -> str:
    """The id where it has just so many letters and digits, else one made of it."""
    if len(identity) == length and identity.isascii() and identity.isalnum():
        return identity
    letters = base64.b64encode(hashlib.sha256(identity.encode("utf-8", "replace")).digest(), b"Aa")
    return letters.decode()[:length]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
