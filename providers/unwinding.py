"""Giving back what a call holds, to the end, even while its task is being cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


async def to_the_end(unwinding: Coroutine[Any, Any, T]) -> T:
    """Awaits it whatever happens; a cancellation meanwhile is raised when it is done."""
    task = asyncio.ensure_future(unwinding)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as again:
            cancelled = again
    if cancelled is not None and task.exception() is None:
        raise cancelled
    return task.result()


class ShieldedStack(AsyncExitStack):
    """An exit stack that is unwound to its end."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return bool(await to_the_end(super().__aexit__(kind, error, trace)))
