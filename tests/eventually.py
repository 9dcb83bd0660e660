"""Waiting for what another program does and does not announce."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

LOOKS, APART = 400, 0.05  # 20 seconds


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Bounded."""
    for _ in range(LOOKS):
        if await holds():
            return
        await asyncio.sleep(APART)
    raise AssertionError(holds)
