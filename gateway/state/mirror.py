"""What this process knows of a provider whose state is elsewhere: enough to go on alone, with its share of all limits.

Pure: every moment is a parameter. Rests are told, and the leases of this process are kept, so that a ledger can take
over at any moment. What other processes have open is not its concern: each keeps to its share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.state import gcra
from gateway.state.ledger import Lease, Ledger
from providers.spec import NO_LIMITS, UsageWindow
from providers.state import (
    REFUNDED,
    WHOLE,
    Admission,
    Ask,
    Candidate,
    KeyView,
    Meter,
    Resting,
    RestOrder,
    Settlement,
    Snapshot,
)

_ELSEWHERE = -1  # the round of leases that another store gave


@dataclass(frozen=True, slots=True)
class Found:
    """A rest that came to be here. Of an account where there is one, else of the candidate, else of what all share."""

    candidate: Candidate | None
    account: str
    model: str
    rest: Resting


@dataclass(slots=True)
class Used:
    """What attempts let through here took of one limit, as its meter counts it: seconds for each request and token."""

    requests: int = 0
    interval: float = 0.0
    tokens: int = 0
    token: float = 0.0
    good: int = 0  # requests that succeeded


class Mirrors(dict[str, "Mirror"]):
    """By provider. ``share``: how many processes keep to the limits together."""

    def __init__(self, share: int = 1) -> None:
        super().__init__()
        self._share = share

    def __missing__(self, provider: str) -> Mirror:
        self[provider] = Mirror(self._share)
        return self[provider]


class Mirror:
    """Of one provider. Candidates have doubles here, with a meter of their own and the same rests."""

    def __init__(self, share: int) -> None:
        self.ledger = Ledger(share=share)
        self._doubles: dict[str, tuple[Candidate, Candidate]] = {}
        self._used: dict[Candidate | str | None, Used] = {}  # by key, model, and the provider as None

    # -- what the store elsewhere did

    def took(self, ask: Ask, candidate: Candidate, now: float) -> None:
        """A lease was given there."""
        double = self._double(candidate)
        meters = [double.view.meter]
        if ask.model in self.ledger.meters or ask.model_limits != NO_LIMITS:
            meters.append(self.ledger.meters.setdefault(ask.model, Meter()))
        if ask.traffic.limited:
            meters.append(self.ledger.whole)
        for meter in meters:
            meter.open += 1
        charged = [(meter, NO_LIMITS) for meter in meters]
        self.ledger.leases[ask.lease] = Lease(double, ask.model, now, ask, [], _ELSEWHERE, charged)

    # -- the verbs, of this process alone

    def admit(self, ask: Ask, now: float, wall: float) -> Admission:
        doubles = [self._double(each) for each in ask.candidates]
        rounds = ask.usage_window is UsageWindow.ROUND
        for each, double in zip(ask.candidates, doubles, strict=True):
            _copy(each.view, double.view)
            self.ledger.round = max(self.ledger.round, each.view.period if rounds else 0)
        admission = self.ledger.admit(replace(ask, candidates=doubles), now, wall)
        for each, double in zip(ask.candidates, doubles, strict=True):
            _copy(double.view, each.view)
            each.view.meter.open = double.view.meter.open
        if admission.candidate is None:
            return admission
        real = self._real(admission.candidate)
        self._note(ask, real)
        return replace(admission, candidate=real)

    def _note(self, ask: Ask, candidate: Candidate) -> None:
        for whose, limits in ((candidate, candidate.limits), (ask.model, ask.model_limits)):
            if limits != NO_LIMITS or whose is candidate:
                each = _interval(limits.requests, ask.bucket and whose is candidate)
                token = gcra.MINUTE / limits.tokens if limits.tokens else 0.0
                self._note_one(whose, each, ask.tokens, token)
        if ask.traffic.limited:
            self._note_one(None, gcra.of_traffic(ask.traffic).interval if ask.traffic.rate else 0.0, 0, 0.0)

    def _note_one(self, whose: Candidate | str | None, interval: float, tokens: int, token: float) -> None:
        used = self._used.setdefault(whose, Used())
        used.requests += 1
        used.tokens += tokens
        used.interval, used.token = interval, token

    def proved(self, lease: str, now: float) -> None:
        self.ledger.proved(lease, now)

    def settle(self, lease: str, settlement: Settlement, now: float) -> None:
        held = self.ledger.leases.get(lease)
        self.ledger.settle(lease, settlement, now)
        if held is None or held.round == _ELSEWHERE:
            return
        real = self._real(held.candidate)
        real.view.used, real.view.meter.open = held.candidate.view.used, held.candidate.view.meter.open
        used = self._used.get(real)
        if used and settlement.outcome == "ok":
            used.good += 1
        if used and settlement.outcome == REFUNDED:
            used.requests, used.tokens = max(0, used.requests - 1), max(0, used.tokens - held.ask.tokens)

    def rest(self, candidate: Candidate | None, model: str, order: RestOrder, now: float) -> None:
        self.ledger.rest(candidate, model, order, now)

    def wake(self, candidate: Candidate | None) -> None:
        self.ledger.wake(candidate)

    def snapshot(self, candidates: Sequence[Candidate], now: float) -> Snapshot:
        return self.ledger.snapshot([self._double(each) for each in candidates], now)

    # -- what the other store has to be told once it is back

    def own_leases(self) -> Iterator[tuple[Ask, Candidate, Lease]]:
        """Given here, and still open; from now on they are the other's."""
        for lease in self.ledger.leases.values():
            if lease.round != _ELSEWHERE:
                lease.round = _ELSEWHERE
                yield lease.ask, self._real(lease.candidate), lease

    def used(self) -> Mapping[Candidate | str | None, Used]:
        """By key, model, and the provider as None: since this was last asked."""
        used, self._used = self._used, {}
        return used

    def found(self, since: float, now: float) -> Iterator[Found]:
        """The rests of now that came to be after a moment."""
        for real, _ in self._doubles.values():
            for model, rest in real.view.rests.items():
                yield from _new(Found(real, "", model, rest), since, now)
        for account, rest in self.ledger.accounts.items():
            yield from _new(Found(None, account, WHOLE, rest), since, now)
        for model, rest in self.ledger.models.items():
            yield from _new(Found(None, "", model, rest), since, now)

    def _double(self, candidate: Candidate) -> Candidate:
        known = self._doubles.get(candidate.id)
        if known is None or known[0] is not candidate:
            same = known is not None and known[0].view is candidate.view  # with other limits
            view = known[1].view if known and same else KeyView(rests=candidate.view.rests)
            known = candidate, replace(candidate, view=view)
            self._doubles[candidate.id] = known
        return known[1]

    def _real(self, double: Candidate) -> Candidate:
        return self._doubles[double.id][0]


def _interval(limit: int | None, bucket: bool) -> float:
    """Seconds that a request takes of its limit."""
    if not limit:
        return 0.0
    return gcra.MINUTE / limit if bucket else gcra.Rate(limit).interval


def _new(found: Found, since: float, now: float) -> Iterator[Found]:
    if found.rest.step and found.rest.since >= since and found.rest.active(now):
        yield found


def _copy(one: KeyView, other: KeyView) -> None:
    other.last_used, other.turns, other.used, other.period = one.last_used, one.turns, one.used, one.period
