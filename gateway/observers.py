"""Whoever wants to know of attempts, as one."""

from __future__ import annotations

from providers.ports import Attempt, Observer


class Observers:
    """Every observer as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def attempt_began(self, attempt: Attempt) -> None:
        for each in self._observers:
            each.attempt_began(attempt)

    def attempt_ended(self, attempt: Attempt) -> None:
        for each in self._observers:
            each.attempt_ended(attempt)
