"""The usage limit: after N successful requests the pool moves on, and never for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state.ledger import Ledger
from providers.errors import Scope
from providers.spec import Limits, UsageWindow
from providers.state import OPERATOR, Ask, Candidate, RestOrder, Settlement
from tests.gateway.state.support import DAY, HOUR, NOON, REFUSED, Desk, HandClock, keys, near

CALENDARS = pytest.mark.parametrize("window", [UsageWindow.DAY, UsageWindow.MONTH])


def limited(desk: Desk, limit: int, window: UsageWindow = UsageWindow.ROUND) -> None:
    desk.usage_limit, desk.usage_window = limit, window


async def test_without_a_limit_nobody_moves_on(desk: Desk) -> None:
    pool = keys(2)
    assert {await desk.serve(pool) for _ in range(100)} == {"k1"}
    assert [each.used for each in (await desk.seen(pool)).keys] == [100, 0]


@pytest.mark.parametrize("limit", [1, 3])
async def test_each_key_has_its_turn_and_then_the_round_begins_again(desk: Desk, limit: int) -> None:
    limited(desk, limit)
    served = [await desk.serve(keys_) for keys_ in [keys(3)] for _ in range(3 * 3 * limit)]
    assert served == [name for name in ("k1", "k2", "k3") for _ in range(limit)] * 3


async def test_one_key_alone_goes_on(desk: Desk) -> None:
    limited(desk, 2)
    pool = keys(1)
    assert [await desk.serve(pool) for _ in range(9)] == ["k1"] * 9


@pytest.mark.parametrize("window", UsageWindow)
async def test_only_successes_count(desk: Desk, window: UsageWindow) -> None:
    limited(desk, 2, window)
    pool = keys(2)
    await desk.serve(pool)
    for _ in range(5):
        await desk.abandoned(await desk.take(pool))
        await desk.failed(await desk.take(pool), None)
    assert (await desk.key(pool[0])).used == 1
    assert await desk.serve(pool) == "k1"
    assert await desk.serve(pool) == "k2"


async def test_those_under_way_count_until_they_fail(desk: Desk) -> None:
    limited(desk, 2)
    pool = keys(2)
    held = [await desk.take(pool) for _ in range(2)]
    assert (await desk.ask(pool))[1].candidate is pool[1]
    await desk.failed(held[0], None)
    assert (await desk.ask(pool))[1].candidate is pool[0]


async def test_more_at_once_than_the_limit(desk: Desk) -> None:
    limited(desk, 2)
    pool = keys(3)
    asked = [await desk.ask(pool) for _ in range(15)]
    names = [admission.candidate.id for _, admission in asked if admission.candidate]
    assert names == ["k1", "k1", "k2", "k2", "k3", "k3"] * 2 + ["k1", "k1", "k2"]
    for lease, _ in asked[:12]:
        await desk.failed(lease, None)
    assert await desk.serve(pool) == "k2", "failures of earlier rounds give this one nothing back"
    for lease, _ in asked[12:]:
        await desk.failed(lease, None)
    assert [await desk.serve(pool) for _ in range(4)] == ["k1", "k1", "k2", "k3"]


async def test_keys_that_rest_are_left_out_of_the_round(desk: Desk, clock: HandClock) -> None:
    limited(desk, 2)
    pool = keys(3)
    await desk.fail(pool[1], REFUSED)
    assert [await desk.serve(pool) for _ in range(8)] == ["k1", "k1", "k3", "k3"] * 2
    clock.turn(HOUR / 2)
    assert await desk.serve(pool) == "k2", "its turn of this round is still to come"
    assert [await desk.serve(pool) for _ in range(7)] == ["k2", "k1", "k1", "k2", "k2", "k3", "k3"]


async def test_keys_that_are_busy_end_no_turn_but_hold_nobody_up(desk: Desk) -> None:
    limited(desk, 2)
    pool = (*keys(1), *keys(2, Limits(concurrency=1))[1:])
    held = await desk.take(pool[1:])
    assert [await desk.serve(pool) for _ in range(4)] == ["k1"] * 4
    await desk.ok(held)
    assert [await desk.serve(pool) for _ in range(3)] == ["k2", "k2", "k1"]


async def test_a_refusal_for_another_reason_begins_no_round(desk: Desk, clock: HandClock) -> None:
    limited(desk, 2)
    pool = keys(2, Limits(concurrency=1))
    await desk.fail(pool[1], REFUSED)
    held = await desk.take(pool)
    await desk.refusal(pool)
    await desk.ok(held)
    clock.turn(HOUR / 2)
    assert [await desk.serve(pool) for _ in range(3)] == ["k1", "k2", "k2"]


async def test_waking_a_key_gives_it_a_new_turn(desk: Desk) -> None:
    limited(desk, 2)
    pool = keys(2)
    assert [await desk.serve(pool) for _ in range(2)] == ["k1", "k1"]
    await desk.wake(pool[0])
    assert [await desk.serve(pool) for _ in range(3)] == ["k1", "k1", "k2"]


@CALENDARS
async def test_a_day_and_a_month_end_by_the_wall_clock(desk: Desk, clock: HandClock, window: UsageWindow) -> None:
    limited(desk, 2, window)
    pool = keys(2)
    assert [await desk.serve(pool) for _ in range(4)] == ["k1", "k1", "k2", "k2"]
    refused = await desk.refusal(pool)
    assert [each.reason for each in refused.passed] == ["usage", "usage"]
    longest = 12 * HOUR if window is UsageWindow.DAY else 31 * DAY
    assert refused.reason == "usage"
    assert 12 * HOUR <= refused.wait <= longest
    clock.turn(refused.wait - 1)
    assert (await desk.refusal(pool)).wait == near(1.0)
    clock.turn(1.01)
    assert [await desk.serve(pool) for _ in range(4)] == ["k1", "k1", "k2", "k2"]


async def test_a_month_begins_on_the_first(desk: Desk, clock: HandClock) -> None:
    limited(desk, 1, UsageWindow.MONTH)
    [key] = keys(1)
    clock.wall = 1_798_761_600.0 - 60  # a minute before 2027 began
    await desk.serve([key])
    assert (await desk.refusal([key])).wait == near(60.0)
    clock.turn(61)
    await desk.serve([key])
    assert (await desk.refusal([key])).wait == near(31 * DAY - 1)


@pytest.mark.parametrize("year", [2024, 2027, 2100], ids=["a leap year", "a common one", "no leap year"])
async def test_every_month_ends_when_it_does(desk: Desk, clock: HandClock, year: int) -> None:
    limited(desk, 1, UsageWindow.MONTH)
    for month in range(1, 13):
        moment = datetime(year, month, 28, 23, 59, 59, tzinfo=UTC)
        clock.wall = moment.timestamp()
        following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        key = Candidate(f"k{month}", "acme", "a")
        await desk.serve([key])
        assert (await desk.refusal([key])).wait == near((following - moment).total_seconds())


@CALENDARS
async def test_the_steady_clock_ends_no_day(desk: Desk, clock: HandClock, window: UsageWindow) -> None:
    limited(desk, 1, window)
    [key] = keys(1)
    await desk.serve([key])
    clock.now += 40 * DAY
    assert (await desk.refusal([key])).reason == "usage"


async def test_yesterdays_failures_give_today_nothing_back(desk: Desk, clock: HandClock) -> None:
    limited(desk, 2, UsageWindow.DAY)
    [key] = keys(1)
    late = await desk.take([key])
    clock.turn(13 * HOUR)
    await desk.serve([key])
    await desk.failed(late, None)
    await desk.serve([key])
    assert (await desk.refusal([key])).reason == "usage"


async def test_a_key_that_rests_by_hand_does_not_end_a_day(desk: Desk) -> None:
    limited(desk, 1, UsageWindow.DAY)
    pool = keys(2)
    await desk.rest(pool[1], RestOrder(Scope.KEY, OPERATOR, HOUR))
    await desk.serve(pool)
    refused = await desk.refusal(pool)
    assert [each.reason for each in refused.passed] == ["usage", OPERATOR]
    assert (refused.reason, refused.wait) == (OPERATOR, near(HOUR))


@given(
    count=st.integers(1, 4),
    limit=st.integers(1, 3),
    steps=st.lists(st.sampled_from(["ask", "ok", "failed"]), max_size=60),
)
def test_no_round_ever_gives_a_key_more_than_its_turn(count: int, limit: int, steps: list[str]) -> None:
    """Between two turns of one key, all others have had theirs; and nobody is ever refused."""
    ledger, pool = Ledger(), keys(count)
    held: list[str] = []
    rounds: dict[int, dict[str, int]] = {}
    for number, step in enumerate(steps):
        if step == "ask":
            ask = Ask(str(number), "acme", "m", pool, usage_limit=limit)
            admission = ledger.admit(ask, 1000.0 + number, NOON)
            assert admission.candidate is not None
            held.append(ask.lease)
            shares = rounds.setdefault(ledger.round, {})
            shares[admission.candidate.id] = shares.get(admission.candidate.id, 0) + 1
        elif held:
            lease = held.pop(0)
            if step == "failed":
                served = ledger.leases[lease]
                if served.candidate.view.period == served.round and served.round in rounds:
                    rounds[served.round][served.candidate.id] -= 1
            ledger.settle(lease, Settlement(step), 1000.0 + number)
        for shares in rounds.values():
            assert all(share <= limit for share in shares.values())
    for earlier, later in pairwise(sorted(rounds)):
        assert later == earlier + 1
