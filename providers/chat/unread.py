"""Members that nobody here reads: of a message, a block or a tool. New ones come every year. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

# What says nothing: so it is where nothing is said.
_USUAL: tuple[Any, ...] = ({"type": "direct"}, {"enabled": False})


def note(holder: Mapping[str, Any], known: AbstractSet[str], path: str, lost: list[str]) -> None:
    """Names what ``holder`` has beside the ``known`` members and is not empty."""
    if not holder.keys() <= known:
        lost += [f"{path}.{name}" for name in holder if name not in known and _says(holder[name])]


def _says(value: Any) -> bool:
    return bool(value) and value not in _USUAL
