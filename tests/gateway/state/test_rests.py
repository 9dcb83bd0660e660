"""What a failure rests, for how long, and what ends it."""

from __future__ import annotations

import pytest

from providers.errors import Calendar, ErrorKind, Scope
from providers.state import Candidate, RestOrder
from tests.gateway.state.support import (
    A_MOMENT,
    DAY,
    FORBIDDEN,
    HOUR,
    LIMITED,
    NOON,
    REFUSED,
    Desk,
    HandClock,
    keys,
    near,
    order,
)


async def again(desk: Desk, key: Candidate, rest: RestOrder, model: str = "m") -> float:
    """Once its rest is over, the key fails once more; for how long it cannot be had then."""
    desk.clock.turn(await desk.wait([key], model) + A_MOMENT)
    return await desk.fail(key, rest, model)


# -- scopes


async def test_a_key_rests_for_all_its_models(desk: Desk) -> None:
    pool = keys(2)
    await desk.fail(pool[0], REFUSED)
    for model in ("m", "other", ""):
        assert await desk.serve(pool, model) == "k2"


async def test_a_key_that_rests_for_a_model_serves_the_others(desk: Desk) -> None:
    pool = keys(2)
    assert await desk.fail(pool[0], LIMITED) == near(1.0)
    assert await desk.serve(pool) == "k2"
    assert await desk.serve(pool, "other") == "k1"
    assert await desk.fail(pool[0], LIMITED, "other") == near(1.0), "each model climbs its own ladder"


async def test_an_account_rests_with_all_its_keys(desk: Desk, clock: HandClock) -> None:
    pool = keys(4, accounts=2)
    await desk.fail(pool[0], order(ErrorKind.ACCOUNT_QUOTA, 100.0))
    for model in ("m", "other"):
        assert await desk.serve(pool, model) == "k2"
        refused = await desk.refusal([pool[0], pool[2]], model)
        assert {(each.reason, round(each.wait)) for each in refused.passed} == {("account_quota", 100)}
    clock.turn(100)
    assert await desk.serve([pool[2], pool[0]]) == "k3"
    assert await desk.serve([pool[0]]) == "k1"


async def test_a_model_rests_for_all_keys(desk: Desk) -> None:
    pool = keys(3)
    await desk.fail(pool[1], order(ErrorKind.MODEL_OVERLOADED, 12.0))
    assert await desk.wait(pool) == near(12.0)
    assert await desk.serve(pool, "other") == "k1"
    assert [each.rests for each in (await desk.seen(pool)).keys] == [(), (), ()]


async def test_a_model_that_a_key_may_not_have_rests_for_that_key(desk: Desk, clock: HandClock) -> None:
    pool = keys(2)
    missing = order(ErrorKind.MODEL_NOT_FOUND)
    assert await desk.fail(pool[0], missing) == near(12 * HOUR)
    assert await desk.serve(pool) == "k2"
    assert await desk.serve(pool, "other") == "k1"
    assert await again(desk, pool[0], missing) == near(12 * HOUR)


# -- ladders


async def test_a_rest_doubles_up_to_the_longest(desk: Desk) -> None:
    [key] = keys(1)
    waits = [await again(desk, key, LIMITED) for _ in range(9)]
    assert waits == [near(each) for each in (1, 2, 4, 8, 16, 32, 60, 60, 60)]


async def test_two_hundred_failures_in_a_row_are_no_overflow(desk: Desk) -> None:
    [key] = keys(1)
    assert [await again(desk, key, LIMITED) for _ in range(200)][-1] == near(60)


@pytest.mark.parametrize("proof", ["proved", "ok"])
async def test_a_success_resets_the_ladder(desk: Desk, clock: HandClock, proof: str) -> None:
    [key] = keys(1)
    for _ in range(4):
        await again(desk, key, LIMITED)
    clock.turn(8 + A_MOMENT)
    lease = await desk.take([key])
    await (desk.proved(lease) if proof == "proved" else desk.ok(lease))
    assert (await desk.key(key)).rests == ()
    clock.turn(1)
    assert await desk.fail(key, LIMITED) == near(1.0)


