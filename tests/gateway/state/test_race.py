"""The race of the keys: many requests at once, some keys bad, answers in any order. No request fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.state.ledger import Ledger
from providers.errors import ErrorKind
from providers.spec import Limits
from providers.state import Ask, Candidate, RestOrder, Settlement
from tests.gateway.state.support import LIMITED, NOON, REFUSED, keys, order

REQUESTS = 200


@dataclass(eq=False)
class Call:
    """One client's request; it ends when a key served it."""

    name: str
    tried: set[str] = field(default_factory=set)
    lease: str = ""
    attempts: int = 0


@dataclass
class Race:
    """All calls over one pool, whose bad keys always answer the same."""

    pool: Sequence[Candidate]
    bad: dict[str, RestOrder]
    chance: Random
    ledger: Ledger = field(default_factory=Ledger)
    now: float = 1000.0
    running: list[Call] = field(default_factory=list)
    waiting: list[Call] = field(default_factory=list)
    ended: list[Call] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)  # how often each key was
    under_way: dict[str, int] = field(default_factory=dict)  # attempts of a key when it first failed, and before

    def run(self, calls: int) -> None:
        for number in range(calls):
            self.waiting.append(Call(f"call-{number}"))
        while self.waiting or self.running:
            self.now += self.chance.random() / 1000
            if self.waiting and (not self.running or self.chance.random() < 0.7):
                self._start(self.waiting.pop(self.chance.randrange(len(self.waiting))))
            else:
                self._answer(self.running.pop(self.chance.randrange(len(self.running))))
            self._nobody_good_rests()

    def _start(self, call: Call) -> None:
        ordered = sorted(self.pool, key=lambda each: (each.id in call.tried, each.view.meter.open, each.view.last_used))
        call.lease = f"{call.name}-{call.attempts}"
        admission = self.ledger.admit(Ask(call.lease, "acme", "m", ordered), self.now, NOON)
        if admission.candidate is None:
            assert admission.reason == "concurrency"
            assert self.running, "nothing is under way and yet nobody can be had"
            self.waiting.append(call)
            self._answer(self.running.pop(self.chance.randrange(len(self.running))))
            return
        key = admission.candidate.id
        assert key not in call.tried, "a tried key only when there is no other"
        call.tried.add(key)
        call.attempts += 1
        self.asked[key] = self.asked.get(key, 0) + 1
        self.running.append(call)

    def _answer(self, call: Call) -> None:
        key = self.ledger.leases[call.lease].candidate.id
        if key not in self.bad:
            if self.chance.random() < 0.5:
                self.ledger.proved(call.lease, self.now)
            self.ledger.settle(call.lease, Settlement("ok"), self.now)
            self.ended.append(call)
            return
        self.under_way.setdefault(key, self.asked[key])
        self.ledger.settle(call.lease, Settlement("failed", rest=self.bad[key]), self.now)
        self.waiting.append(call)

    def _nobody_good_rests(self) -> None:
        assert self.ledger.models == {}, "neither the provider nor the model is to blame"
        for key in self.pool:
            assert key.id in self.bad or not key.view.rests


@pytest.mark.parametrize("limited", [LIMITED, order(ErrorKind.RATE_LIMITED, 20.0)], ids=["no time", "honest"])
@pytest.mark.parametrize("at_once", [None, 10])
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_two_hundred_requests_over_five_keys_of_which_three_are_bad(
    limited: RestOrder, at_once: int | None, seed: int
) -> None:
    chance = Random(seed)  # noqa: S311 - no secret
    pool = keys(5, Limits(concurrency=at_once))
    bad = dict(zip(chance.sample([each.id for each in pool], 3), (REFUSED, REFUSED, limited), strict=True))
    race = Race(pool, bad, chance)
    race.run(REQUESTS)
    assert len(race.ended) == REQUESTS
    assert max(call.attempts for call in race.ended) <= 4
    for key in bad:
        assert race.asked.get(key, 0) <= race.under_way.get(key, 0)
    assert race.ledger.leases == {}
    assert [each.view.meter.open for each in pool] == [0] * 5


@pytest.mark.parametrize("limited", [LIMITED, order(ErrorKind.RATE_LIMITED, 20.0)], ids=["no time", "honest"])
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), healthy=st.integers(1, 10))
def test_one_healthy_key_among_ten_is_enough(limited: RestOrder, seed: int, healthy: int) -> None:
    pool = keys(10)
    others = [each.id for each in pool if each.id != f"k{healthy}"]
    bad = {key: REFUSED if number % 2 else limited for number, key in enumerate(others)}
    race = Race(pool, bad, Random(seed))  # noqa: S311 - no secret
    race.run(REQUESTS)
    assert len(race.ended) == REQUESTS
    for key in bad:
        assert race.asked.get(key, 0) <= race.under_way.get(key, 0)
