"""How often a process leaves to others what it gave back."""

from __future__ import annotations

import pytest

from providers.queue.yielding import MOST, Yielding


def takes(yielding: Yielding, tokens: int) -> int:
    """In a row, before it leaves something."""
    count = 0
    while not yielding.due(tokens):
        yielding.took()
        count += 1
    yielding.leaves()
    return count


@pytest.mark.parametrize("tokens", [1, 2, 9])
def test_one_for_each_token_that_waits_here(tokens: int) -> None:
    yielding = Yielding()
    for _ in range(5):
        assert takes(yielding, tokens) == tokens
        yielding.refused()


def test_more_seldom_where_nobody_takes_it_and_as_often_again_once_somebody_does() -> None:
    yielding = Yielding()
    assert [takes(yielding, 3) for _ in range(5)] == [3, 6, 12, 12, 12]
    assert yielding.times == MOST
    yielding.refused()
    assert [takes(yielding, 3) for _ in range(2)] == [3, 6]


def test_a_refusal_says_nothing_where_nothing_was_left() -> None:
    yielding = Yielding(times=MOST)
    yielding.refused()
    assert yielding.times == MOST