async def test_a_success_with_another_model_leaves_this_ones_ladder(desk: Desk) -> None:
    [key] = keys(1)
    await again(desk, key, LIMITED)
    await desk.serve([key], "other")
    assert await again(desk, key, LIMITED) == near(2.0)


async def test_a_success_of_one_key_of_an_account_resets_the_accounts(desk: Desk, clock: HandClock) -> None:
    pool = keys(2, accounts=1)
    short = order(ErrorKind.RATE_LIMITED, scope=Scope.ACCOUNT)
    assert [await again(desk, pool[0], short) for _ in range(3)] == [near(each) for each in (1, 2, 4)]
    assert await again(desk, pool[1], short) == near(8.0)
    clock.turn(8)
    await desk.serve([pool[1]])
    clock.turn(1)
    assert await desk.fail(pool[0], short) == near(1.0)


async def test_one_event_advances_the_ladder_once(desk: Desk, clock: HandClock) -> None:
    [key] = keys(1)
    held = [await desk.take([key]) for _ in range(20)]
    for lease in held[:10]:
        await desk.failed(lease, LIMITED)
        clock.turn(0.05)
    assert await desk.wait([key]) == near(0.5)
    for lease in held[10:]:
        clock.turn(1)
        await desk.failed(lease, LIMITED)
        assert await desk.wait([key]) == 0
    assert await desk.fail(key, LIMITED) == near(2.0)


async def test_one_event_in_one_instant_advances_the_ladder_once(desk: Desk) -> None:
    [key] = keys(1)
    held = [await desk.take([key]) for _ in range(3)]
    for lease in held:
        await desk.failed(lease, REFUSED)
    assert await desk.wait([key]) == near(HOUR / 2)


@pytest.mark.parametrize("later", [0.0, 0.5, 100.0])
async def test_an_attempt_under_way_when_a_rest_opened_does_not_clear_it(
    desk: Desk, clock: HandClock, later: float
) -> None:
    [key] = keys(1)
    bad, good = await desk.take([key]), await desk.take([key])
    await desk.failed(bad, REFUSED)
    clock.turn(later)
    await desk.proved(good)
    await desk.ok(good)
    assert await desk.wait([key]) == near(HOUR / 2 - later)


async def test_a_keys_long_rests_do_not_follow_from_its_short_ones(desk: Desk) -> None:
    """One place, several kinds: the first 401 after five short rests rests as long as any first one."""
    [key] = keys(1)
    short = order(ErrorKind.RATE_LIMITED, scope=Scope.KEY)
    for _ in range(5):
        await again(desk, key, short)
    assert await again(desk, key, REFUSED) == near(HOUR / 2)
    assert await again(desk, key, REFUSED) == near(HOUR)
    assert await again(desk, key, FORBIDDEN) == near(HOUR / 2)
    assert await again(desk, key, short) == near(1.0)


# -- what the upstream said


async def test_the_upstreams_seconds_never_grow(desk: Desk) -> None:
    [key] = keys(1)
    for _ in range(6):
        assert await again(desk, key, order(ErrorKind.RATE_LIMITED, 7.0)) == near(7.0)


async def test_the_upstreams_seconds_are_never_shortened(desk: Desk, clock: HandClock) -> None:
    [key] = keys(1)
    held = [await desk.take([key]) for _ in range(6)]
    for lease, seconds in zip(held, (20.0, 50.0, 5.0, None, 30.0, None), strict=True):
        await desk.failed(lease, order(ErrorKind.RATE_LIMITED, seconds))
        clock.turn(1)
    assert await desk.wait([key]) == near(45.0), "the second one's, six seconds after the first"


