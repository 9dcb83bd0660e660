"""OpenRouter's and MiniMax's ``reasoning_details``: what of them is text, and how the rest goes back. Pure.

An entry is ``{type: reasoning.text | reasoning.summary | reasoning.encrypted, text | summary | data, id, format, index,
signature}``. A stream sends an entry in pieces. Upstreams that sign or encrypt demand them back as they were
(openrouter.ai/docs, reasoning tokens; platform.minimax.io/docs/api-reference/text-openai-api; read 2026-11). A client
keeps a thought's text and its signature, so all but the text travels in the signature.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from providers.json_object import NotJson, decode, encode

Json = dict[str, Any]

FIELD = "reasoning_details"
_TEXTS = ("text", "summary")
_SAME = ("type", "index", "id")


def text_of(value: Any) -> str:
    """What a delta's details say."""
    return "".join(_text(entry)[1] for entry in _entries(value))


class Details:
    """The entries of one thought, put together from a stream's pieces."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[Json] = []

    @property
    def opaque(self) -> bool:
        """Whether something came that the text does not say and the upstream may want back."""
        return any(entry.get("signature") or entry.get("data") for entry in self._entries)

    def take(self, value: Any) -> None:
        for entry in _entries(value):
            if self._entries and _continues(self._entries[-1], entry):
                _extend(self._entries[-1], entry)
            else:
                self._entries.append(dict(entry))

    def payload(self, said: str) -> str:
        """The entries, with numbers of characters for the texts that ``said`` holds one after the other."""
        texts = [_text(entry) for entry in self._entries]
        held = "".join(text for _, text in texts) == said
        short = [
            {**entry, name: len(text)} if held and name else entry
            for entry, (name, text) in zip(self._entries, texts, strict=True)
        ]
        return urlsafe_b64encode(encode(short)).decode().rstrip("=") if short else ""


def restored(payload: str, said: str) -> list[Json]:
    """The entries that ``payload`` was made of; of a thought without one, its text as an entry."""
    if not payload:
        return [{"type": "reasoning.text", "text": said}]
    try:
        entries = decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (NotJson, ValueError):
        entries = None
    made: list[Json] = []
    at = 0
    for entry in _entries(entries):
        for name in _TEXTS:
            length = entry.get(name)
            if isinstance(length, int):
                entry = {**entry, name: said[at : at + length]}
                at += length
        made.append(dict(entry))
    return made


def _entries(value: Any) -> Iterable[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(entry: Mapping[str, Any]) -> tuple[str, str]:
    """The name and the text of the member that can be shown, ("", "") where there is none."""
    found = ((name, entry.get(name)) for name in _TEXTS)
    return next(((name, text) for name, text in found if isinstance(text, str) and text), ("", ""))


def _continues(known: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """A member that a later piece leaves out is the same; what is encrypted comes whole."""
    return not entry.get("data") and all(entry.get(name) in (None, known.get(name)) for name in _SAME)


def _extend(known: Json, piece: Mapping[str, Any]) -> None:
    for name, value in piece.items():
        before = known.get(name)
        if name in _TEXTS and isinstance(before, str) and isinstance(value, str):
            known[name] = before + value
        elif value is not None:
            known[name] = value
