"""When every usable key is refused alike at once, it is the provider, or our address: no key rests for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from providers.errors import ErrorKind, Scope
from providers.spec import Limits
from providers.state import OPERATOR, Candidate, RestOrder
from tests.gateway.state.support import (
    A_MOMENT,
    BROKEN,
    FORBIDDEN,
    HOUR,
    LIMITED,
    REFUSED,
    Desk,
    HandClock,
    keys,
    near,
    order,
)

SHARED = [LIMITED, REFUSED, FORBIDDEN, order(ErrorKind.KEY_UNPAID)]
ALIKE = pytest.mark.parametrize("alike", SHARED, ids=lambda each: each.reason)
MANY = pytest.mark.parametrize("count", [2, 5])


def first(number: int, pool: Sequence[Candidate]) -> list[Candidate]:
    """The whole pool, with this one of it first."""
    return [*pool[number:], *pool[:number]]


async def refuse(desk: Desk, pool: Sequence[Candidate], rest: RestOrder, numbers: Iterable[int] = ()) -> None:
    """A request that fails over from key to key (by their numbers; all of them), each of which is refused."""
    for number in numbers or range(len(pool)):
        lease = await desk.take(first(number, pool))
        desk.clock.turn(0.1)
        await desk.failed(lease, rest)


async def reasons(desk: Desk, pool: Sequence[Candidate]) -> list[list[str]]:
    return [[rest.reason for rest in each.rests] for each in (await desk.seen(pool)).keys]


async def cools(desk: Desk, rest: RestOrder) -> float:
    """For how long the provider rests for this; 0 = it does not."""
    return next((each.seconds for each in await desk.common() if each.reason == rest.reason and not each.model), 0.0)


async def probe(desk: Desk, pool: Sequence[Candidate], model: str = "m") -> str:
    desk.clock.turn(await desk.wait(pool, model) + A_MOMENT)
    lease, admission = await desk.ask(pool, model)
    assert admission.probe
    assert (await desk.refusal(pool, model)).passed[0].label == "acme"
    return lease


@ALIKE
@MANY
async def test_the_provider_is_cooled_once_and_no_key_rests(desk: Desk, alike: RestOrder, count: int) -> None:
    pool = keys(count)
    await refuse(desk, pool, alike)
    assert await cools(desk, alike) == near(5.0)
    assert await reasons(desk, pool) == [[]] * count
    refused = await desk.refusal(pool, "other")
    assert [(each.label, each.reason) for each in refused.passed] == [("acme", alike.reason)]
    await desk.ok(await probe(desk, pool))
    assert await desk.common() == ()
    desk.clock.turn(20)
    assert await desk.fail(pool[0], alike) == near(alike.seconds), "no ladder was advanced"


@ALIKE
@MANY
async def test_attempts_that_were_all_under_way_are_one_event(desk: Desk, alike: RestOrder, count: int) -> None:
    pool = keys(count)
    held = [await desk.take(first(each, pool)) for each in range(count) for _ in range(4)]
    for lease in held[::4] + held[1::4] + held[2::4]:
        desk.clock.turn(0.05)
        await desk.failed(lease, alike)
    assert 4.0 < await cools(desk, alike) < 5.0
    await desk.ok(await probe(desk, pool))
    assert await reasons(desk, pool) == [[]] * count
    await desk.ok(held[3])
    desk.clock.turn(20)
    assert await desk.fail(pool[0], alike) == near(alike.seconds)


@ALIKE
async def test_one_event_in_one_instant(desk: Desk, alike: RestOrder) -> None:
    pool = keys(2)
    for lease in [await desk.take(first(each % 2, pool)) for each in range(8)]:
        await desk.failed(lease, alike)
    assert await cools(desk, alike) == near(5.0)
    assert await reasons(desk, pool) == [[], []]


@ALIKE
@MANY
async def test_one_key_that_is_still_usable_speaks_for_the_provider(desk: Desk, alike: RestOrder, count: int) -> None:
    pool = keys(count + 1)
    await refuse(desk, pool, alike, range(count))
    assert await cools(desk, alike) == 0
    assert await reasons(desk, pool) == [[alike.reason]] * count + [[]]
    assert await desk.serve(pool) == f"k{count + 1}"


@ALIKE
async def test_a_key_that_is_only_busy_is_usable(desk: Desk, alike: RestOrder) -> None:
    pool = (*keys(2), Candidate("k3", "acme-03", "a3", Limits(concurrency=1)))
    await desk.take(pool[2:])
    await refuse(desk, pool, alike, range(2))
    assert await cools(desk, alike) == 0
    assert (await desk.refusal(pool[2:])).reason == "concurrency"


@ALIKE
@pytest.mark.parametrize("proof", ["proved", "ok"])
async def test_a_success_in_between_speaks_for_the_provider(
    desk: Desk, clock: HandClock, alike: RestOrder, proof: str
) -> None:
    pool = keys(2)
    await desk.failed(await desk.take(pool), alike)
    clock.turn(0.1)
    lease = await desk.take(pool[::-1])
    await (desk.proved(lease) if proof == "proved" else desk.ok(lease))
    clock.turn(0.1)
    await desk.failed(await desk.take(pool[::-1]), alike)
    assert await cools(desk, alike) == 0
    assert await reasons(desk, pool) == [[alike.reason]] * 2


async def test_a_success_that_was_under_way_before_does_not(desk: Desk, clock: HandClock) -> None:
    """It was let in before our address was banned."""
    pool = keys(2)
    slow = await desk.take(pool)
    clock.turn(1)
    await desk.failed(await desk.take(pool), FORBIDDEN)
    await desk.ok(slow)
    clock.turn(1)
    await desk.failed(await desk.take(pool[::-1]), FORBIDDEN)
    assert await cools(desk, FORBIDDEN) == near(5.0)
    assert await reasons(desk, pool) == [[], []]


async def test_different_kinds_are_the_keys_own(desk: Desk) -> None:
    pool = keys(3)
    for number, rest in enumerate((REFUSED, FORBIDDEN, LIMITED)):
        await refuse(desk, pool, rest, [number])
    assert await desk.common() == ()
    assert await reasons(desk, pool) == [["key_refused"], ["key_forbidden"], ["rate_limited"]]


async def test_limits_of_different_models_are_no_one_event(desk: Desk) -> None:
    pool = keys(2)
    await desk.fail(pool[0], LIMITED, "m")
    await desk.failed(await desk.take(pool[::-1], "other"), LIMITED)
    assert await cools(desk, LIMITED) == 0
    await desk.failed(await desk.take(pool, "other"), LIMITED)
    assert await cools(desk, LIMITED) == near(5.0)
    assert await reasons(desk, pool) == [["rate_limited"], []], "the first model's is the key's own"


@ALIKE
@pytest.mark.parametrize("before", [HOUR, 30.0])
async def test_a_key_that_rested_before_is_left_out(desk: Desk, alike: RestOrder, before: float) -> None:
    pool = keys(3)
    long = RestOrder(Scope.KEY_MODEL, "rate_limited", before + HOUR, honest=True, common=True)
    await desk.fail(pool[0], long)
    desk.clock.turn(before)
    await refuse(desk, pool, alike, (1, 2))
    assert await cools(desk, alike) == near(5.0)
    assert [round(each.seconds) for each in (await desk.key(pool[0])).rests] == [round(HOUR)]


async def test_a_key_that_was_refused_long_before_rests_on(desk: Desk) -> None:
    pool = keys(3)
    await desk.failed(await desk.take(pool), REFUSED)
    desk.clock.turn(60)
    await refuse(desk, pool, REFUSED, (1, 2))
    assert await cools(desk, REFUSED) == near(5.0)
    assert await reasons(desk, pool) == [["key_refused"], [], []]


async def test_a_key_whose_rest_is_over_is_usable(desk: Desk) -> None:
    pool = keys(3)
    await desk.failed(await desk.take(pool), LIMITED)
    desk.clock.turn(60)
    await refuse(desk, pool, LIMITED, (1, 2))
    assert await cools(desk, LIMITED) == 0
    assert await reasons(desk, pool) == [["rate_limited"]] * 3


@ALIKE
async def test_with_a_key_that_rested_before_one_more_is_no_event(desk: Desk, alike: RestOrder) -> None:
    pool = keys(2)
    await desk.rest(pool[0], RestOrder(Scope.KEY, OPERATOR, HOUR))
    desk.clock.turn(60)
    await desk.failed(await desk.take(pool[::-1]), alike)
    assert await cools(desk, alike) == 0
    assert await reasons(desk, pool) == [[OPERATOR], [alike.reason]]


@ALIKE
async def test_a_lone_key_rests_as_itself(desk: Desk, alike: RestOrder) -> None:
    [key] = keys(1)
    held = [await desk.take([key]) for _ in range(3)]
    for lease in held:
        await desk.failed(lease, alike)
    assert await desk.common() == ()
    assert await desk.wait([key]) == near(alike.seconds)


async def test_a_lone_account_rests_as_itself(desk: Desk) -> None:
    pool = keys(3, accounts=1)
    short = order(ErrorKind.RATE_LIMITED, scope=Scope.ACCOUNT)
    held = [await desk.take(first(each, pool)) for each in range(3)]
    for lease in held:
        await desk.failed(lease, short)
    assert [(rest.reason, rest.account) for rest in await desk.common()] == [("rate_limited", "a0")]


async def test_all_accounts_at_once_are_the_provider(desk: Desk) -> None:
    pool = keys(4, accounts=2)
    short = order(ErrorKind.RATE_LIMITED, scope=Scope.ACCOUNT)
    held = [await desk.take(first(each, pool)) for each in range(2)]
    for lease in held:
        await desk.failed(lease, short)
    assert [(rest.reason, rest.account, rest.seconds) for rest in await desk.common()] == [
        ("rate_limited", "", near(5.0))
    ]
    await desk.failed(await probe(desk, pool), short)
    assert await cools(desk, short) == near(10.0), "all four keys were of the event"


# -- ten seconds


@pytest.mark.parametrize(("gap", "cooled"), [(0.5, True), (3.0, True), (9.9, True), (10.1, False), (60.0, False)])
@ALIKE
async def test_ten_seconds_are_at_once_however_short_the_rests(
    desk: Desk, alike: RestOrder, gap: float, cooled: bool
) -> None:
    pool = keys(2)
    await desk.failed(await desk.take(pool), alike)
    desk.clock.turn(gap)
    await desk.failed(await desk.take(pool[::-1]), alike)
    assert bool(await cools(desk, alike)) is cooled
    own = [[rest.reason for rest in each.rests if rest.seconds] for each in (await desk.seen(pool)).keys]
    over = alike is LIMITED
    assert own == ([[], []] if cooled else [[] if over else [alike.reason], [alike.reason]])


@pytest.mark.parametrize(
    ("late", "cooled"), [(REFUSED, True), (FORBIDDEN, False), (order(ErrorKind.KEY_WINDOW, 1.0), False)]
)
async def test_the_ten_seconds_count_from_a_keys_last_refusal(desk: Desk, late: RestOrder, cooled: bool) -> None:
    """The first key's second attempt was under way when its first was refused, and was refused alike, or otherwise."""
    pool = keys(2)
    early, slow = [await desk.take(pool) for _ in range(2)]
    await desk.failed(early, REFUSED)
    desk.clock.turn(9)
    await desk.failed(slow, late)
    desk.clock.turn(3)
    await refuse(desk, pool, REFUSED, [1])
    assert bool(await cools(desk, REFUSED)) is cooled
    assert await reasons(desk, pool) == ([[], []] if cooled else [["key_refused"], ["key_refused"]])


