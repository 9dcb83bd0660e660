"""Who may have the gateway's web tools, and how often."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from providers.ports import Clock

MINUTE = 60.0


class Quota(Protocol):
    """What each client may have. ``principal`` is the name of its token, "" where none is needed."""

    def allows(self, principal: str) -> bool:
        """Whether it may have the tools at all."""

    def take(self, principal: str) -> bool:
        """One use, now; False where there have been too many of late."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one token may have; ``rate`` is in uses a minute, None for no limit of its own."""

    web_tools: bool = True
    rate: int | None = None


AllowanceOf = Callable[[str], Allowance]
"""What the client of that name may have, asked anew each time: tokens come and go."""


class Rates:
    """See Quota. Never more than ``rate`` uses in any minute, in this process, by all clients together."""

    def __init__(self, rate: int, allowance_of: AllowanceOf, clock: Clock) -> None:
        self._rate = rate
        self._allowance_of = allowance_of
        self._clock = clock
        self._all = _Minute()
        self._own: dict[str, _Minute] = {}  # of clients with a rate, while they have a use in it

    def allows(self, principal: str) -> bool:
        return self._allowance_of(principal).web_tools

    def take(self, principal: str) -> bool:
        now, rate = self._clock(), self._allowance_of(principal).rate
        if not self._all.has_room(now, self._rate):
            return False
        if rate is not None:
            own = self._own.get(principal) or _Minute()
            if not own.has_room(now, rate):
                return False
            own.uses.append(now)
            self._own = {name: each for name, each in self._own.items() if each.recent(now)} | {principal: own}
        self._all.uses.append(now)
        return True


@dataclass(slots=True)
class _Minute:
    """The moments of the last minute's uses."""

    uses: deque[float] = field(default_factory=deque)

    def has_room(self, now: float, rate: int) -> bool:
        return self.recent(now) < rate

    def recent(self, now: float) -> int:
        """How many there were."""
        while self.uses and now - self.uses[0] >= MINUTE:
            self.uses.popleft()
        return len(self.uses)
