"""A refused key, and a model that fails: one real request finds out whether the rest is over."""

from __future__ import annotations

import pytest

from providers.errors import ErrorKind, Scope
from providers.state import Candidate, RestOrder
from tests.gateway.state.support import (
    A_MOMENT,
    BROKEN,
    FORBIDDEN,
    HOUR,
    LIMITED,
    OVERLOADED,
    REFUSED,
    Desk,
    HandClock,
    keys,
    near,
    order,
)

UNREACHABLE = order(ErrorKind.UNREACHABLE)


async def probe(desk: Desk, candidates: tuple[Candidate, ...], model: str = "m") -> str:
    """The one attempt after the rest, while everybody else is refused."""
    desk.clock.turn(await desk.wait(candidates, model) + A_MOMENT)
    lease, admission = await desk.ask(candidates, model)
    assert admission.candidate is candidates[0]
    assert admission.probe
    for _ in range(3):
        refused = await desk.refusal(candidates, model)
        assert 0 < refused.wait <= 1, "nobody knows how long it takes: ask again soon"
    return lease


# -- keys


async def test_a_refused_key_rests_half_an_hour_and_doubles_to_twelve_hours(desk: Desk) -> None:
    pool = keys(1)
    assert await desk.fail(pool[0], REFUSED) == near(0.5 * HOUR)
    for hours in (1, 2, 4, 8, 12, 12, 12):
        await desk.failed(await probe(desk, pool), REFUSED)
        assert await desk.wait(pool) == near(hours * HOUR)
    await desk.ok(await probe(desk, pool))
    assert await desk.serve(pool) == "k1", "a refused key is never forgotten for good"
    desk.clock.turn(1)
    assert await desk.fail(pool[0], REFUSED) == near(0.5 * HOUR)


@pytest.mark.parametrize("proof", ["proved", "ok"])
async def test_others_go_on_as_soon_as_the_probe_has_its_answer(desk: Desk, proof: str) -> None:
    pool = keys(1)
    await desk.fail(pool[0], REFUSED)
    lease = await probe(desk, pool)
    await (desk.proved(lease) if proof == "proved" else desk.ok(lease))
    _, admission = await desk.ask(pool)
    assert admission.candidate is pool[0]
    assert not admission.probe


async def test_a_probe_for_one_model_is_one_for_all(desk: Desk, clock: HandClock) -> None:
    [key] = keys(1)
    await desk.fail(key, REFUSED)
    clock.turn(HOUR / 2)
    await desk.take([key], "m")
    assert (await desk.refusal([key], "other")).reason == "key_refused"


async def test_an_abandoned_probe_frees_the_next(desk: Desk) -> None:
    pool = keys(1)
    await desk.fail(pool[0], REFUSED)
    await desk.abandoned(await probe(desk, pool))
    await desk.failed(await probe(desk, pool), None)
    await desk.failed(await probe(desk, pool), BROKEN)
    await desk.failed(await probe(desk, pool), LIMITED)
    desk.clock.turn(2)
    await desk.failed(await probe(desk, pool), REFUSED)
    assert await desk.wait(pool) == near(HOUR), "what the others met says nothing of the key"


async def test_while_one_key_is_probed_the_others_serve(desk: Desk, clock: HandClock) -> None:
    pool = keys(2)
    await desk.fail(pool[0], REFUSED)
    clock.turn(HOUR / 2)
    probing = await desk.take(pool)
    assert {await desk.serve(pool) for _ in range(5)} == {"k2"}
    await desk.failed(probing, REFUSED)
    assert await desk.wait(pool[:1]) == near(HOUR)


async def test_an_attempt_under_way_from_before_does_not_disturb_the_probe(desk: Desk) -> None:
    """Its failure neither lets a second probe through nor counts; its success does not count either."""
    pool = keys(1)
    bad, good, first = [await desk.take(pool) for _ in range(3)]
    await desk.failed(first, REFUSED)
    probing = await probe(desk, pool)
    await desk.failed(bad, REFUSED)
    assert (await desk.refusal(pool)).reason == "key_refused"
    await desk.ok(good)
    assert (await desk.refusal(pool)).reason == "key_refused"
    await desk.failed(probing, REFUSED)
    assert await desk.wait(pool) == near(HOUR)


@pytest.mark.parametrize("kind", [ErrorKind.KEY_UNPAID, ErrorKind.KEY_FORBIDDEN, ErrorKind.KEY_WINDOW])
async def test_every_long_rest_of_a_key_ends_with_one_probe(desk: Desk, kind: ErrorKind) -> None:
    pool = keys(1)
    await desk.fail(pool[0], order(kind))
    await desk.ok(await probe(desk, pool))
    assert (await desk.key(pool[0])).rests == ()


async def test_an_account_is_probed_once_whatever_the_key(desk: Desk) -> None:
    pool = keys(2, accounts=1)
    await desk.fail(pool[0], order(ErrorKind.ACCOUNT_QUOTA, 60.0))
    lease = await probe(desk, (pool[1], pool[0]))
    await desk.ok(lease)
    assert await desk.serve(pool) == "k1"


async def test_after_a_minutes_limit_nobody_has_to_wait_for_a_probe(desk: Desk, clock: HandClock) -> None:
    [key] = keys(1)
    await desk.fail(key, LIMITED)
    clock.turn(1)
    asked = [(await desk.ask([key]))[1] for _ in range(3)]
    assert [each.candidate for each in asked] == [key] * 3
    assert not any(each.probe for each in asked)