async def test_a_refusal_after_an_honest_one_does_not_shorten_it(desk: Desk) -> None:
    pool = keys(3)
    early, slow = [await desk.take(pool) for _ in range(2)]
    await desk.failed(early, order(ErrorKind.RATE_LIMITED, 30.0))
    await desk.failed(slow, LIMITED)
    await refuse(desk, pool, LIMITED, (1, 2))
    assert await cools(desk, LIMITED) == near(5.0)
    assert [round(rest.seconds, 1) for rest in (await desk.key(pool[0])).rests] == [29.8]


async def test_a_ladder_from_before_is_as_it_was(desk: Desk, clock: HandClock) -> None:
    pool = keys(2)
    for seconds in (1, 2, 4):
        assert await desk.fail(pool[0], LIMITED) == near(seconds)
        clock.turn(seconds + 20)
    await refuse(desk, pool, LIMITED)
    assert await cools(desk, LIMITED) == near(5.0)
    clock.turn(60)
    await desk.wake(None)
    assert await desk.fail(pool[0], LIMITED) == near(8.0)


# -- what the upstream said


async def test_honest_times_are_the_keys_own(desk: Desk) -> None:
    pool = keys(3)
    for number, seconds in enumerate((20.0, 30.0, 40.0)):
        await desk.failed(await desk.take(first(number, pool)), order(ErrorKind.RATE_LIMITED, seconds))
    assert await desk.common() == ()
    assert [await desk.wait([each]) for each in pool] == [near(20.0), near(30.0), near(40.0)]


