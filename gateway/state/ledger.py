"""The state of one provider, and the verbs on it. Pure: every moment is a parameter.

Who rests is one mechanism: a ``Resting`` per key, key and model, account, model, and one for the provider. A breaker
is the model's, opened by failures in a row; a rest with ``probe`` is half-open when it is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gateway.state import gcra
from gateway.state.rests import ALWAYS, NEVER, Rest, Rests, advance, end, may_be_shared, take_back
from providers import reset
from providers.errors import Calendar, Scope
from providers.spec import NO_LIMITS, Limits, UsageWindow
from providers.state import (
    REFUNDED,
    WHOLE,
    Admission,
    Ask,
    Candidate,
    KeyState,
    KeyView,
    Meter,
    Passed,
    Resting,
    RestOrder,
    RestState,
    Settlement,
    Snapshot,
)

POLL = 0.25  # seconds after which to ask again where nobody knows how long it takes
TOGETHER = 10.0  # seconds within which failures of all keys are one event
COOL, COOLEST = 5.0, 60.0  # seconds that a provider rests which refused all its keys, doubling

Places = tuple[tuple[Rests, str], ...]
_CALENDARS = {UsageWindow.DAY: Calendar.UTC_DAY, UsageWindow.MONTH: Calendar.UTC_MONTH}


@dataclass(slots=True)
class Lease:
    """An attempt under way."""

    candidate: Candidate
    model: str
    began: float
    ask: Ask
    probes: list[Resting]
    round: int  # of the usage limit
    charged: list[tuple[Meter, Limits]]


@dataclass(slots=True)
class Ledger:
    """All that one provider's admissions depend on."""

    accounts: Rests = field(default_factory=dict)
    models: Rests = field(default_factory=dict)  # and the provider, as WHOLE
    meters: dict[str, Meter] = field(default_factory=dict)  # of models that are limited
    whole: Meter = field(default_factory=Meter)  # the provider's
    leases: dict[str, Lease] = field(default_factory=dict)
    round: int = 0
    last_success: float = NEVER  # when the last attempt began that succeeded
    blamed: set[str] = field(default_factory=set)  # keys that were refused for what the provider rests for
    share: int = 1  # of every limit, one part in so many is this ledger's

    # -- admission

    def admit(self, ask: Ask, now: float, wall: float) -> Admission:
        """See StateStore. ``wall`` is the time since 1970, for usage limits that follow the calendar."""
        if lease := self.leases.get(ask.lease):
            return Admission(lease.candidate, probe=bool(lease.probes))
        if refused := self._refuses_all(ask, now):
            return Admission(None, refused.wait, refused.reason, (refused,))
        admission = self._first_that_fits(ask, now, wall)
        if admission.candidate is None and _had_their_turn(ask, admission):
            self.round += 1
            admission = self._first_that_fits(ask, now, wall)
        return admission

    def _refuses_all(self, ask: Ask, now: float) -> Passed | None:
        """What keeps every key from serving: the provider, the model, the model's limits."""
        wait, reason = self._longest_rest(self._common_places(ask.model), now)
        if wait:
            return Passed(ask.provider, reason, wait)
        if ask.model in self.meters or _limited(ask.model_limits):
            meter = self.meters.setdefault(ask.model, Meter())
            if over := self._over(meter, ask.model_limits, ask.tokens, now, ask.provider):
                return over
        return self._too_much(ask, now) if ask.traffic.limited else None

    def _too_much(self, ask: Ask, now: float) -> Passed | None:
        """The provider's own limit that one more request would break."""
        traffic = ask.traffic
        if traffic.concurrency and self.whole.open >= max(1, traffic.concurrency // self.share):
            return Passed(ask.provider, "concurrency", POLL)
        wait = gcra.of_traffic(traffic).wait(self.whole.requests, now, self.share) if traffic.rate else 0.0
        return Passed(ask.provider, "requests", wait) if wait else None

    def _first_that_fits(self, ask: Ask, now: float, wall: float) -> Admission:
        passed: list[Passed] = []
        for candidate in ask.candidates:
            refused = self._unfit(candidate, ask, now, wall)
            if refused is None:
                return self._lease(candidate, ask, now, passed)
            passed.append(refused)
        first = min(passed, key=lambda each: each.wait, default=Passed("", "no_key", 0.0))
        return Admission(None, first.wait, first.reason, passed)

    def _unfit(self, candidate: Candidate, ask: Ask, now: float, wall: float) -> Passed | None:
        view = candidate.view
        if view.rests or self.accounts:
            wait, reason = self._longest_rest(self._own_places(candidate, ask.model), now)
            if wait:
                return Passed(candidate.label, reason, wait)
        if ask.usage_limit and (wait := self._used_up(view, ask, wall)):
            return Passed(candidate.label, "usage", wait)
        return self._over(view.meter, candidate.limits, ask.tokens, now, candidate.label, ask.bucket)

    def _longest_rest(self, places: Places, now: float) -> tuple[float, str]:
        """For how many seconds, and why, what rests there keeps others away; 0 = it does not."""
        longest, reason = 0.0, ""
        for rests, name in places:
            if rest := rests.get(name):
                wait = rest.until - now
                if wait <= 0:
                    wait = POLL if rest.prober in self.leases else 0.0
                if wait > longest:
                    longest, reason = wait, rest.reason
        return longest, reason

    def _used_up(self, view: KeyView, ask: Ask, wall: float) -> float:
        if ask.usage_window is UsageWindow.ROUND:
            view.used, view.period = (view.used, self.round) if view.period == self.round else (0, self.round)
            return POLL if view.used >= ask.usage_limit else 0.0
        left = reset.until(_CALENDARS[ask.usage_window], wall)
        period = round(wall + left)
        view.used, view.period = (view.used, period) if view.period == period else (0, period)
        return left if view.used >= ask.usage_limit else 0.0

    def _lease(self, candidate: Candidate, ask: Ask, now: float, passed: list[Passed]) -> Admission:
        view = candidate.view
        probes = [rest for rest in self._rests_of(candidate, ask.model) if rest.probe and rest.step]
        for rest in probes:
            rest.prober = ask.lease
        charged = [(view.meter, candidate.limits)]
        if meter := self.meters.get(ask.model):
            charged.append((meter, ask.model_limits))
        for meter, limits in charged:
            self._charge(meter, limits, ask.tokens, now, ask.bucket and meter is view.meter)
        if ask.traffic.limited:
            charged.append((self.whole, NO_LIMITS))
            self.whole.open += 1
            if ask.traffic.rate:
                self.whole.requests = gcra.of_traffic(ask.traffic).after(self.whole.requests, now, self.share)
        view.last_used = now
        view.turns += 1
        view.used += 1
        self.leases[ask.lease] = Lease(candidate, ask.model, now, ask, probes, view.period, charged)
        return Admission(candidate, passed=passed, probe=bool(probes))

    def _over(
        self, meter: Meter, limits: Limits, tokens: int, now: float, label: str, bucket: bool = False
    ) -> Passed | None:
        """The limit that one more request would break, None where it fits."""
        if limits.concurrency is not None and meter.open >= max(1, limits.concurrency // self.share):
            return Passed(label, "concurrency", POLL)
        first = self._requests_wait(meter.requests, now, limits.requests, bucket) if limits.requests else 0.0
        tokens_wait = gcra.bucket_wait if bucket else gcra.tokens_wait
        second = tokens_wait(meter.tokens, now, limits.tokens, tokens, self.share) if limits.tokens else 0.0
        # A client is told when it may come again: when both let it.
        if first and not (bucket and second > first):
            return Passed(label, "requests", first)
        return Passed(label, "tokens", second) if second else None

    def _requests_wait(self, moment: float, now: float, limit: int, bucket: bool) -> float:
        if bucket:
            return gcra.bucket_wait(moment, now, limit, 1, self.share)
        return gcra.requests_wait(moment, now, limit, self.share)

    def _charge(self, meter: Meter, limits: Limits, tokens: int, now: float, bucket: bool) -> None:
        meter.open += 1
        if limits.requests and bucket:
            meter.requests = gcra.after_tokens(meter.requests, now, limits.requests, 1, self.share)
        elif limits.requests:
            meter.requests = gcra.after_request(meter.requests, now, limits.requests, self.share)
        if limits.tokens:
            meter.tokens = gcra.after_tokens(meter.tokens, now, limits.tokens, tokens, self.share)

    def _give_back(self, held: Lease, settlement: Settlement, now: float) -> None:
        extra = 0 if settlement.tokens is None else settlement.tokens - held.ask.tokens
        if settlement.outcome == REFUNDED:
            self._refund(held, now)
        for meter, limits in held.charged:
            meter.open -= 1
            if limits.tokens and extra:
                meter.tokens = gcra.after_tokens(meter.tokens, now, limits.tokens, extra, self.share)

    def _refund(self, held: Lease, now: float) -> None:
        """The request that a bucket was charged with."""
        meter, limit = held.candidate.view.meter, held.candidate.limits.requests
        if limit and held.ask.bucket:
            meter.requests = gcra.after_tokens(meter.requests, now, limit, -1, self.share)

    # -- what rests where

    def _own_places(self, candidate: Candidate, model: str) -> Places:
        rests = candidate.view.rests
        return (rests, WHOLE), (rests, model), (self.accounts, candidate.account)

    def _common_places(self, model: str) -> Places:
        return (self.models, WHOLE), (self.models, model)

    def _rests_of(self, candidate: Candidate, model: str) -> Iterator[Resting]:
        if candidate.view.rests or self.accounts or self.models:
            for rests, name in (*self._own_places(candidate, model), *self._common_places(model)):
                if rest := rests.get(name):
                    yield rest

    def _rests_now(self, candidate: Candidate, model: str, now: float) -> bool:
        """Whether the key or its account does."""
        places = self._own_places(candidate, model)
        return any(rest.active(now) for rests, name in places if (rest := rests.get(name)))

    # -- what became of it

    def proved(self, lease: str, now: float) -> None:
        """See StateStore."""
        if held := self.leases.get(lease):
            self._succeeded(held)

    def settle(self, lease: str, settlement: Settlement, now: float) -> None:
        """See StateStore."""
        held = self.leases.pop(lease, None)
        if held is None:
            return
        self._give_back(held, settlement, now)
        if settlement.outcome == "ok":
            self._succeeded(held)
            return
        if held.candidate.view.period == held.round:
            held.candidate.view.used = max(0, held.candidate.view.used - 1)
        if settlement.rest is not None:
            self._failed(held, settlement.rest, now)

    def _succeeded(self, held: Lease) -> None:
        self.last_success = max(self.last_success, held.began)
        if held.candidate.view.rests or self.accounts or self.models:
            for rests, name in (*self._own_places(held.candidate, held.model), *self._common_places(held.model)):
                end(rests, name, held.began)

    def _failed(self, held: Lease, order: RestOrder, now: float) -> None:
        shared = may_be_shared(order)
        if shared and self._cools_for(held, order.reason, now):
            return
        rests, name = self._place(held.candidate, held.model, order.scope)
        spare = order.all_keys and self._another_may_work(held, _failed(rests.get(name)), now)
        rest = advance(rests, name, order, held.began, now, held.candidate.id, spare)
        if rest and shared and self._all_refused(held, order.reason, now):
            self._blame_provider(held, order.reason, now)

    def _place(self, candidate: Candidate, model: str, scope: Scope) -> tuple[Rests, str]:
        match scope:
            case Scope.KEY:
                return candidate.view.rests, WHOLE
            case Scope.KEY_MODEL:
                return candidate.view.rests, model
            case Scope.ACCOUNT:
                return self.accounts, candidate.account
            case _:
                return self.models, model

    # -- all keys at once

    def _all_refused(self, held: Lease, reason: str, now: float) -> bool:
        """Every key that was usable was refused so within TOGETHER seconds, and no attempt since succeeded."""
        found: list[Rest] = []
        for candidate in held.ask.candidates:
            if alike := next(self._alike(candidate, held.model, reason, now), None):
                found.append(alike[2])
            elif not self._rests_now(candidate, held.model, now):
                return False
        return len({id(rest) for rest in found}) > 1 and self.last_success < min(rest.shared for rest in found)

    def _alike(self, candidate: Candidate, model: str, reason: str, now: float) -> Iterator[tuple[Rests, str, Rest]]:
        """The key's rests for what all keys may share, of this reason and just met."""
        for rests, name in self._own_places(candidate, model):
            rest = rests.get(name)
            if isinstance(rest, Rest) and rest.reason == reason and rest.shared >= now - TOGETHER:
                yield rests, name, rest

    def _blame_provider(self, held: Lease, reason: str, now: float) -> None:
        """It was the provider, or our address: no key rests for it."""
        alike = [
            (candidate.id, found)
            for candidate in held.ask.candidates
            for found in self._alike(candidate, held.model, reason, now)
        ]
        self.blamed = {key for key, _ in alike}
        for rests, name, rest in {id(found[2]): found for _, found in alike}.values():
            take_back(rests, name, rest, now)
        self._cool(reason, now)

    def _cools_for(self, held: Lease, reason: str, now: float) -> bool:
        """Whether the provider rests for this refusal already, or now rests longer for it."""
        cooled = self.models.get(WHOLE)
        if cooled is None or cooled.reason != reason:
            return False
        if cooled.since >= held.began:
            return True
        if not any(rest is cooled for rest in held.probes) or self._another_may_work(held, self.blamed, now):
            return False
        self.blamed.add(held.candidate.id)
        self._cool(reason, now)
        return True

    def _another_may_work(self, held: Lease, failed: set[str], now: float) -> bool:
        """A key is usable that is not among those that failed."""
        known = failed | {held.candidate.id}
        return any(each.id not in known and not self._rests_now(each, held.model, now) for each in held.ask.candidates)

    def _cool(self, reason: str, now: float) -> None:
        advance(self.models, WHOLE, RestOrder(Scope.PROVIDER, reason, COOL, COOLEST, probe=True), ALWAYS, now)

    # -- by hand, and to look at

    def rest(self, candidate: Candidate | None, model: str, order: RestOrder, now: float) -> None:
        """See StateStore."""
        advance(candidate.view.rests if candidate else self.models, model, order, ALWAYS, now)

    def wake(self, candidate: Candidate | None) -> None:
        """See StateStore."""
        if candidate:
            candidate.view.rests.clear()
            candidate.view.used = 0
            self.blamed.discard(candidate.id)
            self.accounts.pop(candidate.account, None)
        else:
            self.models.clear()
            self.accounts.clear()
            self.blamed.clear()

    def snapshot(self, candidates: Sequence[Candidate], now: float) -> Snapshot:
        """See StateStore."""
        common = [_shown(rest, now, model) for model, rest in self.models.items() if rest.step]
        accounts = [_shown(rest, now, account=name) for name, rest in self.accounts.items() if rest.step]
        return Snapshot(tuple(_seen(each, now) for each in candidates), (*common, *accounts))


def _had_their_turn(ask: Ask, refused: Admission) -> bool:
    """Every key that could serve is used up."""
    return ask.usage_window is UsageWindow.ROUND and any(each.reason == "usage" for each in refused.passed)


def _failed(rest: Resting | None) -> set[str]:
    return rest.failed if isinstance(rest, Rest) else set()


def _limited(limits: Limits) -> bool:
    return bool(limits.requests or limits.tokens or limits.concurrency)


def _seen(candidate: Candidate, now: float) -> KeyState:
    view = candidate.view
    rests = tuple(_shown(rest, now, model) for model, rest in view.rests.items() if rest.step)
    return KeyState(candidate.label, view.meter.open, view.used, view.turns, rests)


def _shown(rest: Resting, now: float, model: str = WHOLE, account: str = "") -> RestState:
    return RestState(rest.reason, max(0.0, rest.until - now), model, account, rest.probe)
