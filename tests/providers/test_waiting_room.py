"""Whose place goes to another when as many wait as may."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.queue.fair_line import Caller, Rank, Waiter
from providers.queue.waiting_room import WaitingRoom
from tests.providers.support import property_test


def waiter(token: str, rank: Rank = Rank.MAIN) -> Waiter:
    return Waiter(Caller(token, rank), "m")


@property_test
@given(
    st.integers(0, 7),
    st.lists(
        st.one_of(st.tuples(st.sampled_from("abcd"), st.sampled_from(Rank)), st.integers(0, 20)),
        max_size=60,
    ),
    st.integers(0, 7),
)
def test_a_full_room_takes_from_who_has_most(limit: int, steps: list[tuple[str, Rank] | int], keep: int) -> None:
    room: WaitingRoom[Waiter] = WaitingRoom(limit)
    here: list[Waiter] = []
    for step in steps:
        if isinstance(step, int):
            if here:
                room.leave(here.pop(step % len(here)))
        else:
            kept = here[keep % len(here)] if here else None
            _joins(room, here, limit, waiter(*step), kept)
        assert len(room) == len(here) <= limit
        assert all(each in room for each in here)


def _joins(room: WaitingRoom[Waiter], here: list[Waiter], limit: int, new: Waiter, kept: Waiter | None) -> None:
    sizes = Counter(each.caller.token for each in here)
    own, most = sizes[new.caller.token], max(sizes.values(), default=0)
    loser = room.join(new, kept)
    assert loser is not kept or loser is None
    if loser is None:
        assert len(here) < limit
    elif loser is new:
        assert len(here) == limit
        assert own + 1 >= most, "it waits for less than another token, and was turned away"
        assert new not in room
        return
    else:
        here.remove(loser)
        assert loser not in room
        if loser.caller.token == new.caller.token:
            assert loser.caller.rank > new.caller.rank
        else:
            assert sizes[loser.caller.token] == most >= own + 2, (
                "the one who gives has as many left as the one who takes"
            )
    here.append(new)


def test_one_token_may_fill_it_and_others_still_find_a_place() -> None:
    room: WaitingRoom[Waiter] = WaitingRoom(10)
    greedy = [waiter("greedy") for _ in range(10)]
    assert [room.join(each) for each in greedy] == [None] * 10
    extra = waiter("greedy")
    assert room.join(extra) is extra
    assert [room.join(waiter(f"polite-{number}")) for number in range(9)] == greedy[:0:-1], "the newest first"
    late = waiter("late")
    assert room.join(late) is late, "ten tokens with one each"


def test_a_main_thread_takes_the_place_of_its_own_background() -> None:
    room: WaitingRoom[Waiter] = WaitingRoom(3)
    background, agent, older = waiter("ann", Rank.BACKGROUND), waiter("ann", Rank.SUBAGENT), waiter("ann")
    for each in (background, agent, older):
        room.join(each)
    assert room.join(waiter("ann")) is background
    assert room.join(waiter("ann")) is agent
    last = waiter("ann")
    assert room.join(last) is last


@pytest.mark.parametrize(
    ("waiting", "token", "position"),
    [
        ("", "ann", 1),
        ("aaaaaaaaa", "b", 2),
        ("aaaaaaaaa", "a", 10),
        ("aabbcc", "a", 7),
        ("aaaaabbcc", "b", 9),
        ("aaab", "c", 3),
    ],
)
def test_how_many_pass_at_most_until_one_more_of_a_token_has(waiting: str, token: str, position: int) -> None:
    room: WaitingRoom[Waiter] = WaitingRoom(100)
    for each in waiting:
        room.join(waiter(each))
    assert room.position(token) == position
