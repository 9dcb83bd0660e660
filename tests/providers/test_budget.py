"""Repeats are a share of the calls, with a floor that a lone call can use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.budget import SHARE, SPAN, RetryBudget
from tests.providers.support import property_test


def taken(budget: RetryBudget, now: float, wanted: int = 1000) -> int:
    """How many repeats it allows at this moment."""
    return sum(budget.allows(now) for _ in range(wanted))


@pytest.mark.parametrize("floor", [0, 1, 8])
def test_a_lone_call_may_use_the_whole_floor(floor: int) -> None:
    budget = RetryBudget(floor)
    budget.called(0.0)
    assert taken(budget, 1.0) == floor


def test_many_calls_get_a_fifth_of_their_number() -> None:
    budget = RetryBudget(8)
    for number in range(100):
        budget.called(number / 10)
    assert taken(budget, 10.0) == 20


def test_a_fifth_is_never_rounded_up() -> None:
    budget = RetryBudget(0)
    for calls in range(1, 30):
        budget.called(0.0)
        taken(budget, 0.0)
        used = calls // 5
        assert budget.left(0.0) == pytest.approx(1.0 - used / (SHARE * calls))


def test_what_was_long_ago_counts_no_more() -> None:
    budget = RetryBudget(2)
    for _ in range(100):
        budget.called(0.0)
    assert taken(budget, SPAN - 0.001) == 20
    assert not budget.allows(SPAN)  # the calls are old by now, their repeats are not
    assert taken(budget, 2 * SPAN) == 2


def test_the_share_that_is_left() -> None:
    budget = RetryBudget(4)
    assert budget.left(0.0) == 1.0
    budget.allows(0.0)
    assert budget.left(0.0) == 0.75
    taken(budget, 0.0)
    assert budget.left(0.0) == 0.0
    assert budget.left(SPAN) == 1.0
    assert RetryBudget(0).left(0.0) == 0.0


@property_test
@given(st.integers(0, 8), st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=200))
def test_no_minute_has_more_repeats_than_it_may(floor: int, events: list[tuple[float, bool]]) -> None:
    budget = RetryBudget(floor)
    now = 0.0
    calls: list[float] = []
    repeats: list[float] = []
    for passed, call in events:
        now += passed
        if call:
            calls.append(now)
            budget.called(now)
        elif budget.allows(now):
            repeats.append(now)
            recent = [sum(moment > now - SPAN for moment in moments) for moments in (calls, repeats)]
            assert recent[1] <= max(floor, SHARE * recent[0])
