"""Time that passes only while nothing happens: a test of minutes of waiting, over real sockets, takes milliseconds.

``@in_virtual_time`` runs an async test on a loop whose clock stands still while there is anything to do and leaps to
the next timer once there is not. All who talk must live in that loop: the client, the gateway, the scripted upstream.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

from providers.ports import Time
from tests.moments import Moments

IDLE = 0.01  # real seconds without an event on any socket; within one process, bytes arrive at once
PAST = 1e-9  # seconds; whoever computes a moment and finds it not quite there would ask for ever
BEGIN = 1000.0
BOUND = 86400.0  # virtual seconds that a test may take

P = ParamSpec("P")


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own."""

    def __init__(self) -> None:
        self._clock = BEGIN
        super().__init__(_Selector(self._leap))

    def time(self) -> float:
        return self._clock

    def _leap(self, seconds: float) -> None:
        self._clock += seconds + PAST


class _Selector(selectors.DefaultSelector):
    def __init__(self, leap: Callable[[float], None]) -> None:
        super().__init__()
        self._leap = leap

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(IDLE)
        if not events:
            self._leap(timeout)
        return events


@dataclass
class LoopMoments(Moments):
    """The gateway's time is the loop's, ``ahead`` of which a test can put it while nobody waits."""

    def clock(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead

    def wall(self) -> float:
        return 1_800_000_000.0 + self.clock() - BEGIN

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds)

    def time(self) -> Time:
        return Time(
            self.clock,
            self.wall,
            self.sleep,
            lambda: self.chance,
            lambda seconds, callback: asyncio.get_running_loop().call_later(seconds, callback),
        )


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The test as a plain function, which needs no plugin and takes no async fixture."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(_bounded(test(*args, **kwargs)))

    return run


async def _bounded(test: Coroutine[Any, Any, None]) -> None:
    async with asyncio.timeout(BOUND):
        await test
