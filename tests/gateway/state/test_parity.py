"""Any order of verbs: the scripts say what the ledger says, to the last digit."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from redis.asyncio import Redis

from gateway.state.line import Line
from gateway.state.memory import MemoryStore
from gateway.state.mirror import Mirrors
from gateway.state.redis_store import RedisStore
from gateway.state.redis_text import Names
from providers import policy
from providers.errors import Calendar, ErrorKind, Scope, UpstreamFailure
from providers.spec import Limits, Traffic, UsageWindow
from providers.state import (
    OPERATOR,
    REFUNDED,
    WHOLE,
    Admission,
    Ask,
    Candidate,
    RestOrder,
    RestState,
    Settlement,
    Snapshot,
    StateStore,
)
from tests.gateway.state.conftest import YEARS, unique_prefix
from tests.gateway.state.support import DAY, HOUR, NOON, HandClock, order
from tests.redis_server import RedisServer

MODELS = ("m1", "m2")
LIMITS = st.builds(
    Limits,
    requests=st.sampled_from([None, None, 5, 40, 100]),
    tokens=st.sampled_from([None, None, 1000]),
    concurrency=st.sampled_from([None, None, 1, 3]),
)
TRAFFIC = st.builds(Traffic, rate=st.sampled_from([None, None, 7, 60]), concurrency=st.sampled_from([None, None, 2]))
RESTING = [kind for kind in ErrorKind if policy.order(UpstreamFailure(kind, ""), NOON)]
T = TypeVar("T")


@dataclass
class Side:
    """A store, and keys whose views are its own."""

    store: StateStore
    pool: tuple[Candidate, ...] = ()


class Parity(RuleBasedStateMachine):
    """Whatever one store is asked, the other is asked too."""

    leases: Bundle[str] = Bundle("leases")
    server: RedisServer

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.count = 0
        self.runner = asyncio.Runner()
        self.line = Line(Redis(port=self.server.port), deadline=10.0)
        redis = RedisStore(
            self.line,
            Names(unique_prefix()),
            lambda: self.clock.now,
            Mirrors(),
            YEARS,
            lambda: (self.clock.now, self.clock.wall),
        )
        self.sides = (Side(MemoryStore(lambda: self.clock.now, lambda: self.clock.wall)), Side(redis))

    def teardown(self) -> None:
        self.runner.run(self.line.aclose())
        self.runner.close()

    @initialize(
        count=st.integers(1, 5),
        limits=st.lists(LIMITS, min_size=5, max_size=5),
        model_limits=LIMITS,
        traffic=TRAFFIC,
        usage_limit=st.sampled_from([0, 0, 2]),
        window=st.sampled_from(UsageWindow),
        bucket=st.booleans(),
    )
    def begin(
        self,
        count: int,
        limits: list[Limits],
        model_limits: Limits,
        traffic: Traffic,
        usage_limit: int,
        window: UsageWindow,
        bucket: bool,
    ) -> None:
        for side in self.sides:
            side.pool = tuple(
                Candidate(f"k{number}", f"acme-{number}", f"a{number % 2}", limits[number]) for number in range(count)
            )
        self.model_limits = {MODELS[0]: model_limits, MODELS[1]: Limits()}
        self.traffic, self.usage_limit, self.window, self.bucket = traffic, usage_limit, window, bucket

    # -- verbs

    @rule(target=leases, model=st.sampled_from(MODELS), data=st.data(), tokens=st.integers(0, 400))
    def ask(self, model: str, data: st.DataObject, tokens: int) -> str:
        self.count += 1
        lease = f"lease-{self.count}"
        self._admit(lease, model, data.draw(st.permutations(range(len(self.sides[0].pool)))), tokens)
        return lease

    @rule(lease=leases, model=st.sampled_from(MODELS))
    def ask_again(self, lease: str, model: str) -> None:
        self._admit(lease, model, range(len(self.sides[0].pool)), 0)

    @rule(lease=leases)
    def proved(self, lease: str) -> None:
        for side in self.sides:
            self._run(side.store.proved("acme", lease))

    @rule(
        lease=leases,
        outcome=st.sampled_from(["ok", "ok", "abandoned", "failed", REFUNDED]),
        tokens=st.sampled_from([None, 0, 10, 10**6]),
    )
    def settled(self, lease: str, outcome: str, tokens: int | None) -> None:
        self._settle(lease, Settlement(outcome, tokens))

    @rule(
        lease=leases,
        kind=st.sampled_from([*RESTING, *[kind for kind in RESTING if policy.CONSEQUENCES[kind].common]]),
        seconds=st.sampled_from([None, None, None, 0.0, 3.0, 90.0]),
        scope=st.sampled_from([None, None, None, Scope.PROVIDER, Scope.ACCOUNT]),
        calendar=st.sampled_from([None, None, Calendar.UTC_MONTH]),
        jitter=st.sampled_from([0.0, 0.123]),
    )
    def failed(
        self,
        lease: str,
        kind: ErrorKind,
        seconds: float | None,
        scope: Scope | None,
        calendar: Calendar | None,
        jitter: float,
    ) -> None:
        rest = order(kind, seconds, scope=scope, calendar=calendar, wall=self.clock.wall, jitter=jitter)
        self._settle(lease, Settlement("failed", None, rest))

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 5.0, 11.0, 61.0, HOUR / 2, DAY]))
    def time_passes(self, seconds: float) -> None:
        self.clock.turn(seconds)

    @rule(data=st.data(), model=st.sampled_from([WHOLE, *MODELS]), seconds=st.sampled_from([1.0, 100.0]))
    def rest(self, data: st.DataObject, model: str, seconds: float) -> None:
        number = data.draw(st.sampled_from([None, *range(len(self.sides[0].pool))]))
        rest = RestOrder(Scope.PROVIDER if number is None else Scope.KEY, OPERATOR, seconds)
        for side in self.sides:
            self._run(side.store.rest("acme", None if number is None else side.pool[number], model, rest))

    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([None, *range(len(self.sides[0].pool))]))
        for side in self.sides:
            self._run(side.store.wake("acme", None if number is None else side.pool[number]))

    # -- what holds after each

    @invariant()
    def both_say_the_same_of_all_keys(self) -> None:
        ours, theirs = (_sorted(self._run(side.store.snapshot("acme", side.pool))) for side in self.sides)
        assert ours == theirs

    def _admit(self, lease: str, model: str, permutation: Any, tokens: int) -> None:
        ours, theirs = [self._admitted(side, lease, model, permutation, tokens) for side in self.sides]
        assert ours == theirs
        limits = self.model_limits[model]
        for one, other in zip(*(side.pool for side in self.sides), strict=True):
            same = one.view.rests_now(model, self.clock.now) == other.view.rests_now(model, self.clock.now)
            assert same, (one, other, limits)
            assert one.view.meter.open == other.view.meter.open

    def _admitted(
        self, side: Side, lease: str, model: str, permutation: Any, tokens: int
    ) -> tuple[str | None, Admission]:
        candidates = [side.pool[number] for number in permutation]
        ask = Ask(
            lease,
            "acme",
            model,
            candidates,
            tokens,
            self.model_limits[model],
            self.usage_limit,
            self.window,
            self.traffic,
            self.bucket,
        )
        admission = self._run(side.store.admit(ask))
        taken = admission.candidate.id if admission.candidate else None
        passed = tuple(replace(each, wait=round(each.wait, 4)) for each in admission.passed)
        return taken, replace(admission, candidate=None, wait=round(admission.wait, 4), passed=passed)

    def _settle(self, lease: str, settlement: Settlement) -> None:
        for side in self.sides:
            self._run(side.store.settle("acme", lease, settlement))

    def _run(self, verb: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(verb)


def _sorted(seen: Snapshot) -> Snapshot:
    """Rests have no order of their own."""
    keys = tuple(replace(each, rests=_in_order(each.rests)) for each in seen.keys)
    return Snapshot(keys, _in_order(seen.rests))


def _in_order(rests: Sequence[RestState]) -> tuple[RestState, ...]:
    return tuple(sorted((replace(each, seconds=round(each.seconds, 4)) for each in rests), key=repr))


@pytest.mark.parametrize("examples", [30])
def test_the_scripts_do_what_the_ledger_does(real_redis: RedisServer, examples: int) -> None:
    Parity.server = real_redis
    run_state_machine_as_test(
        Parity,
        settings=settings(
            max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
