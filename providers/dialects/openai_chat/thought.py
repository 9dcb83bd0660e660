"""A thought of a Chat Completions answer, and what has to go back with it. Pure."""

from __future__ import annotations

from typing import Any

from providers.chat.marks import thought_signature
from providers.dialects.openai_chat.reasoning_details import FIELD, Details


class Thought:
    """See ``providers.chat.blocks.Thought``; ``field`` is the field or the tag that it came in."""

    def __init__(self, provider: str) -> None:
        self.field = ""
        self.said: list[str] = []
        self._provider = provider
        self._details = Details()

    @property
    def opaque(self) -> bool:
        return self._details.opaque

    def take(self, details: Any) -> None:
        """A delta's ``reasoning_details``."""
        if details:
            self._details.take(details)

    def signature(self) -> str:
        if not (self._details.opaque or self.field in ("", FIELD)):
            return thought_signature(self._provider, self.field)
        return thought_signature(self._provider, FIELD, self._details.payload("".join(self.said)))
