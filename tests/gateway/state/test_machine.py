"""Any order of verbs, against what a naive reading of the port promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from gateway.state.ledger import Ledger
from providers import policy
from providers.errors import Calendar, ErrorKind, Scope, UpstreamFailure
from providers.spec import Limits
from providers.state import OPERATOR, WHOLE, Admission, Ask, Candidate, Resting, RestOrder, Settlement
from tests.gateway.state.support import DAY, HOUR, NOON, HandClock, order

MODELS = ("m1", "m2")
LIMITS = st.builds(
    Limits,
    requests=st.sampled_from([None, None, 5, 40]),
    tokens=st.sampled_from([None, None, 1000]),
    concurrency=st.sampled_from([None, None, 1, 3]),
)
RESTING = [kind for kind in ErrorKind if policy.order(UpstreamFailure(kind, ""), NOON)]


@dataclass
class Open:
    """A lease, as a naive reader keeps it."""

    candidate: Candidate
    model: str
    began: float

    def places(self) -> dict[Scope, tuple[str, str]]:
        return places(self.candidate, self.model)


def places(candidate: Candidate, model: str) -> dict[Scope, tuple[str, str]]:
    """The names of all that may rest for an attempt."""
    return {
        Scope.KEY: ("key", candidate.id),
        Scope.KEY_MODEL: ("key", f"{candidate.id} {model}"),
        Scope.ACCOUNT: ("account", candidate.account),
        Scope.MODEL: ("model", model),
        Scope.PROVIDER: ("model", WHOLE),
    }


class Verbs(RuleBasedStateMachine):
    """Keys 1 to ``good`` never fail; of those behind them, every failure is possible."""

    leases: Bundle[str] = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.ledger = Ledger()
        self.open: dict[str, Open] = {}
        self.told: dict[tuple[str, str], float] = {}  # until when what the upstream, or a person, said holds
        self.count = 0

    @initialize(
        count=st.integers(1, 5),
        good=st.integers(0, 2),
        limits=st.lists(LIMITS, min_size=5, max_size=5),
        model_limits=LIMITS,
        usage_limit=st.sampled_from([0, 0, 2]),
    )
    def begin(self, count: int, good: int, limits: list[Limits], model_limits: Limits, usage_limit: int) -> None:
        self.pool = tuple(
            Candidate(f"k{number}", f"acme-{number}", f"a{number % 2}", limits[number]) for number in range(count)
        )
        self.good = {each.id for each in self.pool[:good]}
        self.model_limits = {MODELS[0]: model_limits, MODELS[1]: Limits()}
        self.usage_limit = usage_limit

    # -- verbs

    @rule(target=leases, model=st.sampled_from(MODELS), data=st.data(), tokens=st.integers(0, 400))
    def ask(self, model: str, data: st.DataObject, tokens: int) -> str:
        candidates = data.draw(st.permutations(self.pool))
        self.count += 1
        lease = f"lease-{self.count}"
        free = [each for each in candidates if self._surely_free(each, model)]
        admission = self._admit(lease, candidates, model, tokens)
        assert admission.candidate is not None or not free
        if admission.candidate is None:
            assert admission.wait > 0
            assert admission.reason
            assert admission.wait == min(each.wait for each in admission.passed)
            return lease
        before = candidates[: candidates.index(admission.candidate)]
        assert [each.label for each in admission.passed] == [each.label for each in before]
        assert all(each.wait > 0 and each.reason for each in admission.passed)
        for place in places(admission.candidate, model).values():
            assert self.told.get(place, 0.0) <= self.clock.now, f"{place} rests"
        self.open[lease] = Open(admission.candidate, model, self.clock.now)
        return lease

    @rule(lease=leases, model=st.sampled_from(MODELS))
    def ask_again(self, lease: str, model: str) -> None:
        if held := self.open.get(lease):
            assert self._admit(lease, self.pool, model, 0).candidate is held.candidate

    @rule(lease=leases)
    def proved(self, lease: str) -> None:
        self.ledger.proved(lease, self.clock.now)

    @rule(lease=leases, tokens=st.sampled_from([None, 0, 10, 10**6]))
    def ok(self, lease: str, tokens: int | None) -> None:
        self.open.pop(lease, None)
        self.ledger.settle(lease, Settlement("ok", tokens), self.clock.now)

    @rule(lease=leases)
    def abandoned(self, lease: str) -> None:
        self.open.pop(lease, None)
        self.ledger.settle(lease, Settlement("abandoned"), self.clock.now)

    @rule(
        lease=leases,
        kind=st.sampled_from(RESTING),
        seconds=st.sampled_from([None, None, 0.0, 3.0, 90.0]),
        calendar=st.sampled_from([None, None, Calendar.UTC_MONTH]),
        jitter=st.sampled_from([0.0, 0.5]),
    )
    def failed(
        self, lease: str, kind: ErrorKind, seconds: float | None, calendar: Calendar | None, jitter: float
    ) -> None:
        held = self.open.get(lease)
        if held is None or held.candidate.id in self.good:
            return
        rest = order(kind, seconds, calendar=calendar, wall=self.clock.wall, jitter=jitter if seconds else 0.0)
        if rest.honest and rest.strikes == 1 and rest.later in (None, rest.seconds):
            self._say(held.places()[rest.scope], rest.seconds)
        del self.open[lease]
        self.ledger.settle(lease, Settlement("failed", rest=rest), self.clock.now)

    @rule(lease=leases)
    def failed_for_nothing(self, lease: str) -> None:
        self.open.pop(lease, None)
        self.ledger.settle(lease, Settlement("failed"), self.clock.now)

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 5.0, 11.0, 61.0, HOUR / 2, DAY]))
    def time_passes(self, seconds: float) -> None:
        self.clock.turn(seconds)

    @rule(data=st.data(), model=st.sampled_from([WHOLE, *MODELS]), seconds=st.sampled_from([1.0, 100.0]))
    def rest(self, data: st.DataObject, model: str, seconds: float) -> None:
        bad = [each for each in self.pool if each.id not in self.good]
        candidate = data.draw(st.sampled_from([None, *bad]))
        scope = Scope.KEY if candidate else Scope.PROVIDER
        name = f"{candidate.id} {model}".strip() if candidate else model
        self._say(("key" if candidate else "model", name), seconds)
        self.ledger.rest(candidate, model, RestOrder(scope, OPERATOR, seconds), self.clock.now)

    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        candidate = data.draw(st.sampled_from([None, *self.pool]))
        self.ledger.wake(candidate)
        for kind, name in list(self.told):
            of_key = candidate and (name.split()[:1] == [candidate.id] or name == candidate.account)
            if of_key if candidate else kind in ("model", "account"):
                del self.told[kind, name]

    # -- what holds after each

    @invariant()
    def what_is_under_way_is_what_is_open(self) -> None:
        assert set(self.ledger.leases) == set(self.open)
        seen = self.ledger.snapshot(self.pool, self.clock.now)
        for key, shown in zip(self.pool, seen.keys, strict=True):
            count = sum(each.candidate is key for each in self.open.values())
            assert key.view.meter.open == shown.in_flight == count
            assert key.limits.concurrency is None or count <= key.limits.concurrency
        for model, meter in self.ledger.meters.items():
            count = sum(each.model == model for each in self.open.values())
            assert meter.open == count
            most = self.model_limits[model].concurrency
            assert most is None or count <= most

    @invariant()
    def no_good_key_ever_rests(self) -> None:
        for key in self.pool:
            assert key.id not in self.good or not key.view.rests

    @invariant()
    def one_attempt_at_most_finds_out(self) -> None:
        for place, rest in self._rests().items():
            if rest.probe and rest.step:
                since = [
                    each for each in self.open.values() if each.began > rest.since and place in each.places().values()
                ]
                assert len(since) <= 1, place

    @invariant()
    def a_snapshot_says_what_the_views_say(self) -> None:
        seen = self.ledger.snapshot(self.pool, self.clock.now)
        for key, shown in zip(self.pool, seen.keys, strict=True):
            assert (shown.used, shown.turns, shown.label) == (key.view.used, key.view.turns, key.label)
            assert shown.used >= 0
            resting = {rest.model for rest in shown.rests if rest.seconds > 0}
            for model in MODELS:
                assert key.view.rests_now(model, self.clock.now) == bool(resting & {WHOLE, model})
        for place, until in self.told.items():
            if until > self.clock.now:
                assert self._rests()[place].until >= until - 1e-6, place

    def teardown(self) -> None:
        """Whatever happened, after a month every key serves every model again."""
        if not hasattr(self, "pool"):
            return
        for lease in list(self.open):
            self.abandoned(lease)
        self.clock.turn(32 * DAY)
        for key in self.pool:
            for model in MODELS:
                self.clock.turn(61.0)
                lease = f"last-{key.id}-{model}"
                assert self._admit(lease, [key], model, 100).candidate is key
                self.ledger.settle(lease, Settlement("ok"), self.clock.now)
        assert not self._rests()

    # -- the naive reader

    def _admit(self, lease: str, candidates: Sequence[Candidate], model: str, tokens: int) -> Admission:
        ask = Ask(lease, "acme", model, candidates, tokens, self.model_limits[model], self.usage_limit)
        return self.ledger.admit(ask, self.clock.now, self.clock.wall)

    def _say(self, place: tuple[str, str], seconds: float) -> None:
        self.told[place] = max(self.told.get(place, 0.0), self.clock.now + seconds)

    def _rests(self) -> dict[tuple[str, str], Resting]:
        found = {("model", model): rest for model, rest in self.ledger.models.items()}
        found |= {("account", account): rest for account, rest in self.ledger.accounts.items()}
        for key in self.pool:
            found |= {("key", f"{key.id} {model}".strip()): rest for model, rest in key.view.rests.items()}
        return found

    def _surely_free(self, candidate: Candidate, model: str) -> bool:
        """Nothing is known against the key: such a one has to be had."""
        rests = self._rests()
        known = any(rest.step for place in places(candidate, model).values() if (rest := rests.get(place)))
        return not known and candidate.limits == self.model_limits[model] == Limits()


TestVerbs = Verbs.TestCase
TestVerbs.settings = settings(max_examples=60, stateful_step_count=40)
