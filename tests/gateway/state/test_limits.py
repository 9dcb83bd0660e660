"""Limits per key and per model: requests and tokens a minute, and how many at once."""

from __future__ import annotations

import pytest

from providers.spec import Limits
from providers.state import Candidate
from tests.gateway.state.support import A_MOMENT, Desk, HandClock, keys, near

PER = pytest.mark.parametrize("per", ["key", "model"])


def limited(desk: Desk, per: str, limits: Limits) -> Candidate:
    """A key with these limits; or the model has them."""
    if per == "model":
        desk.model_limits = limits
    return keys(1, limits if per == "key" else Limits())[0]


async def rush(desk: Desk, key: Candidate, seconds: float) -> list[float]:
    """When requests got through, each asked for once more as soon as its refusal said."""
    through: list[float] = []
    end = desk.clock.now + seconds
    while desk.clock.now < end:
        lease, admission = await desk.ask([key])
        if admission.candidate is None:
            assert admission.reason == "requests"
            desk.clock.turn(admission.wait + 1e-6)
            lease = await desk.take([key])
        through.append(desk.clock.now)
        await desk.ok(lease)
    return through


@PER
@pytest.mark.parametrize("limit", [1, 2, 3, 19, 20, 40, 41, 100, 1000])
async def test_no_minute_holds_more_requests_than_the_limit_and_few_less(desk: Desk, per: str, limit: int) -> None:
    key = limited(desk, per, Limits(requests=limit))
    seconds = min(300.0, 60.0 * desk.most / limit)
    through = await rush(desk, key, seconds)
    for number, began in enumerate(through):
        assert sum(began <= each < began + 60 for each in through[number : number + limit + 1]) <= limit
    if limit >= 20:
        assert len([each for each in through if each < through[0] + seconds - 60]) >= (seconds / 60 - 1) * 0.95 * limit


@PER
async def test_after_a_pause_no_more_than_a_burst_comes_at_once(desk: Desk, clock: HandClock, per: str) -> None:
    key = limited(desk, per, Limits(requests=100))
    clock.turn(86400.0)
    for _ in range(2):
        await desk.serve([key])
    refused = await desk.refusal([key])
    assert refused.reason == "requests"
    clock.turn(refused.wait - A_MOMENT)
    assert (await desk.refusal([key])).wait == pytest.approx(A_MOMENT, abs=1e-4)
    clock.turn(2 * A_MOMENT)
    await desk.serve([key])


async def test_a_request_that_failed_was_a_request(desk: Desk) -> None:
    [key] = keys(1, Limits(requests=1))
    await desk.failed(await desk.take([key]), None)
    assert (await desk.refusal([key])).reason == "requests"


async def test_a_refusal_costs_nothing(desk: Desk, clock: HandClock) -> None:
    [key] = keys(1, Limits(requests=1, tokens=100, concurrency=1))
    lease = await desk.take([key], tokens=25)
    for _ in range(50):
        await desk.refusal([key], tokens=25)
    await desk.ok(lease)
    assert (await desk.refusal([key], tokens=25)).wait == near(61.2)
    clock.turn(62)
    assert (await desk.key(key)).in_flight == 0
    await desk.serve([key], tokens=25)


async def test_what_one_limit_refuses_is_charged_to_no_other(desk: Desk, clock: HandClock) -> None:
    desk.model_limits = Limits(requests=60, tokens=60)
    [key] = keys(1, Limits(requests=1))
    await desk.serve([key])
    for _ in range(20):
        await desk.refusal([key])
    other = Candidate("k2", "acme-02", "a2")
    clock.turn(1.02)
    assert await desk.serve([other]) == "k2"


# -- tokens


@PER
async def test_tokens_are_charged_as_estimated(desk: Desk, clock: HandClock, per: str) -> None:
    key = limited(desk, per, Limits(tokens=6000))
    await desk.serve([key], tokens=1500)
    refused = await desk.refusal([key], tokens=1500)
    assert (refused.reason, refused.wait) == ("tokens", near(15.0))
    clock.turn(5)
    assert await desk.serve([key], tokens=500) == "k1", "a smaller one fits already"


@PER
@pytest.mark.parametrize(("actual", "wait"), [(1500, 15.0), (300, 3.0), (0, 0.0), (3000, 30.0), (None, 15.0)])
async def test_the_real_usage_replaces_the_estimate(desk: Desk, per: str, actual: int | None, wait: float) -> None:
    key = limited(desk, per, Limits(tokens=6000))
    await desk.ok(await desk.take([key], tokens=1500), actual)
    _, admission = await desk.ask([key], tokens=1500)
    assert admission.wait == near(wait)


@PER
async def test_a_failure_gives_back_what_it_did_not_use(desk: Desk, per: str) -> None:
    key = limited(desk, per, Limits(tokens=6000))
    await desk.failed(await desk.take([key], tokens=1500), None, 0)
    await desk.take([key], tokens=1500)


