"""What state a key is in, of all that is known of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from providers import policy
from providers.state import KeyState, RestState


@dataclass(frozen=True, slots=True)
class Standing:
    """``rests`` are those that matter now, the key's own before its account's before those for single models."""

    state: str  # one of keys.STATES
    reason: str = ""  # an ErrorKind, OPERATOR, or "usage"
    rests: tuple[RestState, ...] = ()

    @property
    def decisive(self) -> RestState | None:
        """The rest that made the state; None where none did."""
        return next((rest for rest in self.rests if rest.reason == self.reason), None)


def standing(seen: KeyState, shared: Iterable[RestState] = (), usage_limit: int = 0) -> Standing:
    """``shared`` are the rests of the key's account."""
    rests = tuple(sorted(current((*seen.rests, *shared)), key=lambda rest: (rest.model, rest.account)))
    for rest in rests:
        if (state := policy.key_state(rest.reason)) != "ready":
            return Standing(state, rest.reason, rests)
    if usage_limit and seen.used >= usage_limit:
        return Standing("spent", "usage", rests)
    return Standing("ready", "", rests)


def current(rests: Iterable[RestState]) -> Iterator[RestState]:
    """Without those that are over: of these only the length of the next one is still of interest."""
    return (rest for rest in rests if rest.seconds > 0 or half_open(rest))


def half_open(rest: RestState) -> bool:
    """Its time is up, and one attempt is to find out whether it is over."""
    return rest.probe and rest.seconds <= 0
