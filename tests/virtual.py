"""An event loop whose time leaps to the next timer as soon as nothing else is left to do. It has no sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

from tests.moments import Moments

BEGINS = 1000.0  # seconds, on every such loop's clock
TURNS = 20  # of the loop, after which what was cancelled has ended

TICK = 1e-9  # seconds that a turn takes: whoever asks until time has passed gets an end

P = ParamSpec("P")


class Deadlock(Exception):
    """Everybody waits and no timer will ever fire."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Hours pass in milliseconds, always in the same order."""

    def __init__(self) -> None:
        super().__init__()
        self._now = BEGINS
        self._selector = self

    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> Sequence[Any]:
        """What the base class calls to wait for sockets or the next timer."""
        if timeout is None:
            raise Deadlock
        self._now += timeout + TICK
        return ()

    def _process_events(self, events: Sequence[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs an async test on a loop of this kind; a task that it leaves behind is an error."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(_alone(test(*args, **kwargs)))

    return run


async def _alone(test: Coroutine[Any, Any, None]) -> None:
    await test
    await turns()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"tasks that the test left behind: {left}"


async def turns(count: int = TURNS) -> None:
    """Lets the others run, without any time passing."""
    for _ in range(count):
        await asyncio.sleep(0)


def now() -> float:
    """Seconds since the loop began, to the tenth of a millisecond."""
    return round(asyncio.get_running_loop().time() - BEGINS, 4)


@dataclass
class VirtualMoments(Moments):
    """The running loop's time, where a component wants to be handed its own."""

    def clock(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return super().wall() + now()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds)
