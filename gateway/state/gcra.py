"""The generic cell rate algorithm: a limit per window as one moment, the theoretical arrival time. Pure.

A cost is let through where the moment that it leads to is at most a burst away; otherwise the exact wait is known.
``share`` is how many keep to a limit together without knowing of each other: each lets its part of it through.
"""

from __future__ import annotations

from dataclasses import dataclass

from providers.spec import Traffic
from providers.windows import spacing

MINUTE = 60.0
INSTANT = 1e-6  # seconds; who waits for less may find the clock unmoved


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``limit`` requests in any ``window`` seconds, of which one in ``part`` may come at once."""

    limit: int
    window: float = MINUTE
    part: int = 40

    def wait(self, moment: float, now: float, share: int = 1) -> float:
        """Seconds until one more request fits; 0 = now."""
        interval, burst = self._pace(share)
        # Not as the algorithm is usually written: now + interval - now - interval is seldom 0 in binary, and never
        # passes.
        return _wait(moment - now - (burst - 1) * interval)

    def after(self, moment: float, now: float, share: int = 1) -> float:
        """The moment once a request is let through."""
        return max(moment, now) + self._pace(share)[0]

    @property
    def interval(self) -> float:
        """Seconds that one request takes of it."""
        return self._pace(1)[0]

    def _pace(self, share: int) -> tuple[float, int]:
        """Seconds between two requests, and how many may come at once: together never above the limit."""
        if share > 1:
            return share * spacing(self.limit, self.window, 1), 1
        burst = max(1, self.limit // self.part)
        return spacing(self.limit, self.window, burst), burst


def of_traffic(traffic: Traffic) -> Rate:
    """A provider's own limit; with the burst of ``providers/queue/gate.py``."""
    return Rate(traffic.rate or 1, traffic.window, part=20)


def requests_wait(moment: float, now: float, limit: int, share: int = 1) -> float:
    """Seconds until one more request fits a limit per minute; 0 = now."""
    return Rate(limit).wait(moment, now, share)


def after_request(moment: float, now: float, limit: int, share: int = 1) -> float:
    """The moment once a request is let through."""
    return Rate(limit).after(moment, now, share)


def tokens_wait(moment: float, now: float, limit: int, cost: int, share: int = 1) -> float:
    """Seconds until ``cost`` tokens fit; a cost above the burst waits until nothing is owed, and then passes."""
    interval, burst = MINUTE * share / limit, max(1, limit // (4 * share))
    return _wait(moment - now - max(0, burst - cost) * interval)


def after_tokens(moment: float, now: float, limit: int, cost: int, share: int = 1) -> float:
    """The moment once ``cost`` tokens are let through; a negative cost gives back. No more than a minute is owed."""
    return max(now, min(now + MINUTE * share, max(moment, now) + cost * MINUTE * share / limit))


def bucket_wait(moment: float, now: float, limit: int, cost: int = 1, share: int = 1) -> float:
    """Seconds until ``cost`` fits a bucket that holds a minute's limit and is filled evenly; 0 = now. What is larger
    than the bucket passes when it is full. ``after_tokens`` charges it.
    """
    return _wait(moment - now - max(0, max(1, limit // share) - cost) * MINUTE * share / limit)


def _wait(seconds: float) -> float:
    return seconds if seconds > INSTANT else 0.0
