"""A lease goes to the first key that fits, in the order given; every refusal says why, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest

from providers.errors import ErrorKind, Scope
from providers.spec import Limits
from providers.state import OPERATOR, WHOLE, Candidate, Passed, RestOrder, RestState
from tests.gateway.state.support import BROKEN, HOUR, LIMITED, OVERLOADED, REFUSED, Desk, HandClock, keys, near, order


def said(passed: Sequence[Passed]) -> list[tuple[str, str, float]]:
    return [(each.label, each.reason, round(each.wait, 2)) for each in passed]


@pytest.mark.parametrize("offered", list(permutations(range(3))))
async def test_the_first_of_the_order_given_serves(desk: Desk, offered: tuple[int, ...]) -> None:
    pool = keys(3)
    for _ in range(3):
        _, admission = await desk.ask([pool[number] for number in offered])
        assert admission.candidate is pool[offered[0]]
        assert (admission.wait, admission.reason, tuple(admission.passed), admission.probe) == (0.0, "", (), False)


async def test_every_key_that_is_passed_over_says_why_and_for_how_long(desk: Desk, clock: HandClock) -> None:
    refused, limited, other = keys(3)
    busy, often, greedy = (
        Candidate("k4", "acme-04", "a4", Limits(concurrency=1)),
        Candidate("k5", "acme-05", "a5", Limits(requests=2)),
        Candidate("k6", "acme-06", "a6", Limits(tokens=1000)),
    )
    shared = Candidate("k7", "acme-07", "a1")
    pool = [refused, limited, shared, busy, often, greedy, other]
    await desk.failed(await desk.take([limited]), LIMITED)
    held = [await desk.take([each], tokens=500) for each in (refused, shared, busy, often, greedy)]
    await desk.failed(held[0], REFUSED)
    await desk.failed(held[1], order(ErrorKind.RATE_LIMITED, 20.0, scope=Scope.ACCOUNT))
    clock.turn(0.25)

    _, admission = await desk.ask(pool, tokens=300)
    assert admission.candidate is other
    assert said(admission.passed) == [
        ("acme-01", "key_refused", HOUR / 2 - 0.25),
        ("acme-02", "rate_limited", 0.75),
        ("acme-07", "rate_limited", 19.75),
        ("acme-04", "concurrency", 0.25),
        ("acme-05", "requests", 30.35),
        ("acme-06", "tokens", 29.75),  # 500 of 1,000 a minute are owed, and 300 are more than a burst
    ]

    nobody = await desk.refusal(pool[:-1], tokens=300)
    assert said(nobody.passed) == said(admission.passed)
    assert (nobody.reason, nobody.wait) == ("concurrency", near(0.25))
    await desk.ok(held[2], 500)
    assert (await desk.ask(pool[:-1], tokens=300))[1].candidate is busy


async def test_what_all_keys_share_is_said_in_the_providers_name(desk: Desk, clock: HandClock) -> None:
    pool = keys(2)
    await desk.failed(await desk.take(pool), OVERLOADED)
    refused = await desk.refusal(pool)
    assert said(refused.passed) == [("acme", "model_overloaded", 5.0)]
    assert (refused.reason, refused.wait) == ("model_overloaded", near(5.0))
    await desk.rest(None, RestOrder(Scope.PROVIDER, OPERATOR, 60.0))
    assert said((await desk.refusal(pool)).passed) == [("acme", OPERATOR, 60.0)]
    clock.turn(60.001)
    assert await desk.serve(pool) == "k1"


async def test_the_wait_is_that_of_the_longest_of_a_keys_rests(desk: Desk) -> None:
    [key] = keys(1)
    held = [await desk.take([key]) for _ in range(2)]
    await desk.failed(held[0], order(ErrorKind.RATE_LIMITED, 90.0))
    await desk.failed(held[1], order(ErrorKind.KEY_WINDOW, 30.0))
    refused = await desk.refusal([key])
    assert said(refused.passed) == [("acme-01", "rate_limited", 90.0)]
    assert said((await desk.refusal([key], "other")).passed) == [("acme-01", "key_window", 30.0)]


async def test_no_key_at_all(desk: Desk) -> None:
    refused = await desk.refusal([])
    assert (refused.reason, refused.wait, tuple(refused.passed)) == ("no_key", 0.0, ())


async def test_asking_twice_with_one_lease_takes_one(desk: Desk) -> None:
    pool = keys(2, Limits(requests=1, tokens=1000, concurrency=1))
    lease, first = await desk.ask(pool, tokens=200)
    _, again = await desk.ask(pool, tokens=200, lease=lease)
    assert again.candidate is first.candidate is pool[0]
    assert [each.in_flight for each in (await desk.seen(pool)).keys] == [1, 0]
    assert [each.view.turns for each in pool] == [1, 0]
    await desk.ok(lease)
    assert (await desk.refusal([pool[0]], tokens=200)).reason == "requests"
    assert await desk.serve(pool, tokens=200) == "k2"


async def test_asking_twice_for_a_probe_says_twice_that_it_is_one(desk: Desk, clock: HandClock) -> None:
    [key] = keys(1)
    await desk.fail(key, REFUSED)
    clock.turn(HOUR / 2)
    lease, first = await desk.ask([key])
    _, again = await desk.ask([key], lease=lease)
    assert first.probe
    assert again.probe


@pytest.mark.parametrize("second", ["ok", "failed", "abandoned"])
async def test_settling_twice_does_nothing(desk: Desk, second: str) -> None:
    [key] = keys(1, Limits(concurrency=2))
    lease, other = await desk.take([key]), await desk.take([key])
    await desk.ok(lease)
    before = await desk.seen([key])
    if second == "ok":
        await desk.ok(lease)
    elif second == "failed":
        await desk.failed(lease, REFUSED)
    else:
        await desk.abandoned(lease)
    await desk.proved(lease)
    assert await desk.seen([key]) == before
    assert before.keys[0].in_flight == key.view.meter.open == 1
    await desk.ok(other)
    assert (await desk.key(key)).in_flight == 0


async def test_a_lease_that_nobody_holds_can_be_settled_and_proved(desk: Desk) -> None:
    [key] = keys(1)
    await desk.fail(key, REFUSED)
    before = await desk.seen([key])
    await desk.proved("never taken")
    await desk.ok("never taken")
    await desk.failed("never taken", BROKEN)
    assert await desk.seen([key]) == before


async def test_an_abandoned_attempt_penalises_nothing(desk: Desk) -> None:
    [key] = keys(1, Limits(concurrency=1))
    for _ in range(20):
        await desk.abandoned(await desk.take([key]))
    assert (await desk.seen([key])).rests == ()
    seen = await desk.key(key)
    assert (seen.in_flight, seen.used, seen.rests) == (0, 0, ())


async def test_a_failure_that_blames_nothing_penalises_nothing(desk: Desk) -> None:
    [key] = keys(1)
    for _ in range(20):
        await desk.failed(await desk.take([key]), None)
    assert await desk.wait([key]) == 0
    assert (await desk.key(key)).rests == ()


async def test_providers_do_not_see_each_others_state(desk: Desk) -> None:
    other = Desk(desk.store, desk.clock, "zeta")
    [key], [its] = keys(1), keys(1)
    for each in range(5):
        await desk.failed(await desk.take([key], f"m{each}"), OVERLOADED)
    lease = await desk.take([key])
    await desk.failed(lease, REFUSED)
    assert (await other.ask([its], lease=lease))[1].candidate is its
    await desk.ok(lease)
    assert (await other.key(its)).in_flight == 1
    assert (await other.common()) == ()


async def test_the_views_are_brought_up_to_date(desk: Desk, clock: HandClock) -> None:
    pool = keys(2)
    lease = await desk.take(pool)
    assert (pool[0].view.meter.open, pool[0].view.turns, pool[1].view.turns) == (1, 1, 0)
    assert pool[0].view.last_used > pool[1].view.last_used
    await desk.failed(lease, LIMITED)
    clock.turn(0.5)
    await desk.serve(pool)
    assert pool[0].view.meter.open == 0
    assert pool[1].view.last_used > pool[0].view.last_used
    assert [each.view.rests_now("m", clock.now) for each in pool] == [True, False]
    assert not pool[0].view.rests_now("other", clock.now)
    clock.turn(0.6)
    assert not pool[0].view.rests_now("m", clock.now)
    await desk.serve(pool)
    assert pool[0].view.rests == {}


async def test_a_snapshot_shows_keys_in_their_order_and_what_they_share(desk: Desk, clock: HandClock) -> None:
    pool = keys(3, accounts=2)
    held = [await desk.take([each]) for each in pool] + [await desk.take([pool[1]]) for _ in range(2)]
    await desk.failed(held[0], REFUSED)
    await desk.failed(held[1], order(ErrorKind.RATE_LIMITED, 8.0))
    await desk.failed(held[2], order(ErrorKind.ACCOUNT_QUOTA, 100.0))
    await desk.failed(held[3], OVERLOADED)
    clock.turn(3)
    seen = await desk.seen([pool[2], pool[0], pool[1]])
    assert [(each.label, each.in_flight, each.turns) for each in seen.keys] == [
        ("acme-03", 0, 1),
        ("acme-01", 0, 1),
        ("acme-02", 1, 3),
    ]
    assert [_rounded(each.rests) for each in seen.keys] == [
        (),
        (RestState("key_refused", HOUR / 2 - 3, WHOLE, probe=True),),
        (RestState("rate_limited", 5.0, "m"),),
    ]
    assert set(_rounded(seen.rests)) == {
        RestState("model_overloaded", 2.0, "m", probe=True),
        RestState("account_quota", 97.0, WHOLE, "a1", probe=True),
    }
    clock.turn(2 * HOUR)
    later = await desk.seen(pool)
    assert {rest.seconds for rest in (*later.rests, *(rest for key in later.keys for rest in key.rests))} == {0.0}


def _rounded(rests: tuple[RestState, ...]) -> tuple[RestState, ...]:
    return tuple(replace(each, seconds=round(each.seconds, 2)) for each in rests)


async def test_failures_that_do_not_yet_rest_anything_are_not_shown(desk: Desk) -> None:
    [key] = keys(1)
    await desk.fail(key, BROKEN)
    assert await desk.common() == ()


async def test_waking_a_key_ends_its_rests_and_its_accounts(desk: Desk) -> None:
    pool = keys(2, accounts=1)
    held = [await desk.take(pool) for _ in range(3)]
    await desk.failed(held[0], REFUSED)
    await desk.failed(held[1], LIMITED)
    await desk.failed(held[2], order(ErrorKind.ACCOUNT_QUOTA, 500.0))
    await desk.wake(pool[0])
    assert await desk.serve(pool) == "k1"
    assert (await desk.seen(pool)).rests == ()
    assert (await desk.key(pool[0])).rests == ()
    assert await desk.fail(pool[0], REFUSED) == near(HOUR / 2), "the ladder is gone too"


async def test_waking_the_provider_ends_what_keys_share_and_leaves_their_own(desk: Desk) -> None:
    pool = keys(2)
    held = [await desk.take(pool) for _ in range(3)]
    await desk.failed(held[0], OVERLOADED)
    await desk.failed(held[1], order(ErrorKind.ACCOUNT_QUOTA, 500.0))
    await desk.failed(held[2], REFUSED)
    await desk.rest(None, RestOrder(Scope.PROVIDER, OPERATOR, HOUR))
    await desk.wake(None)
    assert await desk.common() == ()
    assert [each.reason for each in (await desk.refusal(pool[:1])).passed] == ["key_refused"]
    assert await desk.serve(pool) == "k2"


async def test_resting_by_hand(desk: Desk, clock: HandClock) -> None:
    pool = keys(2)
    await desk.rest(pool[0], RestOrder(Scope.KEY, OPERATOR, 100.0))
    await desk.rest(pool[1], RestOrder(Scope.KEY_MODEL, OPERATOR, 50.0), "m")
    assert await desk.wait(pool) == near(50.0)
    assert await desk.serve(pool, "other") == "k2"
    await desk.rest(pool[0], RestOrder(Scope.KEY, OPERATOR, HOUR))
    clock.turn(50.001)
    assert await desk.serve(pool) == "k2"
    assert await desk.wait(pool[:1]) == near(HOUR - 50), "a second order counts, at any moment"
    clock.turn(HOUR)
    first, second = [(await desk.ask(pool[:1]))[1] for _ in range(2)]
    assert (first.probe, second.probe) == (False, False), "nothing is to be found out after a rest by hand"


async def test_a_rest_by_hand_outlasts_the_attempts_under_way(desk: Desk) -> None:
    [key] = keys(1)
    lease = await desk.take([key])
    await desk.rest(key, RestOrder(Scope.KEY, OPERATOR, 100.0))
    await desk.proved(lease)
    await desk.ok(lease)
    assert await desk.wait([key]) == near(100.0)


async def test_a_model_of_the_provider_rests_by_hand(desk: Desk) -> None:
    pool = keys(2)
    await desk.rest(None, RestOrder(Scope.MODEL, OPERATOR, 30.0), "m")
    assert said((await desk.refusal(pool)).passed) == [("acme", OPERATOR, 30.0)]
    assert await desk.serve(pool, "other") == "k1"
