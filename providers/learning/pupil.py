"""What one live provider was found to refuse, learned from its refusals and applied from then on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.errors import ErrorKind, UpstreamFailure
from providers.learning.lessons import Learned, applied, lesson
from providers.spec import ProviderConfig

REMEMBERED = 256  # models
NOT_FOUND = 404


class Pupil:
    """One per provider and process."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config  # as it is asked now
        self._first = config
        self._sure = False  # of the dialect: something was answered
        self._known: dict[str, Learned] = {}

    @property
    def known(self) -> Mapping[str, Learned]:
        """By model."""
        return self._known

    def config(self, model: str, room: int | None = None) -> ProviderConfig:
        """The provider as this model wants to be asked, and in ``room`` tokens this once."""
        return applied(self._config.of(model), model, self._known.get(model, Learned()), room)

    def answered(self, dialect: str) -> None:
        """A request in this dialect was answered: it is the provider's, and no 404 says otherwise from now on."""
        self._sure = self._sure or dialect == self._config.spec.dialect

    def plain(self) -> dict[str, Any]:
        """By model, to be kept as JSON."""
        return {model: found.plain() for model, found in self._known.items()}

    def remember(self, plain: Mapping[str, Any]) -> None:
        """What was kept, by another process too."""
        for model, kept in plain.items():
            self._join(model, Learned.of(kept))

    def learn(self, failure: UpstreamFailure, model: str, status: int | None, body: bytes, dialect: str = "") -> None:
        """Takes in what a failed answer says; ``failure`` becomes mendable where that is new, with its room.

        ``dialect`` is what the request was written in.
        """
        if status == NOT_FOUND and failure.kind is ErrorKind.NOT_FOUND:
            self._turn(failure, dialect)
        taught = lesson(status, body)
        if self._join(model, taught.learned):
            failure.mendable = True
        failure.room = taught.room
        failure.mendable = failure.mendable or taught.room is not None

    def _turn(self, failure: UpstreamFailure, dialect: str) -> None:
        """The path is unknown in the first dialect, so the second is tried; unknown there too, it was not that."""
        first, second = self._first, self._first.second
        if second is None:
            return
        # A call that was under way when another one moved on follows it.
        if dialect == first.spec.dialect and (self._config is second or not self._sure):
            self._config = second
            failure.mendable = True
        elif not self._sure:
            self._config = first

    def _join(self, model: str, learned: Learned) -> bool:
        """Whether any of it was new."""
        known = self._known.get(model, Learned())
        joined = known.joined(learned)
        if joined == known:
            return False
        if len(self._known) >= REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[model] = joined
        return True
