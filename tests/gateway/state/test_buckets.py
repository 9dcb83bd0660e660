"""Limits of a client's token: a minute's worth may come at once, is free again evenly, and comes back where nothing was
asked.
"""

from __future__ import annotations

import asyncio

import pytest

from providers.spec import Limits
from providers.state import Candidate
from tests.eventually import eventually
from tests.gateway.state.conftest import unique_prefix
from tests.gateway.state.sharing import replica
from tests.gateway.state.support import Desk, HandClock, keys, near
from tests.redis_server import RedisServer


@pytest.fixture
def bucket(desk: Desk) -> Desk:
    desk.bucket = True
    return desk


def token(**limits: int) -> Candidate:
    return keys(1, Limits(**limits))[0]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 60])
async def test_a_minutes_requests_may_come_at_once_and_no_more(bucket: Desk, clock: HandClock, limit: int) -> None:
    ada = token(requests=limit)
    for _ in range(limit):
        await bucket.serve([ada])
    refused = await bucket.refusal([ada])
    assert (refused.reason, refused.wait) == ("requests", near(60 / limit))
    clock.turn(refused.wait - 0.01)
    assert (await bucket.refusal([ada])).wait == near(0.01)
    clock.turn(0.011)
    await bucket.serve([ada])
    await bucket.refusal([ada])


async def test_an_hour_holds_no_more_than_the_limit_and_what_was_in_the_bucket(bucket: Desk, clock: HandClock) -> None:
    ada, through, end = token(requests=6), 0, clock.now + 600
    while clock.now < end:
        lease, admission = await bucket.ask([ada])
        if admission.candidate is None:
            clock.turn(admission.wait + 1e-6)
        else:
            through += 1
            await bucket.ok(lease)
    assert 60 <= through <= 60 + 6


async def test_tokens_are_put_right_by_what_was_used(bucket: Desk) -> None:
    ada = token(tokens=6000)
    lease = await bucket.take([ada], tokens=5000)
    refused = await bucket.refusal([ada], tokens=2000)
    assert (refused.reason, refused.wait) == ("tokens", near(10.0))
    await bucket.ok(lease, 1000)
    await bucket.take([ada], tokens=5000)


async def test_of_two_limits_the_later_one_is_told(bucket: Desk) -> None:
    ada = token(requests=2, tokens=60)
    await bucket.serve([ada], tokens=30)
    await bucket.serve([ada], tokens=30)
    refused = await bucket.refusal([ada], tokens=15)
    assert (refused.reason, refused.wait) == ("requests", near(30.0))
    refused = await bucket.refusal([ada], tokens=40)
    assert (refused.reason, refused.wait) == ("tokens", near(40.0))


async def test_what_no_bucket_holds_passes_when_it_is_full(bucket: Desk, clock: HandClock) -> None:
    ada = token(tokens=6000)
    await bucket.serve([ada], tokens=100)
    assert (await bucket.refusal([ada], tokens=90_000)).wait == near(1.0)
    clock.turn(1.01)
    await bucket.serve([ada], tokens=90_000)
    assert (await bucket.refusal([ada], tokens=1)).wait == near(0.01), "no more than a minute is owed"


async def test_what_asked_nothing_gets_all_of_it_back(bucket: Desk) -> None:
    ada = token(requests=2, tokens=100, concurrency=1)
    for _ in range(20):
        lease = await bucket.take([ada], tokens=100)
        assert (await bucket.refusal([ada])).reason == "concurrency"
        await bucket.refunded(lease)
        await bucket.refunded(lease)
    await bucket.ok(await bucket.take([ada], tokens=50), 50)
    await bucket.ok(await bucket.take([ada], tokens=50), 50)
    assert (await bucket.refusal([ada])).reason == "requests", "nobody got more back than there was"


@pytest.mark.parametrize("outcome", ["ok", "failed", "abandoned"])
async def test_what_was_asked_counts_however_it_ended(bucket: Desk, outcome: str) -> None:
    ada = token(requests=1, concurrency=1)
    lease = await bucket.take([ada])
    if outcome == "failed":
        await bucket.failed(lease, None, 0)
    else:
        await (bucket.ok(lease) if outcome == "ok" else bucket.abandoned(lease))
    assert (await bucket.refusal([ada])).reason == "requests"
    assert (await bucket.key(ada)).in_flight == 0


async def test_two_tokens_do_not_meet(bucket: Desk) -> None:
    ada, bob = keys(2, Limits(requests=1))
    await bucket.serve([ada])
    await bucket.refusal([ada])
    await bucket.serve([bob])


async def test_eight_at_one_moment_get_no_more_than_there_is(bucket: Desk) -> None:
    ada = token(requests=5)
    asked = await asyncio.gather(*(bucket.ask([ada]) for _ in range(8)))
    assert sum(admission.candidate is not None for _, admission in asked) == 5


# -- in Redis alone


async def test_processes_share_a_bucket(real_redis: RedisServer) -> None:
    prefix = unique_prefix()
    async with replica(real_redis.url, prefix) as one, replica(real_redis.url, prefix) as other:
        desks = (one.desk, other.desk)
        ada, same = token(requests=4), token(requests=4)
        for desk in desks:
            desk.bucket = True
        for _ in range(2):
            await one.desk.serve([ada])
            await other.desk.serve([same])
        assert (await one.desk.refusal([ada])).reason == (await other.desk.refusal([same])).reason == "requests"


async def test_slots_of_a_killed_process_come_back(real_redis: RedisServer) -> None:
    prefix, life = unique_prefix(), 0.2
    async with (
        replica(real_redis.url, prefix, life=life) as killed,
        replica(real_redis.url, prefix, life=life) as other,
    ):
        killed.desk.bucket = other.desk.bucket = True
        ada, same = token(concurrency=1), token(concurrency=1)
        await killed.desk.take([ada])
        refused = await other.desk.refusal([same])
        assert (refused.reason, refused.wait > 0) == ("concurrency", True)

        async def free() -> bool:
            return (await other.desk.ask([same]))[1].candidate is not None

        await eventually(free)


async def test_while_redis_is_away_a_process_keeps_to_its_part() -> None:
    async with replica("redis://127.0.0.1:1/0", unique_prefix(), processes=2) as one:
        one.desk.bucket = True
        ada = token(requests=4)
        for _ in range(2):
            await one.desk.serve([ada])
        refused = await one.desk.refusal([ada])
        assert refused.reason == "requests"
        assert refused.wait == pytest.approx(30, abs=1)


async def test_while_redis_is_away_a_refund_is_one_too() -> None:
    async with replica("redis://127.0.0.1:1/0", unique_prefix()) as one:
        one.desk.bucket = True
        ada = token(requests=1, tokens=100)
        for _ in range(3):
            await one.desk.refunded(await one.desk.take([ada], tokens=100))
        await one.desk.serve([ada])
        await one.desk.refusal([ada])
