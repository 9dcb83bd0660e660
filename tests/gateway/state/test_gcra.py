"""The arithmetic of limits per minute, at any hour of any clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state import gcra

NOW = st.floats(0.0, 4e9)
LIMITS = st.integers(1, 100_000)
TOKEN_LIMITS = st.integers(1, 10**9)
TICK = 1e-5  # seconds; a clock that counts from 1970 is hardly finer


@given(NOW, LIMITS)
def test_an_idle_limit_lets_a_request_through(now: float, limit: int) -> None:
    assert gcra.requests_wait(0.0, now, limit) == 0
    assert gcra.requests_wait(now, now, limit) == 0


@given(NOW, LIMITS)
def test_the_wait_is_what_it_takes(now: float, limit: int) -> None:
    moment = 0.0
    for _ in range(limit // 40 + 3):
        if wait := gcra.requests_wait(moment, now, limit):
            if wait > 3 * TICK:
                assert gcra.requests_wait(moment, now + wait - 2 * TICK, limit) > 0
            now += wait + TICK
            assert gcra.requests_wait(moment, now, limit) == 0
        moment = gcra.after_request(moment, now, limit)


@given(LIMITS, st.lists(st.floats(0.0, 30.0), min_size=1, max_size=200))
def test_no_window_of_a_minute_holds_more_than_the_limit(limit: int, pauses: list[float]) -> None:
    now, moment = 1000.0, 0.0
    through: list[float] = []
    for pause in pauses:
        now += pause
        if not gcra.requests_wait(moment, now, limit):
            moment = gcra.after_request(moment, now, limit)
            through.append(now)
    for number, began in enumerate(through):
        assert sum(each < began + 60 - TICK for each in through[number:]) <= limit


@pytest.mark.parametrize("limit", [20, 21, 39, 40, 60, 79, 80, 500, 12_345])
def test_at_least_95_of_100_requests_get_through(limit: int) -> None:
    now, moment, through = 1000.0, 0.0, 0
    while now < 1000 + 600:
        if wait := gcra.requests_wait(moment, now, limit):
            now += wait
        else:
            moment = gcra.after_request(moment, now, limit)
            through += 1
    assert 0.95 * 10 * limit <= through <= 10 * limit


@given(NOW, TOKEN_LIMITS, st.integers(0, 10**12))
def test_any_number_of_tokens_passes_where_nothing_is_owed(now: float, limit: int, cost: int) -> None:
    assert gcra.tokens_wait(0.0, now, limit, cost) == 0
    assert gcra.tokens_wait(now, now, limit, cost) == 0


@given(NOW, TOKEN_LIMITS, st.lists(st.integers(-(10**12), 10**12), max_size=20), st.integers(0, 10**12))
def test_nobody_waits_longer_than_a_minute_for_tokens(now: float, limit: int, costs: list[int], cost: int) -> None:
    moment = 0.0
    for each in costs:
        moment = gcra.after_tokens(moment, now, limit, each)
        assert now <= moment
    wait = gcra.tokens_wait(moment, now, limit, cost)
    assert 0 <= wait <= 60 + TICK
    assert gcra.tokens_wait(moment, now + wait + TICK, limit, cost) == 0


@given(NOW, st.integers(100, 10**9))
def test_a_quarter_of_a_minutes_tokens_comes_at_once(now: float, limit: int) -> None:
    burst, moment = limit // 4, 0.0
    for part in (burst // 2, burst - burst // 2):
        assert gcra.tokens_wait(moment, now, limit, part) <= TICK
        moment = gcra.after_tokens(moment, now, limit, part)
    assert gcra.tokens_wait(moment, now, limit, burst) == pytest.approx(60.0 * burst / limit, abs=2 * TICK)


@given(NOW, st.integers(4, 10**9), st.data())
def test_what_is_given_back_was_never_taken(now: float, limit: int, data: st.DataObject) -> None:
    cost = data.draw(st.integers(0, limit))
    moment = gcra.after_tokens(gcra.after_tokens(0.0, now, limit, cost), now, limit, -cost)
    assert moment == pytest.approx(now, abs=TICK)
