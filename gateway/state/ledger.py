"""The state of one provider, and the verbs on it. Pure: every moment is a parameter.

Who rests is one mechanism: a ``Resting`` per key, key and model, account, model, and one for the provider. A breaker
is the model's, opened by failures in a row; a rest with ``probe`` is half-open when it is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gateway.state import gcra
from providers import reset
from providers.errors import Calendar, Scope
from providers.spec import Limits, UsageWindow
from providers.state import (
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
KEPT = 512  # rests of single models that are remembered; any client can name any model

Rests = dict[str, Resting]
_CALENDARS = {UsageWindow.DAY: Calendar.UTC_DAY, UsageWindow.MONTH: Calendar.UTC_MONTH}


@dataclass(slots=True)
class Lease:
    """An attempt under way."""

    candidate: Candidate
    model: str
    began: float
    tokens: int
    ask: Ask
    probes: list[Resting]
    round: int  # of the usage limit


@dataclass(slots=True)
class Ledger:
    """All that one provider's admissions depend on."""

    accounts: Rests = field(default_factory=dict)
    models: Rests = field(default_factory=dict)  # and the provider, as WHOLE
    meters: dict[str, Meter] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    round: int = 0
    last_success: float = float("-inf")

    # -- admission

    def admit(self, ask: Ask, now: float, wall: float) -> Admission:
        """See StateStore. ``wall`` is the time since 1970, for usage limits that follow the calendar."""
        if lease := self.leases.get(ask.lease):
            return Admission(lease.candidate, probe=bool(lease.probes))
        if blocked := self._common(ask, now):
            return Admission(None, blocked.wait, blocked.reason, (blocked,))
        admission = self._first_that_fits(ask, now, wall)
        if admission.candidate is None and _had_their_turn(ask, admission):
            self.round += 1
            admission = self._first_that_fits(ask, now, wall)
        return admission

    def _common(self, ask: Ask, now: float) -> Passed | None:
        """What keeps every key from serving: the provider, the model, the model's limits."""
        if self.models:
            for name in (WHOLE, ask.model):
                if (rest := self.models.get(name)) and (wait := self._blocked(rest, now)):
                    return Passed(ask.provider, rest.reason, wait)
        if ask.model in self.meters or _limited(ask.model_limits):
            meter = self.meters.setdefault(ask.model, Meter())
            return _over(meter, ask.model_limits, ask.tokens, now, ask.provider)
        return None

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
        if view.rests:
            for name in (WHOLE, ask.model):
                if (rest := view.rests.get(name)) and (wait := self._blocked(rest, now)):
                    return Passed(candidate.label, rest.reason, wait)
        if candidate.account in self.accounts:
            rest = self.accounts[candidate.account]
            if wait := self._blocked(rest, now):
                return Passed(candidate.label, rest.reason, wait)
        if ask.usage_limit and (wait := self._used_up(view, ask, wall)):
            return Passed(candidate.label, "usage", wait)
        return _over(view.meter, candidate.limits, ask.tokens, now, candidate.label)

    def _blocked(self, rest: Resting, now: float) -> float:
        """Seconds for which it keeps others away; 0 = it does not."""
        if rest.active(now):
            return rest.until - now
        return POLL if rest.prober in self.leases else 0.0

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
        probes = [rest for rest in self._rests_of(candidate, ask.model) if rest.probe]
        for rest in probes:
            rest.prober = ask.lease
        for meter, limits in ((view.meter, candidate.limits), (self.meters.get(ask.model), ask.model_limits)):
            if meter is not None:
                _charge(meter, limits, ask.tokens, now)
        view.last_used = now
        view.turns += 1
        view.used += 1
        self.leases[ask.lease] = Lease(candidate, ask.model, now, ask.tokens, ask, probes, view.period)
        return Admission(candidate, passed=passed, probe=bool(probes))

    # -- what became of it

    def proved(self, lease: str, now: float) -> None:
        """See StateStore."""
        if held := self.leases.get(lease):
            self._well(held, now)

    def settle(self, lease: str, settlement: Settlement, now: float) -> None:
        """See StateStore."""
        held = self.leases.pop(lease, None)
        if held is None:
            return
        self._give_back(held, settlement, now)
        if settlement.outcome == "ok":
            self._well(held, now)
            return
        if held.candidate.view.period == held.round:
            held.candidate.view.used = max(0, held.candidate.view.used - 1)
        if settlement.rest is not None:
            self._failed(held, settlement.rest, now)

    def _give_back(self, held: Lease, settlement: Settlement, now: float) -> None:
        candidate, ask = held.candidate, held.ask
        extra = 0 if settlement.tokens is None else settlement.tokens - held.tokens
        for meter, limits in (
            (candidate.view.meter, candidate.limits),
            (self.meters.get(held.model), ask.model_limits),
        ):
            if meter is not None:
                meter.open -= 1
                if limits.tokens and extra:
                    meter.tokens = gcra.after_tokens(meter.tokens, now, limits.tokens, extra)

    def _well(self, held: Lease, now: float) -> None:
        """What opened before this attempt began is over, ladder and all."""
        self.last_success = now
        view = held.candidate.view
        for rests, names in (
            (view.rests, (WHOLE, held.model)),
            (self.accounts, (held.candidate.account,)),
            (self.models, (WHOLE, held.model)),
        ):
            for name in names if rests else ():
                if (rest := rests.get(name)) and rest.since <= held.began:
                    del rests[name]

    def _failed(self, held: Lease, order: RestOrder, now: float) -> None:
        provider = self.models.get(WHOLE)
        if provider in held.probes and order.common and provider is not None and provider.reason == order.reason:
            self._cool(order.reason, now)
            return
        rests, name = self._place(held.candidate, held.model, order.scope)
        rest = _advance(rests, name, order, held.began, now)
        if rest is not None and order.common and not order.honest and self._all_fail(held, order.reason, now):
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

    def _all_fail(self, held: Lease, reason: str, now: float) -> bool:
        """Every key that was usable failed so within TOGETHER seconds, and nothing succeeded since."""
        found: list[Resting] = []
        for candidate in held.ask.candidates:
            if rest := next(_alike(candidate, held.model, reason, now), None):
                found.append(rest)
            elif not any(rest.active(now) for rest in self._rests_of(candidate, WHOLE)):
                return False
        return len(found) > 1 and self.last_success < min(rest.since for rest in found)

    def _blame_provider(self, held: Lease, reason: str, now: float) -> None:
        """It was the provider, or our address: no key rests for it."""
        for candidate in held.ask.candidates:
            for rest in list(_alike(candidate, held.model, reason, now)):
                rest.step -= 1
                rest.until = now
            spared = [name for name, rest in candidate.view.rests.items() if rest.step <= 0 and not rest.active(now)]
            for name in spared:
                del candidate.view.rests[name]
        self._cool(reason, now)

    def _cool(self, reason: str, now: float) -> None:
        order = RestOrder(Scope.PROVIDER, reason, COOL, COOLEST, probe=True)
        _advance(self.models, WHOLE, order, now, now)

    # -- by hand, and to look at

    def rest(self, candidate: Candidate | None, model: str, order: RestOrder, now: float) -> None:
        """See StateStore."""
        _advance(candidate.view.rests if candidate else self.models, model, order, now, now)

    def wake(self, candidate: Candidate | None) -> None:
        """See StateStore."""
        if candidate:
            candidate.view.rests.clear()
            candidate.view.used = 0
            self.accounts.pop(candidate.account, None)
        else:
            self.models.clear()
            self.accounts.clear()

    def snapshot(self, candidates: Sequence[Candidate], now: float) -> Snapshot:
        """See StateStore."""
        common = [_shown(rest, now, model) for model, rest in self.models.items() if rest.step]
        accounts = [_shown(rest, now, account=name) for name, rest in self.accounts.items()]
        return Snapshot(tuple(_seen(each, now) for each in candidates), (*common, *accounts))

    def _rests_of(self, candidate: Candidate, model: str) -> Iterator[Resting]:
        for rests, names in (
            (candidate.view.rests, (WHOLE, model)),
            (self.accounts, (candidate.account,)),
            (self.models, (WHOLE, model)),
        ):
            if rests:
                yield from (rests[name] for name in dict.fromkeys(names) if name in rests)


