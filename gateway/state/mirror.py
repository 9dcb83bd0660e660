"""What this process knows of a provider whose state is elsewhere: enough to go on alone, with its share of all limits.

Pure: every moment is a parameter. Rests are told, and the leases of this process are kept, so that a ledger can take
over at any moment. What other processes have open is not its concern: each keeps to its share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.state.ledger import Lease, Ledger
from providers.spec import NO_LIMITS, UsageWindow
from providers.state import WHOLE, Admission, Ask, Candidate, KeyView, Meter, Resting, RestOrder, Settlement, Snapshot

_ELSEWHERE = -1  # the round of leases that another store gave


@dataclass(frozen=True, slots=True)
class Found:
    """A rest that came to be here. Of an account where there is one, else of the candidate, else of what all share."""

    candidate: Candidate | None
    account: str
    model: str
    rest: Resting


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
        self._spent: Counter[Candidate] = Counter()

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
        return replace(admission, candidate=self._real(admission.candidate))

    def proved(self, lease: str, now: float) -> None:
        self.ledger.proved(lease, now)

    def settle(self, lease: str, settlement: Settlement, now: float) -> None:
        held = self.ledger.leases.get(lease)
        self.ledger.settle(lease, settlement, now)
        if held is None or held.round == _ELSEWHERE:
            return
        real = self._real(held.candidate)
        real.view.used, real.view.meter.open = held.candidate.view.used, held.candidate.view.meter.open
        if settlement.outcome == "ok":
            self._spent[real] += 1

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

    def spent(self) -> Mapping[Candidate, int]:
        """Successful requests with leases from here, by key, since this was last asked."""
        spent, self._spent = self._spent, Counter()
        return spent

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
            known = candidate, replace(candidate, view=KeyView(rests=candidate.view.rests))
            self._doubles[candidate.id] = known
        return known[1]

    def _real(self, double: Candidate) -> Candidate:
        return self._doubles[double.id][0]


def _new(found: Found, since: float, now: float) -> Iterator[Found]:
    if found.rest.step and found.rest.since >= since and found.rest.active(now):
        yield found


def _copy(one: KeyView, other: KeyView) -> None:
    other.last_used, other.turns, other.used, other.period = one.last_used, one.turns, one.used, one.period
