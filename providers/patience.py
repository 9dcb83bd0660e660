"""How long an upstream may be silent, with one timer for all reads of a stream; and how slow it may be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

SPAN = 30.0  # seconds over which a stream's pace is taken


class Patience:
    """``with patience: await read()`` raises TimeoutError where the read takes longer than ``limit`` seconds.

    What ``asyncio.timeout`` does, without making and cancelling a timer for each of thousands of reads: the one timer
    is set again only when it fires, for the moment at which the read that is then going on will be too long. Close it.
    """

    __slots__ = ("_began", "_fired", "_handle", "_limit", "_loop", "_task")

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._began: float | None = None  # when the read that is going on did
        self._fired = False

    def __enter__(self) -> None:
        if self._limit is None:
            return
        self._began = self._loop.time()
        if self._handle is None:
            self._task = asyncio.current_task()
            self._handle = self._loop.call_at(self._began + self._limit, self._due)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._began = None
        if self._fired and self._task is not None:
            self._fired = False
            if self._task.uncancel() == 0 and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._task = None

    def _due(self) -> None:
        self._handle = None
        if self._began is None or self._task is None or self._limit is None:
            return  # nothing is being read; the next read sets the timer
        if (due := self._began + self._limit) > self._loop.time():
            self._handle = self._loop.call_at(due, self._due)
            return
        self._fired = True
        self._task.cancel()


class Pace:
    """Notices a stream that crawls. Pure: the clock is handed in."""

    __slots__ = ("_bytes", "_clock", "_floor", "_since")

    def __init__(self, floor: float, clock: Callable[[], float]) -> None:
        """``floor`` in bytes a second."""
        self._floor = floor
        self._clock = clock
        self._since = clock()
        self._bytes = 0

    def crawls(self, size: int) -> bool:
        """``size`` more bytes came; says whether the last SPAN seconds brought less than the floor."""
        self._bytes += size
        passed = self._clock() - self._since
        if passed < SPAN:
            return False
        slow = self._bytes < self._floor * passed
        self._since += passed
        self._bytes = 0
        return slow