async def test_nothing_can_be_given_back_beyond_what_is_owed(desk: Desk) -> None:
    [key] = keys(1, Limits(tokens=6000))
    small, large = await desk.take([key], tokens=10), await desk.take([key], tokens=1400)
    for lease in (small, large):
        await desk.ok(lease, -100_000)
    await desk.serve([key], tokens=1500)
    assert (await desk.refusal([key], tokens=1500)).wait == near(15.0)


@PER
async def test_a_request_above_the_burst_passes_when_nothing_is_owed(desk: Desk, clock: HandClock, per: str) -> None:
    key = limited(desk, per, Limits(tokens=6000))
    await desk.serve([key], tokens=100)
    assert (await desk.refusal([key], tokens=5000)).wait == near(1.0)
    clock.turn(1)
    await desk.serve([key], tokens=5000)
    assert (await desk.refusal([key], tokens=5000)).wait == near(50.0)


@PER
@pytest.mark.parametrize("usage", [1_000_000, 10**18])
async def test_no_usage_keeps_a_key_away_for_ever(desk: Desk, clock: HandClock, per: str, usage: int) -> None:
    """An upstream's own limit forgets after a minute, and so do we, whatever it reported."""
    key = limited(desk, per, Limits(tokens=1000))
    await desk.ok(await desk.take([key], tokens=10), usage)
    refused = await desk.refusal([key], tokens=10**9)
    assert 59 < refused.wait <= 60
    clock.turn(60)
    await desk.ok(await desk.take([key], tokens=10**9), usage)
    clock.turn(60)
    await desk.serve([key])


async def test_minutes_of_tokens_stay_near_the_limit(desk: Desk, clock: HandClock) -> None:
    limit = 60_000
    [key] = keys(1, Limits(tokens=limit))
    spent: list[tuple[float, int]] = []
    while clock.now < 1000 + 600:
        estimate = 500 + 377 * len(spent) % 7000
        lease, admission = await desk.ask([key], tokens=estimate)
        if admission.candidate:
            actual = estimate * (80 + len(spent) % 40) // 100
            spent.append((clock.now, actual))
            await desk.ok(lease, actual)
        else:
            clock.turn(admission.wait + 1e-6)
    for began, _ in spent:
        assert sum(tokens for at, tokens in spent if began <= at < began + 60) <= limit * 1.25 + 7500
    assert sum(tokens for _, tokens in spent) >= 0.95 * limit * 10


# -- at once


@PER
async def test_no_more_at_once_than_the_limit(desk: Desk, per: str) -> None:
    key = limited(desk, per, Limits(concurrency=3))
    held = [await desk.take([key]) for _ in range(3)]
    refused = await desk.refusal([key])
    assert refused.reason == "concurrency"
    assert 0 < refused.wait <= 1
    for lease in held:
        await desk.abandoned(lease)
    assert (await desk.key(key)).in_flight == 0
    await desk.take([key])


@pytest.mark.parametrize("ending", ["ok", "failed", "abandoned"])
async def test_every_ending_gives_the_place_back(desk: Desk, ending: str) -> None:
    desk.model_limits = Limits(concurrency=1)
    [key] = keys(1, Limits(concurrency=1))
    for _ in range(5):
        lease = await desk.take([key])
        await desk.proved(lease)
        assert (await desk.refusal([key])).reason == "concurrency"
        match ending:
            case "ok":
                await desk.ok(lease)
            case "failed":
                await desk.failed(lease, None)
            case _:
                await desk.abandoned(lease)


async def test_a_limit_of_one_model_leaves_the_others(desk: Desk) -> None:
    [key] = keys(1)
    desk.model_limits = Limits(requests=1, concurrency=1)
    await desk.take([key])
    refused = await desk.refusal([key])
    assert [(each.label, each.reason) for each in refused.passed] == [("acme", "concurrency")]
    desk.model_limits = Limits()
    await desk.take([key], "other")


async def test_limits_of_keys_are_their_own(desk: Desk) -> None:
    pool = keys(2, Limits(requests=1, concurrency=1))
    assert [await desk.serve(pool) for _ in range(2)] == ["k1", "k2"]
    assert (await desk.refusal(pool)).reason == "requests"


async def test_a_limit_that_is_new_counts_from_now(desk: Desk) -> None:
    """Attempts from before take no place when they begin, and give none back."""
    [key] = keys(1)
    before = await desk.take([key])
    desk.model_limits = Limits(concurrency=1)
    held = await desk.take([key])
    await desk.ok(before)
    assert (await desk.refusal([key])).reason == "concurrency"
    await desk.ok(held)
    await desk.take([key])
    assert (await desk.refusal([key])).reason == "concurrency"
