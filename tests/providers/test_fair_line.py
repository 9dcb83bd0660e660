"""Who comes next: nobody is lost, nobody starves, and no token gets ahead, whatever comes and leaves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.queue.fair_line import MOST_PASSED, Caller, FairLine, Rank, Waiter
from tests.providers.support import property_test

TOKENS = ["ann", "bob", "cy", "dee", ""]
LANES = ["big", "small"]


@dataclass
class Watched:
    """A line, and all that was promised of it, checked at every step by looking at everybody."""

    line: FairLine[Waiter] = field(default_factory=FairLine)
    here: list[Waiter] = field(default_factory=list)  # in the order in which they came
    served: Counter[str] = field(default_factory=Counter)
    since: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)  # of two who both wait: served by then
    passed: defaultdict[Waiter, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, token: str, rank: Rank = Rank.MAIN, lane: str = "big") -> Waiter:
        waiter = Waiter(Caller(token, rank), lane)
        self.line.add(waiter)
        self.here.append(waiter)
        self.check()
        return waiter

    def remove(self, waiter: Waiter) -> None:
        self.line.remove(waiter)
        self.here.remove(waiter)
        self.check()

    def serve(self, closed: tuple[str, ...] = ()) -> Waiter | None:
        chosen = self.line.first(closed)
        able = [each for each in self.here if each.lane not in closed]
        assert (chosen is None) == (not able), "somebody could go, and nobody does"
        if chosen is None:
            return None
        assert chosen in able
        alike = [each for each in able if (each.caller, each.lane) == (chosen.caller, chosen.lane)]
        assert alike[0] is chosen, "first come, first served"
        self.line.served(chosen)
        self.here.remove(chosen)
        self.served[chosen.caller.token] += 1
        self._passes(chosen)
        self.check()
        return chosen

    def _passes(self, chosen: Waiter) -> None:
        """A rank's first is passed by its own token in its lane, so often and no more."""
        firsts = {(each.caller, each.lane): each for each in reversed(self.here)}
        for each in firsts.values():
            if (each.caller.token, each.lane) == (chosen.caller.token, chosen.lane):
                if each.caller.rank is chosen.caller.rank:
                    self.passed[each] = 0
                else:
                    self.passed[each] += 1
                    assert self.passed[each] <= MOST_PASSED + 1

    def check(self) -> None:
        assert len(self.line) == len(self.here)
        assert all(self.line.holds(each) for each in self.here)
        for lane in LANES:
            assert (lane in self.line) == any(each.lane == lane for each in self.here)
            assert set(self.line.waiting(lane)) == {each for each in self.here if each.lane == lane}
            assert self.line.tokens(lane) == len({each.caller.token for each in self.here if each.lane == lane})

    def fair(self) -> None:
        """Of two who wait all the while, one is served at most two more."""
        waiting = {each.caller.token for each in self.here}
        pairs = {(one, other) for one in waiting for other in waiting if one < other}
        for pair in self.since.keys() - pairs:
            del self.since[pair]
        for one, other in pairs:
            began = self.since.setdefault((one, other), dict(self.served))
            ahead = (self.served[one] - began.get(one, 0)) - (self.served[other] - began.get(other, 0))
            assert abs(ahead) <= 2


Step = Callable[[Watched], object]


def _adds(token: str, rank: Rank, lane: str) -> Step:
    return lambda watched: watched.add(token, rank, lane)


def _serves(closed: tuple[str, ...]) -> Step:
    return lambda watched: watched.serve(closed)


def _removes(number: int) -> Step:
    def step(watched: Watched) -> None:
        if watched.here:
            watched.remove(watched.here[number % len(watched.here)])

    return step


def _charges(token: str) -> Step:
    def step(watched: Watched) -> None:
        if watched.here:
            watched.line.charge(token)

    return step


STEPS = st.one_of(
    st.builds(_adds, st.sampled_from(TOKENS), st.sampled_from(Rank), st.sampled_from(LANES)),
    st.builds(_serves, st.sampled_from([(), ("big",), ("small",), ("big", "small")])),
    st.builds(_removes, st.integers(0, 50)),
    st.builds(_charges, st.sampled_from(TOKENS)),
)


