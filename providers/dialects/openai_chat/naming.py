"""Names and ids as Chat Completions takes them. Pure: the same in a definition, a call and a result."""

from __future__ import annotations

import hashlib
import re

MAX_ID = 40  # characters of a call's id that OpenAI takes
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


def tool_name(name: str) -> str:
    """The name where Chat Completions takes it, else one made of it that no other name makes."""
    if _TOOL_NAME.fullmatch(name):
        return name
    return f"{_NOT_IN_A_NAME.sub('_', name)[:55]}_{_digest(name)[:8]}"


def call_id(identity: str) -> str:
    """The id where it fits, else one made of it."""
    return identity if 0 < len(identity) <= MAX_ID else f"call_{_digest(identity)[:24]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
