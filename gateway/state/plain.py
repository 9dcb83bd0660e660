"""A ledger and its keys as JSON and back, for a process that begins where another ended. Pure.

Times are since 1970 there, on a clock of the process here. What is under way is not kept, nor limits per minute.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.state.ledger import Ledger
from gateway.state.rests import NEVER, Rest, Rests
from providers.state import Candidate, Resting

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Clocks:
    """One moment on both."""

    now: float
    wall: float

    def kept(self, moment: float) -> float | None:
        return None if moment == NEVER else round(moment - self.now + self.wall, 3)

    def here(self, kept: Any) -> float:
        number = _number(kept)
        return NEVER if number is None else number - self.wall + self.now


def plain(ledger: Ledger, candidates: Iterable[Candidate], clocks: Clocks) -> Plain:
    """Without what says nothing."""
    keys = {each.id: _key(each, clocks) for each in candidates}
    return {
        "round": ledger.round,
        "keys": {name: key for name, key in keys.items() if key},
        "accounts": _rests(ledger.accounts, clocks),
        "models": _rests(ledger.models, clocks),
    }


def restore(kept: Any, ledger: Ledger, candidates: Iterable[Candidate], clocks: Clocks) -> None:
    """Of what is not as ``plain`` made it, nothing is taken."""
    if not isinstance(kept, Mapping):
        return
    ledger.round = _whole(kept.get("round"))
    ledger.accounts.update(_rests_of(kept.get("accounts"), clocks))
    ledger.models.update(_rests_of(kept.get("models"), clocks))
    keys = kept.get("keys")
    for each in candidates:
        key = keys.get(each.id) if isinstance(keys, Mapping) else None
        if isinstance(key, Mapping):
            view = each.view
            view.used, view.period, view.turns = (_whole(key.get(name)) for name in ("used", "period", "turns"))
            view.rests.update(_rests_of(key.get("rests"), clocks))


def _key(candidate: Candidate, clocks: Clocks) -> Plain:
    view = candidate.view
    found = {"used": view.used, "period": view.period, "turns": view.turns, "rests": _rests(view.rests, clocks)}
    return {name: value for name, value in found.items() if value}


def _rests(rests: Mapping[str, Resting], clocks: Clocks) -> Plain:
    return {
        name: {
            "until": clocks.kept(rest.until),
            "since": clocks.kept(rest.since),
            "reason": rest.reason,
            "step": rest.step,
            "strikes": rest.strikes,
            "probe": rest.probe,
        }
        for name, rest in rests.items()
        if rest.step
    }


def _rests_of(kept: Any, clocks: Clocks) -> Rests:
    if not isinstance(kept, Mapping):
        return {}
    return {str(name): _rest(each, clocks) for name, each in kept.items() if _is_rest(each)}


def _is_rest(kept: Any) -> bool:
    return isinstance(kept, Mapping) and _number(kept.get("until")) is not None and isinstance(kept.get("reason"), str)


def _rest(kept: Mapping[str, Any], clocks: Clocks) -> Rest:
    return Rest(
        clocks.here(kept["until"]),
        kept["reason"],
        clocks.here(kept.get("since")),
        _whole(kept.get("step")),
        _whole(kept.get("strikes")),
        kept.get("probe") is True,
    )


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