@property_test
@given(st.lists(STEPS, max_size=50))
def test_whatever_comes_and_leaves_nobody_is_lost_or_passed_too_often(steps: list[Step]) -> None:
    watched = Watched()
    for step in steps:
        step(watched)
    while watched.here:
        assert watched.serve() is not None


@property_test
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(TOKENS), st.sampled_from(Rank)),
            st.sampled_from(["serve", "serve", "leave"]),
        ),
        max_size=60,
    )
)
def test_of_two_tokens_that_wait_neither_gets_ahead(steps: list[str | tuple[str, Rank]]) -> None:
    watched = Watched()
    for step in steps:
        if isinstance(step, tuple):
            watched.add(*step)
        elif step == "serve":
            watched.serve()
        elif watched.here:
            watched.remove(watched.here[-1])
        watched.fair()


def test_who_comes_with_fifty_waits_for_one_of_them_at_most() -> None:
    watched = Watched()
    for _ in range(50):
        watched.add("greedy")
    for _ in range(20):
        watched.serve()
    polite = watched.add("polite")
    assert polite in (watched.serve(), watched.serve())


def test_who_comes_back_each_time_gets_every_second_turn() -> None:
    watched = Watched()
    for _ in range(20):
        watched.add("greedy")
    order = []
    for _ in range(10):
        watched.add("polite")  # one at a time, as somebody who waits for the answer
        for _ in range(2):
            served = watched.serve()
            order.append(served.caller.token if served else "")
    assert Counter(order[2:]) == {"polite": 9, "greedy": 9}


def test_the_main_thread_comes_first_and_the_others_are_not_forgotten() -> None:
    watched = Watched()
    names: dict[Waiter, str] = {}
    for rank in (Rank.BACKGROUND, Rank.SUBAGENT, Rank.MAIN):
        for _ in range(6):
            names[watched.add("ann", rank)] = rank.name[0]
    order = "".join(names[served] for _ in range(18) if (served := watched.serve()))
    assert order == "MMMMSBMMSSBSSSBBBB"


def test_ranks_count_within_a_token_only() -> None:
    watched = Watched()
    for number in range(6):
        watched.add("ann", Rank.MAIN)
        if number < 3:
            watched.add("bob", Rank.BACKGROUND)
    first = [served.caller.token for _ in range(6) if (served := watched.serve())]
    assert Counter(first) == {"ann": 3, "bob": 3}


def test_who_stood_in_a_closed_lane_does_not_make_up_for_it() -> None:
    watched = Watched()
    for _ in range(10):
        watched.add("ann", lane="big")
    for _ in range(30):
        watched.add("bob", lane="small")
    for _ in range(20):
        watched.serve(("big",))
    order = Counter(served.caller.token for _ in range(8) if (served := watched.serve()))
    assert order["bob"] >= 3


def test_a_token_is_one_whatever_models_it_asks_for() -> None:
    watched = Watched()
    for _ in range(20):
        watched.add("greedy", lane="big")
        watched.add("greedy", lane="small")
        watched.add("polite", lane="big")
    order = [served.caller.token for _ in range(20) if (served := watched.serve())]
    assert Counter(order) == {"greedy": 10, "polite": 10}


@pytest.mark.parametrize("lane", LANES)
def test_thousands_who_come_and_leave_leave_nothing_behind(lane: str) -> None:
    line: FairLine[Waiter] = FairLine()
    line.add(Waiter(Caller("always"), "big"))
    for number in range(5000):
        waiter = Waiter(Caller(f"token-{number}"), lane)
        line.add(waiter)
        if number % 2:
            line.remove(waiter)
        elif first := line.first():
            line.served(first)
            if first is not waiter:
                line.remove(waiter)
                line.add(first)
    assert len(line) == 1
    assert sum(len(each.heap) for each in line._lanes.values()) < 200
    assert len(line._finished) < 200
