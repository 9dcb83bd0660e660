"""The order in which a pool's keys are offered a call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec import KeyOrder
from providers.state import Candidate
from providers.turns import Turns
from tests.providers.support import property_test

NOW = 100.0


def keys(count: int) -> list[Candidate]:
    return [Candidate(f"k{number}", f"acme-{number}", f"account {number}") for number in range(count)]


def turns(candidates: Sequence[Candidate], order: KeyOrder, weights: Sequence[float] = ()) -> Turns:
    return Turns(candidates, weights or [1.0] * len(candidates), order)


def ids(ordered: Sequence[Candidate]) -> list[str]:
    return [each.id for each in ordered]


def use(turns: Turns, candidate: Candidate, now: float) -> None:
    """What happens when a key is leased, and at once settled."""
    candidate.view.last_used = now
    candidate.view.turns += 1
    turns.took(candidate)


def serve(turns: Turns, count: int, without: Candidate | None = None) -> list[str]:
    """The keys that serve so many calls, one after the other; one key may not."""
    served = []
    for number in range(count):
        first = next(each for each in turns.order(NOW) if each is not without)
        use(turns, first, NOW + number)
        served.append(first.id)
    return served


# Least recent


def test_the_least_recently_used_is_first() -> None:
    pool = keys(3)
    order = turns(pool, KeyOrder.LEAST_RECENT)
    for at, key in enumerate([pool[1], pool[2], pool[0]]):
        use(order, key, NOW + at)
    assert ids(order.order(NOW)) == ["k1", "k2", "k0"]
    assert serve(turns(keys(3), KeyOrder.LEAST_RECENT), 7) == ["k0", "k1", "k2", "k0", "k1", "k2", "k0"]


def test_a_busy_key_comes_after_every_idle_one() -> None:
    pool = keys(3)
    for key, at in zip(pool, (NOW, NOW + 1, NOW + 2), strict=True):
        key.view.last_used = at
    pool[0].view.meter.open = 2
    pool[1].view.meter.open = 1
    assert ids(turns(pool, KeyOrder.LEAST_RECENT).order(NOW)) == ["k2", "k1", "k0"]


def test_of_keys_used_at_one_moment_the_one_with_fewer_turns_is_first_then_the_one_named_first() -> None:
    pool = keys(3)
    pool[0].view.turns = 1
    order = turns(pool, KeyOrder.LEAST_RECENT)
    assert ids(order.order(NOW)) == ["k1", "k2", "k0"]


def test_one_moment_for_many_calls_still_goes_round() -> None:
    pool = keys(3)
    order = turns(pool, KeyOrder.LEAST_RECENT)
    served = []
    for _ in range(9):
        first = order.order(NOW)[0]
        use(order, first, NOW)
        served.append(first.id)
    assert served == ["k0", "k1", "k2"] * 3


# Weighted


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (1, 2, 3), (5, 1, 1, 3), (10, 1)])
def test_weights_are_shares_of_the_work(weights: tuple[int, ...]) -> None:
    served = serve(turns(keys(len(weights)), KeyOrder.WEIGHTED, weights), 20 * sum(weights))
    assert Counter(served) == {f"k{number}": 20 * weight for number, weight in enumerate(weights)}


@pytest.mark.parametrize("weights", [(3, 1), (1, 2, 3), (5, 1, 1, 3)])
def test_shares_are_kept_in_every_short_stretch_too(weights: tuple[int, ...]) -> None:
    served = serve(turns(keys(len(weights)), KeyOrder.WEIGHTED, weights), 10 * sum(weights))
    for start in range(len(served) - sum(weights)):
        stretch = Counter(served[start : start + sum(weights)])
        assert all(abs(stretch[f"k{number}"] - weight) <= 1 for number, weight in enumerate(weights))


@pytest.mark.parametrize("weights", [(1.0, 1.0), (3.0, 1.0), (0.5, 2.0)])
def test_a_weighted_key_that_rested_does_not_catch_up(weights: tuple[float, float]) -> None:
    pool = keys(2)
    order = turns(pool, KeyOrder.WEIGHTED, weights)
    serve(order, 10)
    assert set(serve(order, 500, without=pool[0])) == {"k1"}
    share = 40 * weights[0] / sum(weights)
    assert abs(serve(order, 40).count("k0") - share) <= 1


def test_a_heavy_key_may_have_more_calls_open() -> None:
    pool = keys(2)
    order = turns(pool, KeyOrder.WEIGHTED, (3.0, 1.0))
    pool[0].view.meter.open, pool[1].view.meter.open = 2, 1
    assert ids(order.order(NOW)) == ["k0", "k1"]
    pool[0].view.meter.open = 4
    assert ids(order.order(NOW)) == ["k1", "k0"]


# Sticky


def test_the_sticky_order_is_a_ring_from_the_key_in_use() -> None:
    pool = keys(4)
    order = turns(pool, KeyOrder.STICKY)
    assert serve(order, 3) == ["k0", "k0", "k0"]
    assert serve(order, 2, without=pool[0]) == ["k1", "k1"]
    assert ids(order.order(NOW)) == ["k1", "k2", "k3", "k0"]
    order.took(pool[3])
    assert ids(order.order(NOW)) == ["k3", "k0", "k1", "k2"]


# What comes before any order


@pytest.mark.parametrize("kind", KeyOrder)
def test_keys_that_this_call_was_sent_with_come_last(kind: KeyOrder) -> None:
    order = turns(keys(4), kind)
    assert ids(order.order(NOW, tried={"k0", "k2"})) == ["k1", "k3", "k0", "k2"]


@pytest.mark.parametrize("kind", KeyOrder)
def test_the_preferred_key_comes_first_however_busy_it_is(kind: KeyOrder) -> None:
    pool = keys(3)
    pool[2].view.meter.open = 9
    order = turns(pool, kind)
    assert ids(order.order(NOW, preferred="k2")) == ["k2", "k0", "k1"]
    assert ids(order.order(NOW, preferred="unknown"))[0] == "k0"


def test_a_preferred_key_that_failed_this_call_waits_behind_the_others() -> None:
    order = turns(keys(3), KeyOrder.LEAST_RECENT)
    assert ids(order.order(NOW, tried={"k1"}, preferred="k1")) == ["k0", "k2", "k1"]


def test_a_key_that_stands_back_comes_after_the_others_for_a_while() -> None:
    pool = keys(3)
    order = turns(pool, KeyOrder.LEAST_RECENT)
    order.stand_back(pool[0], NOW + 30)
    assert ids(order.order(NOW)) == ["k1", "k2", "k0"]
    assert ids(order.order(NOW, preferred="k0")) == ["k1", "k2", "k0"]
    assert ids(order.order(NOW, tried={"k1", "k2"})) == ["k0", "k1", "k2"]
    assert ids(order.order(NOW + 30)) == ["k0", "k1", "k2"]


def test_a_key_that_worked_need_not_stand_back() -> None:
    pool = keys(2)
    order = turns(pool, KeyOrder.LEAST_RECENT)
    order.stand_back(pool[0], NOW + 30)
    order.worked(pool[0])
    order.worked(pool[1])
    assert ids(order.order(NOW)) == ["k0", "k1"]


@pytest.mark.parametrize("kind", KeyOrder)
def test_a_lone_key_is_offered_whatever_happened_to_it(kind: KeyOrder) -> None:
    [only] = pool = keys(1)
    order = turns(pool, kind)
    order.took(only)
    order.stand_back(only, NOW + 30)
    assert ids(order.order(NOW, tried={"k0"}, preferred="k1")) == ["k0"]


EVENTS = st.lists(
    st.tuples(st.sampled_from(["took", "back", "worked", "open", "close"]), st.integers(0, 5), st.floats(0, 100)),
    max_size=40,
)


@property_test
@given(
    st.sampled_from(KeyOrder),
    st.lists(st.floats(0.1, 10), min_size=1, max_size=6),
    EVENTS,
    st.sets(st.sampled_from(["k0", "k1", "k2", "k3", "k9"])),
    st.none() | st.sampled_from(["k0", "k3", "k9"]),
)
def test_whatever_happened_every_key_is_offered_once(
    kind: KeyOrder,
    weights: list[float],
    events: list[tuple[str, int, float]],
    tried: set[str],
    preferred: str | None,
) -> None:
    pool = keys(len(weights))
    order = turns(pool, kind, weights)
    for what, number, at in events:
        happen(order, pool[number % len(pool)], what, NOW + at)
        ordered = order.order(NOW + at, tried, preferred)
        assert sorted(ids(ordered)) == sorted(ids(pool))
        untried = [each.id not in tried for each in ordered]
        assert untried == sorted(untried, reverse=True) or len(pool) == 1


def happen(order: Turns, key: Candidate, what: str, at: float) -> None:
    match what:
        case "took":
            use(order, key, at)
        case "back":
            order.stand_back(key, at)
        case "worked":
            order.worked(key)
        case "open":
            key.view.meter.open += 1
        case _:
            key.view.meter.open = max(0, key.view.meter.open - 1)
