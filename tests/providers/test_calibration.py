"""The correction of estimates by what upstreams count: a state machine of four numbers."""

from __future__ import annotations

import random
from collections.abc import Iterable
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.learning.calibration import LEAST, MEMORY, MOST, PATIENCE, SHORTEST, Calibration


def after(ratios: Iterable[float], estimate: int = 20_000, start: Calibration | None = None) -> Calibration:
    calibration = start or Calibration()
    for ratio in ratios:
        calibration = calibration.observed(estimate, round(estimate * ratio))
    return calibration


def test_at_first_an_estimate_stands() -> None:
    assert Calibration().tokens(1234) == 1234
    assert Calibration().tokens(0) == 0


@pytest.mark.parametrize("true", [0.5, 0.8, 1.0, 1.33, 2.0])
def test_fifty_prompts_bring_it_within_a_few_percent(true: float) -> None:
    """Prompts of a coding agent, 4 % around what the model's tokenizer makes of them."""
    chance = random.Random(7)  # noqa: S311
    calibration, errors = Calibration(), []
    for number in range(250):
        estimate = chance.randint(5_000, 150_000)
        counted = round(estimate * true * chance.gauss(1, 0.04))
        if number >= 50:
            errors.append(abs(calibration.tokens(estimate) / counted - 1))
        calibration = calibration.observed(estimate, counted)
    assert median(errors) <= 0.03
    assert sorted(errors)[int(len(errors) * 0.95)] <= 0.08 + 0.02


def test_the_first_prompts_bring_most_of_it() -> None:
    assert after([1.33] * 3).tokens(1000) == pytest.approx(1240, rel=0.03)
    assert after([1.33] * 10).tokens(1000) == pytest.approx(1330, rel=0.05)


def test_outliers_hardly_move_it() -> None:
    settled = after([1.2] * 40)
    for odd in (0.3, 3.0):
        assert after([odd] * (PATIENCE - 1), start=settled).ratio == pytest.approx(1.2, rel=0.05)
    mixed = after([1.2, 0.4, 1.2, 2.9, 1.2, 1.2, 0.5, 1.2] * 10)
    assert mixed.ratio == pytest.approx(1.2, rel=0.1)


def test_another_model_by_the_same_name_is_followed() -> None:
    settled = after([1.0] * 60)
    assert after([1.6] * (PATIENCE + 10), start=settled).ratio == pytest.approx(1.6, rel=0.05)


def test_what_is_no_count_of_the_prompt_teaches_nothing() -> None:
    """No usage; a cached prompt of which only the rest is reported; bytes for tokens."""
    for counted in (0, -5, 300, 5_000_000):
        assert Calibration().observed(20_000, counted) == Calibration()


def test_short_prompts_teach_little() -> None:
    assert Calibration().observed(SHORTEST - 1, SHORTEST) == Calibration()
    short, long = after([2.0], estimate=300), after([2.0], estimate=30_000)
    assert 1.0 < short.ratio < long.ratio < 2.0


COUNTS = st.lists(st.tuples(st.integers(0, 2_000_000), st.integers(-10, 4_000_000)), max_size=60)


@given(counts=COUNTS)
def test_it_stays_within_bounds_and_comes_back_from_where_it_was_kept(counts: list[tuple[int, int]]) -> None:
    calibration = Calibration()
    for estimate, counted in counts:
        calibration = calibration.observed(estimate, counted)
        assert LEAST <= calibration.ratio <= MOST
        assert 0 <= calibration.error <= 2
        assert 0 <= calibration.seen <= MEMORY
        assert abs(calibration.astray) < PATIENCE
    kept = Calibration.of(calibration.plain())
    assert kept.ratio == pytest.approx(calibration.ratio, rel=1e-3)
    assert Calibration.of(kept.plain()) == kept


@given(estimate=st.integers(1, 2_000_000), ratios=st.lists(st.floats(0.3, 3), max_size=50))
def test_the_least_that_a_prompt_has_is_below_what_it_is_taken_for(estimate: int, ratios: list[float]) -> None:
    calibration = after(ratios)
    assert calibration.tokens(estimate) / 2.1 - 1 <= calibration.at_least(estimate) <= calibration.tokens(estimate)


def test_certainty_grows() -> None:
    assert Calibration().at_least(1000) == 500
    assert after([1.0] * 50).at_least(1000) == pytest.approx(870, abs=5)


@pytest.mark.parametrize(
    "plain",
    [
        None,
        7,
        "1111",
        {},
        [],
        [1.0, 0.1, 3],
        [1.0, 0.1, 3, 0, 0],
        [True, 0.1, 3, 0],
        ["1", 0.1, 3, 0],
        [99.0, 0.1, 3, 0],
        [1.0, -1, 3, 0],
        [1.0, 0.1, 1e9, 0],
        [1.0, 0.1, 3, 50],
        [float("nan"), 0.1, 3, 0],
        [float("inf"), 0.1, 3, 0],
    ],
)
def test_anything_else_that_was_kept_is_a_beginning(plain: Any) -> None:
    assert Calibration.of(plain) == Calibration()
