"""What only OpenAI's two formats have, on its way from one of them to the other. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from providers.chat.request import ChatRequest


def told(request: ChatRequest, names: Collection[str], lost: list[str]) -> Iterator[tuple[str, Any]]:
    """The asides that an upstream takes, by Chat Completions' ``names``; what it is told is not ``lost``."""
    for name, aside in request.asides.items():
        if name in names:
            if aside.name in lost:
                lost.remove(aside.name)
            yield name, aside.value