async def test_one_attempt_probes_a_key_and_its_model_at_once(desk: Desk) -> None:
    pool = keys(1)
    held = [await desk.take(pool) for _ in range(2)]
    await desk.failed(held[0], REFUSED)
    await desk.failed(held[1], OVERLOADED)
    desk.clock.turn(HOUR)
    await desk.ok(await probe(desk, pool))
    assert (await desk.key(pool[0])).rests == ()
    assert await desk.common() == ()


# -- the breaker: provider x model


@pytest.mark.parametrize("kinds", [[ErrorKind.SERVER_ERROR], [ErrorKind.CUT, ErrorKind.STALLED, ErrorKind.UNREACHABLE]])
async def test_a_model_rests_after_five_failures_in_a_row_whatever_the_keys(desk: Desk, kinds: list[ErrorKind]) -> None:
    pool = keys(2)
    for number in range(5):
        assert await desk.wait(pool) == 0
        await desk.fail(pool[number % 2], order(kinds[number % len(kinds)]))
    refused = await desk.refusal(pool)
    assert [each.label for each in refused.passed] == ["acme"]
    assert refused.wait == near(5.0)
    assert await desk.serve(pool, "other") == "k1"
    assert [each.rests for each in (await desk.seen(pool)).keys] == [(), ()]


async def test_before_the_breaker_opens_nobody_waits(desk: Desk) -> None:
    """A failure or four are no reason to let only one attempt through."""
    [key] = keys(1)
    for _ in range(4):
        await desk.fail(key, BROKEN)
        asked = [await desk.ask([key]) for _ in range(3)]
        assert [each.candidate for _, each in asked] == [key] * 3
        assert not any(each.probe for _, each in asked)
        for lease, _ in asked:
            await desk.abandoned(lease)


@pytest.mark.parametrize("proof", ["proved", "ok"])
async def test_a_success_in_between_begins_the_count_again(desk: Desk, clock: HandClock, proof: str) -> None:
    [key] = keys(1)
    for _ in range(3):
        for _ in range(4):
            await desk.fail(key, BROKEN)
        lease = await desk.take([key])
        await (desk.proved(lease) if proof == "proved" else desk.ok(lease))
        clock.turn(1)
    assert await desk.common() == ()


async def test_a_success_with_another_model_does_not(desk: Desk) -> None:
    [key] = keys(1)
    for _ in range(5):
        await desk.fail(key, BROKEN)
        await desk.serve([key], "other")
    assert await desk.wait([key]) == near(5.0)


async def test_an_abandoned_attempt_neither_opens_nor_closes_the_breaker(desk: Desk) -> None:
    [key] = keys(1)
    for _ in range(4):
        await desk.fail(key, BROKEN)
        await desk.abandoned(await desk.take([key]))
    assert await desk.fail(key, BROKEN) == near(5.0)


async def test_what_the_upstream_said_opens_it_at_once(desk: Desk) -> None:
    [key] = keys(1)
    assert await desk.fail(key, order(ErrorKind.SERVER_ERROR, 17.0)) == near(17.0)


async def test_an_overloaded_model_rests_at_once(desk: Desk) -> None:
    [key] = keys(1)
    assert await desk.fail(key, OVERLOADED) == near(5.0)


@pytest.mark.parametrize("again", [BROKEN, UNREACHABLE], ids=lambda each: each.reason)
async def test_half_open_lets_one_through_and_doubles_to_a_minute(desk: Desk, again: RestOrder) -> None:
    pool = keys(1)
    for _ in range(5):
        await desk.fail(pool[0], BROKEN)
    for seconds in (10, 20, 40, 60, 60):
        await desk.failed(await probe(desk, pool), again)
        assert await desk.wait(pool) == near(seconds)
    await desk.ok(await probe(desk, pool))
    asked = [(await desk.ask(pool))[1] for _ in range(3)]
    assert [each.candidate for each in asked] == [pool[0]] * 3
    desk.clock.turn(1)
    assert await desk.common() == ()


async def test_failures_under_way_when_it_opened_do_not_lengthen_it(desk: Desk, clock: HandClock) -> None:
    [key] = keys(1)
    held = [await desk.take([key]) for _ in range(30)]
    for lease in held[:20]:
        await desk.failed(lease, BROKEN)
    assert await desk.wait([key]) == near(5.0)
    clock.turn(4)
    for lease in held[20:25]:
        await desk.ok(lease)
    assert await desk.wait([key]) == near(1.0), "and successes do not close it"
    probing = await probe(desk, (key,))
    for lease in held[25:]:
        await desk.failed(lease, BROKEN)
    assert 0 < (await desk.refusal([key])).wait < 1
    await desk.failed(probing, BROKEN)
    assert await desk.wait([key]) == near(10.0)


async def test_the_probe_of_a_breaker_that_meets_a_refused_key_frees_the_next(desk: Desk) -> None:
    pool = keys(2)
    for _ in range(5):
        await desk.fail(pool[0], BROKEN)
    await desk.failed(await probe(desk, pool), FORBIDDEN)
    lease, admission = await desk.ask(pool)
    assert admission.candidate is pool[1]
    assert admission.probe
    await desk.ok(lease)
    assert await desk.common() == ()


async def test_a_breaker_and_a_key_keep_apart(desk: Desk) -> None:
    """A 5xx rests no key; a 401 counts for no breaker."""
    pool = keys(6)
    for key in pool[:5]:
        await desk.fail(key, RestOrder(Scope.KEY, "key_refused", 60.0, 60.0, probe=True))
    assert await desk.common() == ()
    assert await desk.serve(pool) == "k6"
