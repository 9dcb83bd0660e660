"""How often clients may use the gateway's web tools."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from providers.ports import Clock

MINUTE = 60.0


class Quota(Protocol):
    """What each client may have. ``principal`` is the name of its token, "" where none is needed."""

    def take(self, principal: str, own: int | None) -> bool:
        """One use, now; False where there have been too many of late. ``own`` is what its token may have a minute."""


class Rates:
    """See Quota. Never more than ``rate`` uses in any minute, in this process, by all clients together."""

    def __init__(self, clock: Clock, rate: int = 0) -> None:
        self._clock = clock
        self._rate = rate
        self._all = _Minute()
        self._own: dict[str, _Minute] = {}  # of clients with a rate, while they have a use in it

    def configured(self, rate: int) -> None:
        """Another rate; what was used in the last minute goes on counting."""
        self._rate = rate

    def take(self, principal: str, own: int | None) -> bool:
        now = self._clock()
        if not self._all.has_room(now, self._rate):
            return False
        if own is not None:
            minute = self._own.get(principal) or _Minute()
            if not minute.has_room(now, own):
                return False
            minute.uses.append(now)
            self._own = {name: each for name, each in self._own.items() if each.recent(now)} | {principal: minute}
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
