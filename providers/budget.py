"""How many of a provider's recent attempts may have been repeats. Pure: every moment is a parameter."""

from __future__ import annotations

from collections import deque

SPAN = 60.0  # seconds that count as recent
SHARE = 0.2


class RetryBudget:
    """A failing provider gets at most a fifth more attempts than it has calls; a lone call gets its ``floor``."""

    def __init__(self, floor: int) -> None:
        self._floor = floor
        self._calls: deque[float] = deque()
        self._repeats: deque[float] = deque()

    def called(self, now: float) -> None:
        """A call came."""
        self._calls.append(now)
        _drop(self._calls, now)

    def allows(self, now: float) -> bool:
        """Takes one repeat from the budget where there is one."""
        for moments in (self._calls, self._repeats):
            _drop(moments, now)
        if len(self._repeats) + 1 > max(self._floor, SHARE * len(self._calls)):
            return False
        self._repeats.append(now)
        return True

    def left(self, now: float) -> float:
        """The share that is left, of 0 to 1."""
        for moments in (self._calls, self._repeats):
            _drop(moments, now)
        most = max(self._floor, SHARE * len(self._calls))
        return 1.0 - len(self._repeats) / most if most else 0.0


def _drop(moments: deque[float], now: float) -> None:
    while moments and moments[0] <= now - SPAN:
        moments.popleft()
