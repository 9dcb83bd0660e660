"""Time in a test's hands: pauses pass at once, timers fire when they are told to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from providers.ports import Time


@dataclass
class Timer:
    """Something that will be called, when the test says so."""

    seconds: float
    callback: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Moments:
    """A clock that goes on by itself and that a test can put forward; ``frozen``, it goes only when it is put."""

    frozen: bool = False
    ahead: float = 0.0
    slept: list[float] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    chance: float = 0.0
    paused: asyncio.Event = field(default_factory=asyncio.Event)  # somebody sleeps, where ``hold`` is set
    hold: asyncio.Event | None = None  # where set, sleepers wait for it

    def clock(self) -> float:
        return 1000.0 + self.ahead + (0.0 if self.frozen else time.monotonic())

    def wall(self) -> float:
        return 1_800_000_000.0 + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.hold is not None:
            self.paused.set()
            await self.hold.wait()
        self.ahead += seconds
        await asyncio.sleep(0)

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        self.timers.append(Timer(seconds, callback))
        return self.timers[-1]

    def fire(self) -> None:
        """Calls every timer that was not cancelled."""
        due, self.timers = self.timers, []
        for timer in due:
            if not timer.cancelled:
                timer.callback()

    def time(self) -> Time:
        return Time(self.clock, self.wall, self.sleep, lambda: self.chance, self.later)
