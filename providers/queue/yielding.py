"""How often in a row a process may take again, from a limit that many share, what it gave back itself. Pure.

It is the first to know of that, and would else keep a place for as long as anybody waits here, while others only look
for one now and then. So it lets them look first once for every token that waits here, which gives every process as much
as it has tokens; more seldom where nobody takes what it leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST = 4  # times as often


@dataclass(slots=True)
class Yielding:
    """Of one process at one provider."""

    taken: int = 0  # since it last left something
    times: int = 1
    left: bool = False  # something, and nobody has looked here since

    def due(self, tokens: int) -> bool:
        """``tokens``: of so many, calls wait here."""
        return self.taken >= tokens * self.times

    def leaves(self) -> None:
        """Others look first now."""
        self.taken, self.left = 0, True

    def took(self) -> None:
        """Somebody who waited here was let through. What was left was still there: nobody else waits."""
        self.taken += 1
        if self.left:
            self.left, self.times = False, min(MOST, 2 * self.times)

    def refused(self) -> None:
        """Nothing is to be had. What was left, others took."""
        if self.left:
            self.left, self.times = False, 1