async def test_a_late_word_of_the_upstreams_outlasts_whoever_asks_meanwhile(desk: Desk, clock: HandClock) -> None:
    [key] = keys(1)
    early, slow = await desk.take([key]), await desk.take([key])
    await desk.failed(early, LIMITED)
    clock.turn(2)
    lucky = await desk.take([key])
    clock.turn(1)
    await desk.failed(slow, order(ErrorKind.RATE_LIMITED, 40.0))
    await desk.ok(lucky)
    assert await desk.wait([key]) == near(40.0)


async def test_a_late_word_of_a_quota_says_so(desk: Desk) -> None:
    [key] = keys(1)
    early, slow = await desk.take([key]), await desk.take([key])
    await desk.failed(early, order(ErrorKind.RATE_LIMITED, scope=Scope.KEY))
    await desk.failed(slow, order(ErrorKind.KEY_WINDOW))
    assert [(rest.reason, rest.seconds) for rest in (await desk.key(key)).rests] == [("key_window", near(12 * HOUR))]


async def test_retry_after_zero_has_a_floor(desk: Desk) -> None:
    [key] = keys(1)
    assert await desk.fail(key, order(ErrorKind.RATE_LIMITED, 0.0)) == near(0.5)


async def test_an_honest_time_is_no_rung_of_another_kinds_ladder(desk: Desk) -> None:
    [key] = keys(1)
    await again(desk, key, order(ErrorKind.KEY_WINDOW, 5.0))
    assert await again(desk, key, REFUSED) == near(HOUR / 2)


# -- calendars


@pytest.mark.parametrize(("hour", "wait"), [(0, 24), (12, 12), (23, 1)])
async def test_a_days_quota_rests_to_midnight(desk: Desk, hour: int, wait: int) -> None:
    [key] = keys(1)
    wall = NOON + (hour - 12) * HOUR
    assert await desk.fail(key, order(ErrorKind.KEY_WINDOW, wall=wall)) == near(wait * HOUR)
    assert await again(desk, key, order(ErrorKind.KEY_WINDOW, wall=wall + wait * HOUR)) == near(DAY), "and once more"


async def test_the_upstreams_seconds_once_and_then_to_the_reset(desk: Desk, clock: HandClock) -> None:
    """Gemini names seconds for a day's quota: they are obeyed once."""
    [key] = keys(1)
    pacific = order(ErrorKind.KEY_WINDOW, 30.0, calendar=Calendar.PACIFIC_DAY)
    assert pacific.later is not None
    assert await desk.fail(key, pacific) == near(30.0)
    assert await again(desk, key, pacific) == near(pacific.later)
    assert await again(desk, key, pacific) == near(pacific.later)
    clock.turn(pacific.later)
    await desk.serve([key])
    clock.turn(1)
    assert await desk.fail(key, pacific) == near(30.0), "after a success, once more"


async def test_one_event_of_a_days_quota_is_the_first_time(desk: Desk) -> None:
    [key] = keys(1)
    held = [await desk.take([key]) for _ in range(5)]
    for lease in held:
        await desk.failed(lease, order(ErrorKind.KEY_WINDOW, 30.0, calendar=Calendar.UTC_DAY))
    assert await desk.wait([key]) == near(30.0)


async def test_a_months_quota_of_an_account(desk: Desk) -> None:
    pool = keys(2, accounts=1)
    month = order(ErrorKind.ACCOUNT_QUOTA, calendar=Calendar.UTC_MONTH)
    assert await desk.fail(pool[0], month) == near(month.seconds)
    assert 0 < month.seconds <= 31 * DAY
    assert await desk.wait([pool[1]]) == near(month.seconds)
    desk.clock.turn(month.seconds)
    first, second = [(await desk.ask(pool))[1] for _ in range(2)]
    assert first.candidate is pool[0]
    assert first.probe, "one attempt finds out whether the account has its quota again"
    assert second.candidate is None
