"""Lanes of a queue that are closed for a while: no key can be had there before a known moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from providers.ports import Time


@dataclass(frozen=True, slots=True)
class _Closed:
    until: float  # on the Clock
    opening: asyncio.Task[None]
    slots: bool
    held: bool  # nothing opens it earlier


class ClosedLanes(Collection[str]):
    """Nobody looks for a key there. Each opens by itself, and ``opened`` is called."""

    def __init__(self, time: Time, opened: Callable[[], None]) -> None:
        self._time = time
        self._opened = opened
        self._closed: dict[str, _Closed] = {}

    def __contains__(self, lane: object) -> bool:
        return lane in self._closed

    def __iter__(self) -> Iterator[str]:
        return iter(self._closed)

    def __len__(self) -> int:
        return len(self._closed)

    def opens(self, lane: str) -> float:
        """When, on the Clock, a closed one does."""
        return self._closed[lane].until

    def left(self, lane: str) -> float:
        """Seconds until it opens."""
        return self.opens(lane) - self._time.clock() if lane in self._closed else 0.0

    def close(self, lane: str, seconds: float, slots: bool = False, held: bool = False) -> None:
        """``slots``: what is missing there is a slot. ``held``: ``open`` leaves it as it is."""
        self.forget(lane)
        opening = asyncio.ensure_future(self._reopen(lane, seconds))
        self._closed[lane] = _Closed(self._time.clock() + seconds, opening, slots, held)

    def open(self) -> None:
        """All that are not held, earlier than they would."""
        for lane in [lane for lane, closed in self._closed.items() if not closed.held]:
            self.forget(lane)
        self._opened()

    def hold(self, seconds: float) -> None:
        """All where slots are missing stay closed for so long."""
        for lane in [lane for lane, closed in self._closed.items() if closed.slots]:
            self.close(lane, seconds, slots=True, held=True)

    def forget(self, lane: str) -> None:
        """Nobody waits there."""
        if closed := self._closed.pop(lane, None):
            closed.opening.cancel()

    async def _reopen(self, lane: str, seconds: float) -> None:
        await self._time.sleep(seconds)
        del self._closed[lane]
        self._opened()
