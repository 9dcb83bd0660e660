"""What the upstream saw, in numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


def busiest(times: Sequence[float], window: float) -> int:
    """The most of them in any ``window`` seconds."""
    most = first = 0
    for last, moment in enumerate(times):
        while moment - times[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most


@dataclass(frozen=True)
class Kept:
    """How a limit per window was kept, over all keys."""

    total: int
    seconds: float  # from the first request to the last
    most: int  # of one key in any window
    utilisation: float  # of what the limits allow in that time


def kept(arrivals: Mapping[str, Sequence[float]], rate: int, window: float) -> Kept:
    """``rate`` requests of each key in any ``window`` seconds."""
    every = sorted(moment for times in arrivals.values() for moment in times)
    seconds = every[-1] - every[0]
    allowed = len(arrivals) * rate * seconds / window
    return Kept(
        len(every), seconds, max(busiest(sorted(times), window) for times in arrivals.values()), len(every) / allowed
    )


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
