"""How evenly something is shared, and those who want it: one who is greedy, and some who are polite."""

from __future__ import annotations

from collections.abc import Sequence

GREEDY = "greedy"
POLITE = tuple(f"polite-{number}" for number in range(1, 10))
WORKERS = {GREEDY: 50, **{name: 1 + number % 2 for number, name in enumerate(POLITE)}}
"""Calls that each keeps open all the time."""


def jain(shares: Sequence[float]) -> float:
    """The index of Jain, Chiu and Hawe (1984): 1 where all have the same, 1/n where one of n has all."""
    return sum(shares) ** 2 / (len(shares) * sum(each * each for each in shares))
