"""The generic cell rate algorithm: a limit per minute as one moment, the theoretical arrival time. Pure.

A cost is let through where the moment that it leads to is at most a burst away; otherwise the exact wait is known.
"""

from __future__ import annotations

from providers.windows import spacing

MINUTE = 60.0
INSTANT = 1e-6  # seconds; who waits for less may find the clock unmoved


def requests_wait(moment: float, now: float, limit: int) -> float:
    """Seconds until one more request fits a limit per minute; 0 = now."""
    interval, burst = _requests(limit)
    # Not as the algorithm is usually written: now + interval - now - interval is seldom 0 in binary, and never passes.
    return _wait(moment - now - (burst - 1) * interval)


def after_request(moment: float, now: float, limit: int) -> float:
    """The moment once a request is let through."""
    return max(moment, now) + _requests(limit)[0]


def tokens_wait(moment: float, now: float, limit: int, cost: int) -> float:
    """Seconds until ``cost`` tokens fit; a cost above the burst waits until nothing is owed, and then passes."""
    interval, burst = MINUTE / limit, max(1, limit // 4)
    return _wait(moment - now - max(0, burst - cost) * interval)


def after_tokens(moment: float, now: float, limit: int, cost: int) -> float:
    """The moment once ``cost`` tokens are let through; a negative cost gives back. No more than a minute is owed."""
    return max(now, min(now + MINUTE, max(moment, now) + cost * MINUTE / limit))


def _requests(limit: int) -> tuple[float, int]:
    """Seconds between two requests, and how many may come at once: together never above the limit in any minute."""
    burst = max(1, limit // 40)
    return spacing(limit, MINUTE, burst), burst


def _wait(seconds: float) -> float:
    return seconds if seconds > INSTANT else 0.0