def _advance(rests: Rests, name: str, order: RestOrder, began: float, now: float) -> Resting | None:
    """Opens a rest or lengthens it; None where it takes more failures. One event, seen by many, counts once."""
    rest = rests.get(name)
    if rest is None:
        _forget(rests, now)
        rest = rests[name] = Resting(now, order.reason, float("-inf"), probe=order.probe)
    rest.prober = ""
    if rest.since > began:
        if order.honest:
            rest.until = max(rest.until, now + order.seconds)
        return rest
    rest.strikes += 1
    if not rest.step and rest.strikes < order.strikes:
        return None
    seconds = _seconds(order, rest.step)
    rest.step += 1
    rest.since, rest.until = now, max(rest.until, now + seconds)
    rest.reason, rest.probe = order.reason, order.probe
    return rest


def _seconds(order: RestOrder, step: int) -> float:
    if step and order.later is not None:
        return order.later
    if order.honest:
        return order.seconds
    return min(max(order.longest, order.seconds), order.seconds * 2.0 ** min(step, 40))


def _forget(rests: Rests, now: float) -> None:
    """Rests that are over make room where there are too many."""
    if len(rests) >= KEPT:
        for name in [name for name, rest in rests.items() if not rest.active(now)] or list(rests)[: KEPT // 2]:
            del rests[name]


def _had_their_turn(ask: Ask, refused: Admission) -> bool:
    """Every key that could serve is used up."""
    return ask.usage_window is UsageWindow.ROUND and any(each.reason == "usage" for each in refused.passed)


def _alike(candidate: Candidate, model: str, reason: str, now: float) -> Iterator[Resting]:
    """The key's rests for this reason that began just now."""
    for name in (WHOLE, model):
        rest = candidate.view.rests.get(name)
        if rest and rest.reason == reason and rest.active(now) and rest.since >= now - TOGETHER:
            yield rest


def _limited(limits: Limits) -> bool:
    return bool(limits.requests or limits.tokens or limits.concurrency)


def _over(meter: Meter, limits: Limits, tokens: int, now: float, label: str) -> Passed | None:
    """The limit that one more request would break, None where it fits."""
    if limits.concurrency is not None and meter.open >= limits.concurrency:
        return Passed(label, "concurrency", POLL)
    if limits.requests and (wait := gcra.requests_wait(meter.requests, now, limits.requests)):
        return Passed(label, "requests", wait)
    if limits.tokens and (wait := gcra.tokens_wait(meter.tokens, now, limits.tokens, tokens)):
        return Passed(label, "tokens", wait)
    return None


def _charge(meter: Meter, limits: Limits, tokens: int, now: float) -> None:
    meter.open += 1
    if limits.requests:
        meter.requests = gcra.after_request(meter.requests, now, limits.requests)
    if limits.tokens:
        meter.tokens = gcra.after_tokens(meter.tokens, now, limits.tokens, tokens)


def _seen(candidate: Candidate, now: float) -> KeyState:
    view = candidate.view
    rests = tuple(_shown(rest, now, model) for model, rest in view.rests.items() if rest.step)
    return KeyState(candidate.label, view.meter.open, view.used, view.turns, rests)


def _shown(rest: Resting, now: float, model: str = WHOLE, account: str = "") -> RestState:
    return RestState(rest.reason, max(0.0, rest.until - now), model, account)
