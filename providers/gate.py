"""A provider's queue, its window and its slots. Those who wait are served in the order in which they came."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiolimiter import AsyncLimiter

from providers.spec import Traffic
from providers.windows import spacing


class QueueFull(Exception):
    """As many wait as may, or whoever came may not."""


class Gate:
    """One per provider and process. Without limits it costs nothing."""

    def __init__(self, traffic: Traffic, elsewhere: bool = False) -> None:
        """``elsewhere``: window and slots are a store's, which many processes share; here is only the queue."""
        self.traffic = traffic
        self.waiting = 0
        self.held = 0  # slots
        here = not elsewhere
        self._slots = asyncio.Semaphore(traffic.concurrency) if here and traffic.concurrency else None
        self._window = window(traffic.rate, traffic.window) if here and traffic.rate else None
        self._turn = asyncio.Lock() if self._slots or self._window else None

    @property
    def free(self) -> bool:
        """Nothing is limited here."""
        return self._turn is None

    @asynccontextmanager
    async def turn(self, patient: bool = True) -> AsyncIterator[None]:
        """One caller at a time may take a key and then pass. Raises QueueFull."""
        if self._turn is None:
            yield
            return
        async with self.place(self._turn.locked(), patient):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def enter(self, stack: AsyncExitStack, patient: bool = True) -> None:
        """A slot, which ``stack`` gives back, and one of the window's tokens. Only whoever has the turn may ask."""
        if self._slots is not None:
            async with self.place(self._slots.locked(), patient):
                await self._slots.acquire()
            self.held += 1
            stack.callback(self._leave, self._slots)
        if self._window is not None:
            async with self.place(not self._window.has_capacity(), patient):
                await self._window.acquire()

    def _leave(self, slots: asyncio.Semaphore) -> None:
        self.held -= 1
        slots.release()

    @asynccontextmanager
    async def place(self, waits: bool, patient: bool = True) -> AsyncIterator[None]:
        """A place among those who wait; who is not ``patient`` takes none. Raises QueueFull."""
        if not waits:
            yield
            return
        if not patient or self.waiting >= self.traffic.queue_limit:
            raise QueueFull
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    @property
    def backlog(self) -> int:
        """Whole seconds, at least 1, in which the window lets those pass who wait now."""
        if self.traffic.rate is None:
            return 1
        return max(1, math.ceil((self.waiting + 1) * self.traffic.window / self.traffic.rate))


def window(rate: int, seconds: float) -> AsyncLimiter:
    """A bucket that never lets more than ``rate`` pass in any ``seconds``.

    ``AsyncLimiter(rate, seconds)`` starts full and refills meanwhile: it lets nearly twice as many through the first
    window. A small bucket that refills with the rest of the rate does not; a moment slower than it might, since
    requests do not arrive as evenly as they leave.
    """
    burst = max(1, rate // 20)
    return AsyncLimiter(burst, burst * spacing(rate, seconds, burst))