@pytest.mark.parametrize("honest", [0, 1, 2])
async def test_an_honest_time_among_others_is_kept(desk: Desk, honest: int) -> None:
    pool = keys(3)
    for number in range(3):
        rest = order(ErrorKind.RATE_LIMITED, 30.0 if number == honest else None)
        await desk.failed(await desk.take(first(number, pool)), rest)
    await desk.wake(None)
    assert await desk.wait([pool[honest]]) == near(30.0)


async def test_an_honest_time_that_came_after_is_kept(desk: Desk) -> None:
    pool = keys(2)
    first, second, third = [await desk.take(pool) for _ in range(2)] + [await desk.take(pool[::-1])]
    await desk.failed(first, LIMITED)
    await desk.failed(second, order(ErrorKind.RATE_LIMITED, 30.0))
    await desk.failed(third, LIMITED)
    assert await desk.wait([pool[0]]) == near(30.0)


async def test_failures_that_are_nobodys_in_particular_have_their_breaker(desk: Desk) -> None:
    pool = keys(2)
    await refuse(desk, pool, BROKEN)
    assert await desk.common() == ()


# -- once it is cooled


@ALIKE
async def test_a_probe_that_fails_again_cools_longer_and_rests_no_key(desk: Desk, alike: RestOrder) -> None:
    pool = keys(3)
    await refuse(desk, pool, alike)
    for number, seconds in enumerate((10, 20, 40, 60, 60)):
        await desk.failed(await probe(desk, first(number % 3, pool)), alike)
        assert await cools(desk, alike) == near(seconds)
        assert await reasons(desk, pool) == [[], [], []]


