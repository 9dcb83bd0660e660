"""Processes that ask, settle, crash and come back in any order: no bound is ever broken, against a plain model."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from redis.asyncio import Redis

from gateway.state.line import Line
from gateway.state.mirror import Mirrors
from gateway.state.redis_store import RedisStore
from gateway.state.redis_text import Names
from providers.spec import Limits, Traffic
from providers.state import Admission, Ask, Candidate, Settlement
from tests.gateway.state.conftest import unique_prefix
from tests.gateway.state.support import HandClock
from tests.redis_server import RedisServer

PROCESSES = 3
LIFE = 20.0
WINDOW = 60.0
LIMITS = st.builds(Limits, requests=st.sampled_from([None, 3, 40, 90]), concurrency=st.sampled_from([None, 1, 3]))
TRAFFIC = st.builds(Traffic, rate=st.sampled_from([None, 5, 45]), concurrency=st.sampled_from([None, 2]))
T = TypeVar("T")


@dataclass(eq=False)
class Process:
    """One gateway's store, and the keys as it sees them."""

    store: RedisStore
    pool: tuple[Candidate, ...]


@dataclass
class Given:
    """A lease, as a plain reader keeps it."""

    key: str
    process: Process
    ends: float


@dataclass
class Model:
    """What was given, by whom, and when."""

    open: dict[str, Given] = field(default_factory=dict)
    through: dict[str, list[float]] = field(default_factory=dict)  # by key; "" = the provider

    def in_flight(self, key: str, now: float) -> int:
        return sum(given.key == key and given.ends > now for given in self.open.values())


class Crowd(RuleBasedStateMachine):
    """Time is a test's, so that leases end when it says."""

    leases: Bundle[str] = Bundle("leases")
    server: RedisServer

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.model, self.count = HandClock(), Model(), 0
        self.runner = asyncio.Runner()
        self.line = Line(Redis(port=self.server.port), deadline=10.0)
        self.names = Names(unique_prefix())

    def teardown(self) -> None:
        self.runner.run(self.line.aclose())
        self.runner.close()

    @initialize(limits=st.lists(LIMITS, min_size=1, max_size=3), traffic=TRAFFIC)
    def begin(self, limits: list[Limits], traffic: Traffic) -> None:
        self.limits = {f"k{number}": each for number, each in enumerate(limits)}
        self.traffic = traffic
        self.processes = [self._process() for _ in range(PROCESSES)]

    # -- what processes do

    @rule(target=leases, number=st.integers(0, PROCESSES - 1), data=st.data())
    def ask(self, number: int, data: st.DataObject) -> str:
        process = self.processes[number]
        self.count += 1
        lease = f"lease-{self.count}"
        admission = self._ask(process, lease, data.draw(st.permutations(process.pool)))
        if admission.candidate is None:
            assert admission.wait > 0
            assert admission.reason in ("requests", "concurrency")
            return lease
        key = admission.candidate.id
        self.model.open[lease] = Given(key, process, self.clock.now + LIFE)
        for whose in (key, ""):
            self.model.through.setdefault(whose, []).append(self.clock.now)
        return lease

    @rule(lease=leases, outcome=st.sampled_from(["ok", "failed", "abandoned"]))
    def settle(self, lease: str, outcome: str) -> None:
        given = self.model.open.get(lease)
        if given and given.process in self.processes:
            del self.model.open[lease]
            self._run(given.process.store.settle("acme", lease, Settlement(outcome)))

    @rule(lease=leases)
    def settle_twice(self, lease: str) -> None:
        """By a process that never had it, or no longer has."""
        if lease not in self.model.open:
            for process in self.processes:
                self._run(process.store.settle("acme", lease, Settlement("ok")))

    @rule(number=st.integers(0, PROCESSES - 1))
    def beat(self, number: int) -> None:
        process = self.processes[number]
        self._run(process.store.beat())
        for given in self.model.open.values():
            if given.process is process:
                given.ends = self.clock.now + LIFE

    @rule(number=st.integers(0, PROCESSES - 1))
    def crash(self, number: int) -> None:
        """Nobody settles what it had, and its successor knows of nothing."""
        self.processes[number] = self._process()

    @rule(seconds=st.sampled_from([0.001, 0.4, 3.0, 3.0, 7.0, LIFE + 0.001, 2 * WINDOW]))
    def time_passes(self, seconds: float) -> None:
        self.clock.turn(seconds)

    # -- what holds after each

    @invariant()
    def what_is_in_flight_is_what_was_given_and_has_not_ended(self) -> None:
        for process in self.processes:
            seen = self._run(process.store.snapshot("acme", process.pool))
            for each, shown in zip(process.pool, seen.keys, strict=True):
                assert shown.in_flight == self.model.in_flight(each.id, self.clock.now)

    @invariant()
    def no_limit_is_ever_exceeded(self) -> None:
        for whose, limits in {**self.limits, "": Limits(self.traffic.rate, None, self.traffic.concurrency)}.items():
            times = self.model.through.get(whose, [])
            if limits.requests is not None:
                for number, began in enumerate(times):
                    assert sum(began <= each < began + WINDOW for each in times[number:]) <= limits.requests

    def _process(self) -> Process:
        store = RedisStore(
            self.line,
            self.names,
            lambda: self.clock.now,
            Mirrors(),
            LIFE,
            lambda: (self.clock.now, self.clock.wall),
        )
        pool = tuple(Candidate(name, name, name, limits) for name, limits in self.limits.items())
        return Process(store, pool)

    def _ask(self, process: Process, lease: str, candidates: list[Candidate]) -> Admission:
        before = {each.id: self.model.in_flight(each.id, self.clock.now) for each in candidates}
        admission = self._run(process.store.admit(Ask(lease, "acme", "m", candidates, traffic=self.traffic)))
        if chosen := admission.candidate:
            most, all_most = chosen.limits.concurrency, self.traffic.concurrency
            assert most is None or before[chosen.id] < most
            assert all_most is None or sum(before.values()) < all_most
        return admission

    def _run(self, verb: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(verb)


@pytest.mark.parametrize("examples", [25])
def test_no_bound_is_ever_broken(real_redis: RedisServer, examples: int) -> None:
    Crowd.server = real_redis
    run_state_machine_as_test(
        Crowd,
        settings=settings(
            max_examples=examples, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
