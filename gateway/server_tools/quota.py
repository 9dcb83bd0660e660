"""Who may have the gateway's web tools, and how often."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
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


class Rates:
    """See Quota. Never more than ``rate`` uses in any minute, in this process, by all clients together."""

    def __init__(self, rate: int, clients: Mapping[str, Allowance], clock: Clock) -> None:
        self._clients = clients
        self._clock = clock
        self._all = _Minute(rate)
        self._own = {name: _Minute(each.rate) for name, each in clients.items() if each.rate is not None}

    def allows(self, principal: str) -> bool:
        return self._clients.get(principal, Allowance()).web_tools

    def take(self, principal: str) -> bool:
        now = self._clock()
        minutes = [self._all, *([self._own[principal]] if principal in self._own else [])]
        if not all(minute.has_room(now) for minute in minutes):
            return False
        for minute in minutes:
            minute.uses.append(now)
        return True


@dataclass(slots=True)
class _Minute:
    """The moments of the last minute's uses."""

    rate: int
    uses: deque[float] = field(default_factory=deque)

    def has_room(self, now: float) -> bool:
        while self.uses and now - self.uses[0] >= MINUTE:
            self.uses.popleft()
        return len(self.uses) < self.rate
