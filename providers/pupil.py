"""What a live provider's models were found to refuse, learned from their refusals and applied from then on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.errors import UpstreamFailure
from providers.learning import Learned, applied, lesson
from providers.spec import ProviderConfig

REMEMBERED = 256  # models


class Pupil:
    """One per provider and process."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config
        self._known: dict[str, Learned] = {}

    @property
    def known(self) -> Mapping[str, Learned]:
        """By model."""
        return self._known

    def config(self, model: str, room: int | None = None) -> ProviderConfig:
        """The provider as this model wants to be asked, and in ``room`` tokens this once."""
        return applied(self._config, model, self._known.get(model, Learned()), room)

    def plain(self) -> dict[str, Any]:
        """By model, to be kept as JSON."""
        return {model: found.plain() for model, found in self._known.items()}

    def remember(self, plain: Mapping[str, Any]) -> None:
        """What was kept, by another process too."""
        for model, kept in plain.items():
            self._join(model, Learned.of(kept))

    def learn(self, failure: UpstreamFailure, model: str, status: int | None, body: bytes) -> None:
        """Takes in what a failed answer says; ``failure`` becomes mendable where that is new, with its room."""
        taught = lesson(status, body)
        if self._join(model, taught.learned):
            failure.mendable = True
        failure.room = taught.room
        failure.mendable = failure.mendable or taught.room is not None

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
