"""How a rest opens, grows and ends. Pure: every moment is a parameter."""

from __future__ import annotations

from dataclasses import dataclass, field

from providers.errors import Scope
from providers.state import WHOLE, Resting, RestOrder

NEVER = float("-inf")
ALWAYS = float("inf")
MOST = 512  # rests of single models that are remembered; any client can name any model

Rests = dict[str, Resting]


@dataclass(slots=True)
class Rest(Resting):
    """A rest as the ledger keeps it."""

    shared: float = NEVER  # when it was last met by a failure that may be everybody's; NEVER where it is its own
    failed: set[str] = field(default_factory=set)  # keys that failed since the last success, where it takes all


def advance(
    rests: Rests, name: str, order: RestOrder, began: float, now: float, key: str = "", spare: bool = False
) -> Rest | None:
    """Opens a rest or lengthens it; None where it takes more failures. One event, seen by many, counts once.

    ``began`` is when the attempt with this ``key`` did that failed; ALWAYS where there was none. ``spare``: another
    key may still work.
    """
    rest = rests.get(name)
    if not isinstance(rest, Rest):
        _make_room(rests, now)
        rest = rests[name] = Rest(now, order.reason, NEVER)
    rest.failed.add(key)
    if spare:
        rest.strikes += 1
        return None
    if rest.since >= began:
        _met_again(rest, order, now)
        return rest
    rest.strikes += 1
    if not rest.step and rest.strikes < order.strikes:
        return None
    _open(rest, order, now)
    return rest


def may_be_shared(order: RestOrder) -> bool:
    """Whether such a failure of all keys at once would be the provider's, or our address's."""
    return order.common and not order.honest and order.scope in (Scope.KEY, Scope.KEY_MODEL, Scope.ACCOUNT)


def end(rests: Rests, name: str, began: float) -> None:
    """What opened before an attempt began that succeeded is over, ladder and all."""
    if (rest := rests.get(name)) and rest.since < began:
        del rests[name]


def take_back(rests: Rests, name: str, rest: Rest, now: float) -> None:
    """As if its last failure had not been its own; those before still count."""
    rest.step -= 1
    rest.until = now
    if rest.step <= 0:
        del rests[name]


def _open(rest: Rest, order: RestOrder, now: float) -> None:
    # A breaker's failures are of many kinds; a key's long rests do not follow from its short ones.
    if rest.reason != order.reason and order.scope is not Scope.MODEL:
        rest.step = 0
    rest.until = max(rest.until, now + _seconds(order, rest.step))
    rest.since = now
    rest.step += 1
    rest.reason, rest.probe, rest.prober = order.reason, order.probe, ""
    rest.shared = now if may_be_shared(order) else NEVER


def _met_again(rest: Rest, order: RestOrder, now: float) -> None:
    """A failure of an attempt that was under way when the rest opened: only an upstream's own time counts."""
    if order.honest:
        rest.shared = NEVER
        if now + order.seconds > rest.until:
            rest.since, rest.until = now, now + order.seconds
            rest.reason, rest.probe = order.reason, order.probe
    elif rest.shared > NEVER and rest.reason == order.reason:
        rest.shared = now


def _seconds(order: RestOrder, step: int) -> float:
    if step and order.later is not None:
        return order.later
    if order.honest:
        return order.seconds
    return min(max(order.longest, order.seconds), order.seconds * 2.0 ** min(step, 40))


def _make_room(rests: Rests, now: float) -> None:
    """Rests that are over go where there are too many, else the oldest; what holds for all models stays."""
    if len(rests) >= MOST:
        spare = [name for name in rests if name != WHOLE]
        over = [name for name in spare if not rests[name].active(now)]
        for name in over or spare[: MOST // 2]:
            del rests[name]