async def test_a_probe_with_an_honest_time_rests_its_key_for_it(desk: Desk) -> None:
    pool = keys(2)
    await refuse(desk, pool, LIMITED)
    await desk.failed(await probe(desk, pool), order(ErrorKind.RATE_LIMITED, 90.0))
    assert await desk.wait([pool[0]]) == near(90.0)
    lease, admission = await desk.ask(pool)
    assert (admission.candidate, admission.probe) == (pool[1], True)
    await desk.ok(lease)
    assert await desk.common() == ()


async def test_a_probe_that_fails_otherwise_lets_the_next_find_out(desk: Desk) -> None:
    pool = keys(2)
    await refuse(desk, pool, LIMITED)
    await desk.failed(await probe(desk, pool), REFUSED)
    assert await reasons(desk, pool) == [["key_refused"], []]
    await desk.abandoned(await probe(desk, pool[::-1]))
    await desk.ok(await probe(desk, pool[::-1]))
    assert await desk.common() == ()


async def test_a_key_that_rested_meanwhile_is_asked_before_the_provider_is_blamed_again(desk: Desk) -> None:
    """Two keys are dead, the third only rested: the probes reach it, and the dead ones rest as themselves."""
    pool = keys(3)
    await desk.fail(pool[2], order(ErrorKind.RATE_LIMITED, 5.0))
    await refuse(desk, pool, REFUSED, range(2))
    assert await cools(desk, REFUSED) == near(5.0)
    await desk.failed(await probe(desk, pool), REFUSED)
    await desk.failed(await probe(desk, pool[1:]), REFUSED)
    await desk.ok(await probe(desk, pool[2:]))
    assert await reasons(desk, pool) == [["key_refused"], ["key_refused"], []]
    assert await desk.serve(pool) == "k3"


@ALIKE
async def test_what_was_under_way_neither_lengthens_nor_ends_it(desk: Desk, clock: HandClock, alike: RestOrder) -> None:
    pool = keys(2)
    slow = [await desk.take(first(each, pool)) for each in (0, 1, 0, 1)]
    clock.turn(1)
    await refuse(desk, pool, alike)
    clock.turn(1)
    await desk.ok(slow[0])
    for lease in slow[1:]:
        await desk.failed(lease, alike)
    assert await cools(desk, alike) == near(4.0)
    assert await reasons(desk, pool) == [[], []]
    await desk.failed(await probe(desk, pool), alike)
    assert await cools(desk, alike) == near(10.0)


async def test_another_kind_under_way_is_the_keys_own(desk: Desk) -> None:
    pool = keys(2)
    slow = await desk.take(pool)
    await refuse(desk, pool, LIMITED)
    await desk.failed(slow, REFUSED)
    assert await reasons(desk, pool) == [["key_refused"], []]


async def test_another_kind_at_once_begins_with_a_short_rest_again(desk: Desk) -> None:
    pool = keys(2)
    await refuse(desk, pool, LIMITED)
    for _ in range(3):
        await desk.failed(await probe(desk, pool), LIMITED)
    await desk.failed(await probe(desk, pool), FORBIDDEN)
    await desk.failed(await probe(desk, pool[::-1]), FORBIDDEN)
    assert await cools(desk, FORBIDDEN) == near(5.0)
    assert await reasons(desk, pool) == [[], []]
