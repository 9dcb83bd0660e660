"""Thoughts, and the signatures that Gemini puts on any part of an answer, in a client's history. Pure.

A signature goes back on the part that it came on: on the thought, on the text that followed it, or on a part of its
own. Clients keep one signature for each thought, so it names the place: ``thought``, ``text`` or ``part``; the
signature of the thought itself stands behind a second ``#``. A thought without words carries what came on other parts.

The signature of a call is in the call's id. One that comes after the last words of an answer is not kept: it is not
asked for (ai.google.dev/gemini-api/docs/thought-signatures, read 2026-11), and an answer that ends with a thought is
an answer without a result to ``claude -p`` (2.1.197).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from providers.chat.marks import thought_origin, thought_signature

Place = Literal["thought", "text", "part"]


class SignedThought:
    """See ``providers.chat.blocks.Thought``. ``own`` is its signature; ``behind`` is that of what stands behind it."""

    def __init__(self, provider: str) -> None:
        self.said: list[str] = []
        self.own = ""
        self.behind = ""
        self._place: Place = "thought"
        self._provider = provider

    @property
    def opaque(self) -> bool:
        return bool(self.behind)

    def take(self, place: Place, signature: str) -> None:
        """The signature of the text that follows, or of a part that has nothing else."""
        self._place, self.behind = place, signature

    def signature(self) -> str:
        if not self.behind:
            return thought_signature(self._provider, "thought", self.own)
        return thought_signature(self._provider, self._place, f"{self.behind}#{self.own}" if self.own else self.behind)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a thought came from, and the signatures that came with it."""

    own: str = ""
    text: str = ""  # of the text that follows
    part: str = ""  # of a part that follows


def origin(signature: str, provider: str) -> Origin | None:
    """None where another provider made the thought, or this one in another dialect."""
    place, payload = thought_origin(signature, provider)
    behind, _, own = payload.partition("#")
    match place:
        case "thought":
            return Origin(own=payload)
        case "text":
            return Origin(own=own, text=behind)
        case "part":
            return Origin(own=own, part=behind)
    return None
