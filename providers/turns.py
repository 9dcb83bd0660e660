"""In which order the keys of a pool are offered a call. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from providers.spec import KeyOrder
from providers.state import Candidate


class Turns:
    """The order of one pool's keys. Which of them can serve at all is the store's to say."""

    def __init__(self, candidates: Sequence[Candidate], weights: Sequence[float], order: KeyOrder) -> None:
        self._candidates = tuple(candidates)
        self._weights = {each.id: weight for each, weight in zip(candidates, weights, strict=True)}
        self._finished = dict.fromkeys(self._weights, 0.0)  # of each key's share of the work, in virtual time
        self._virtual = 0.0
        self._current = 0
        self._back: dict[str, float] = {}  # keys that met trouble, and until when they are offered last
        self._order = {
            KeyOrder.LEAST_RECENT: self._least_recent,
            KeyOrder.WEIGHTED: self._weighted,
            KeyOrder.STICKY: self._sticky,
        }[order]

    def order(
        self, now: float, tried: Collection[str] = (), preferred: str | None = None, spent: Collection[str] = ()
    ) -> Sequence[Candidate]:
        """All keys, best first: the ``preferred`` one, those not yet ``tried`` for this call, the tried ones.

        Those that are ``spent`` have had their turn.
        """
        if len(self._candidates) == 1:
            return self._candidates
        if self._candidates[self._current].id in spent:
            self._current = (self._current + 1) % len(self._candidates)
        ordered = self._order()
        preferred = None if preferred in spent else preferred
        if tried or preferred or self._back:
            back = {key for key, until in self._back.items() if until > now}
            ordered = sorted(ordered, key=lambda each: (each.id in tried, each.id in back, each.id != preferred))
        return ordered

    def stand_back(self, candidate: Candidate, until: float) -> None:
        """It met a failure that is hardly its own: others first, for a while."""
        self._back[candidate.id] = until

    def worked(self, candidate: Candidate) -> None:
        self._back.pop(candidate.id, None)

    def took(self, candidate: Candidate) -> None:
        """It was leased."""
        begun = self._tag(candidate)
        self._virtual = begun
        self._finished[candidate.id] = begun + 1.0 / self._weights[candidate.id]
        self._current = self._candidates.index(candidate) if len(self._candidates) > 1 else 0

    def _least_recent(self) -> Sequence[Candidate]:
        return sorted(self._candidates, key=_busy_then_recent)

    def _weighted(self) -> Sequence[Candidate]:
        """Start-time fair queueing: a key that rested for long does not make up for it."""
        return sorted(
            self._candidates, key=lambda each: (each.view.meter.open / self._weights[each.id], self._tag(each))
        )

    def _sticky(self) -> Sequence[Candidate]:
        return self._candidates[self._current :] + self._candidates[: self._current]

    def _tag(self, candidate: Candidate) -> float:
        return max(self._virtual, self._finished[candidate.id])


def _busy_then_recent(candidate: Candidate) -> tuple[int, float, int]:
    view = candidate.view
    return view.meter.open, view.last_used, view.turns
