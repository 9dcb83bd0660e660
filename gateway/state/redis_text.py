"""What goes to the scripts and what comes back, as text. Pure.

Every number is written with all its digits: a double read again is the same double.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gateway.state.rests import NEVER, Rest
from providers.spec import UsageWindow
from providers.state import Ask, Candidate, Passed, RestOrder

LONGEST_MODEL = 300  # characters of a model's name that are kept as they are
_WINDOWS = {UsageWindow.ROUND: 0, UsageWindow.DAY: 1, UsageWindow.MONTH: 2}
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Names:
    """What keys, accounts and providers are called in Redis. Of a key, only a keyed hash of its identity is known."""

    prefix: str
    _hashes: dict[str, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    def hashed(self, identity: str) -> str:
        """Of a key's id, or an account's name."""
        found = self._hashes.get(identity)
        if found is None:
            secret = hashlib.sha256(self.prefix.encode()).digest()
            found = hashlib.blake2b(identity.encode(), digest_size=12, key=secret).hexdigest()
            self._hashes[identity] = found
            self._names[found] = identity
        return found

    def named(self, hashed: str) -> str | None:
        """What a hash is of; None where this process never met it."""
        return self._names.get(hashed)

    def keys(self, provider: str) -> tuple[str, str, str, str]:
        """A provider's four keys, all in one slot of a cluster."""
        head = f"{self.prefix}{{{provider}}}"
        return f"{head}:state", f"{head}:rests", f"{head}:leases", f"{head}:held"

    def rest_field(self, candidate: Candidate | None, model: str) -> str:
        if candidate is None:
            return f"m:{model_name(model)}"
        return f"k:{self.hashed(candidate.id)}:{model_name(model)}"


def model_name(model: str) -> str:
    """A client may write any name, of any length; Lua's formats end at a character 0."""
    if len(model) <= LONGEST_MODEL and model.isprintable():
        return model
    return "sha256:" + hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()


def number(value: float) -> str:
    return repr(float(value))


def candidate_text(names: Names, each: Candidate) -> str:
    limits = each.limits
    own = f"{limits.requests or 0} {limits.tokens or 0} {limits.concurrency or 0}"
    return f"{names.hashed(each.id)} {names.hashed(each.account)} {own}"


def limits_text(ask: Ask) -> str:
    model, traffic = ask.model_limits, ask.traffic
    return (
        f"{model.requests or 0} {model.tokens or 0} {model.concurrency or 0} "
        f"{traffic.rate or 0} {traffic.window!r} {traffic.concurrency or 0} "
        f"{ask.usage_limit} {_WINDOWS[ask.usage_window]} {ask.bucket:d}"
    )


def order_text(order: RestOrder | None) -> str:
    if order is None:
        return ""
    later = _NONE if order.later is None else number(order.later)
    return (
        f"{order.scope.value} {order.reason} {number(order.seconds)} {number(order.longest)} {order.honest:d} {later} "
        f"{order.probe:d} {order.strikes} {order.common:d} {order.all_keys:d}"
    )


@dataclass(frozen=True, slots=True)
class Meters:
    """What is known of a key, as the server has it."""

    open: int = 0
    last_used: float = 0.0
    turns: int = 0
    used: int = 0
    period: int = 0


def meters(text: str) -> Meters:
    if not text:
        return Meters()
    _, _, open_, last_used, turns, used, period = text.split()
    return Meters(int(open_), float(last_used), int(turns), int(used), int(period))


def rest(text: str, ahead: float) -> Rest:
    """A rest on this process's clock, which shows ``ahead`` seconds more than the server's."""
    ends, since, step, strikes, probe, shared, reason, *_ = text.split(" ", 7)
    return Rest(
        float(ends) + ahead,
        reason,
        _moment(since, ahead),
        int(step),
        int(strikes),
        probe == "1",
        "",
        _moment(shared, ahead),
    )


def _moment(text: str, ahead: float) -> float:
    moment = float(text)
    return NEVER if moment < 0 else moment + ahead


@dataclass(frozen=True, slots=True)
class Reply:
    """To an admission. ``rests`` are by place: 0 the provider's, 1 the model's, then three for each candidate."""

    chosen: int  # the candidate's number from 1 on; 0 = none
    probe: bool
    now: float
    wait: float
    reason: str
    passed: tuple[Passed, ...]
    meters: list[str]
    rests: list[tuple[int, str]]


def reply(text: str, ask: Ask) -> Reply:
    head, passed, seen, rests = text.split("\n")
    chosen, probe, now, wait, reason = head.split(" ")
    return Reply(
        int(chosen),
        probe == "1",
        float(now),
        float(wait),
        reason,
        tuple(_passed(passed, ask)) if passed else (),
        seen.split(";") if ask.candidates else [],
        [_placed(each) for each in rests.split(";")] if rests else [],
    )


def _passed(text: str, ask: Ask) -> Iterator[Passed]:
    for each in text.split(";"):
        index, wait, reason = each.split(" ")
        label = ask.candidates[int(index) - 1].label if index != "0" else ask.provider
        yield Passed(label, reason, float(wait))


def _placed(text: str) -> tuple[int, str]:
    place, _, rest_ = text.partition(" ")
    return int(place), rest_


def pairs(flat: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    """The fields of a hash, as HGETALL gives them."""
    texts = [each.decode("utf-8", "surrogatepass") for each in flat]
    return zip(texts[::2], texts[1::2], strict=True)
