"""Redis is away in every way there is: nobody's request fails, limits are kept in parts, and all is well after."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from gateway.state.line import DEADLINE
from providers.spec import Limits, Traffic, UsageWindow
from providers.state import Candidate
from tests.chaos.faults import REASONS, faults, plain
from tests.gateway.state.conftest import unique_prefix
from tests.gateway.state.sharing import Replica, replica
from tests.gateway.state.support import HOUR, REFUSED, keys
from tests.redis_server import RedisServer
from tests.slow_proxy import slow_proxy

BUSY = 1.0  # seconds that a busy machine may add to what is measured here


async def _served(of: Replica, pool: tuple[Candidate, ...]) -> float:
    """Seconds that one good request waits for the store."""
    began = time.perf_counter()
    lease, admission = await of.desk.ask(pool)
    took = time.perf_counter() - began
    assert admission.candidate is not None, admission
    await of.desk.ok(lease)
    return took


@pytest.mark.parametrize("name", REASONS)
async def test_no_request_fails_and_all_is_well_after(own_redis: RedisServer, name: str) -> None:
    pool, prefix = keys(3), unique_prefix()
    async with faults(name, own_redis) as fault, replica(fault.url, prefix) as one:
        early = await one.desk.take(pool)
        await fault.breaks()
        waits = await asyncio.gather(*(_served(one, pool) for _ in range(50)))
        assert max(waits) < DEADLINE + BUSY
        assert one.told.lost == [REASONS[name]]
        assert one.store.away is not None
        again = [await _served(one, pool) for _ in range(50)]
        assert sorted(again)[25] < DEADLINE / 10, "nobody else waits for a server that is known to be away"

        await one.is_known_to_be_away()
        assert [reason for reason, _ in one.told.away] == [REASONS[name]]
        await one.desk.ok(early)
        late = await one.desk.take(pool[::-1])
        await one.desk.failed(await one.desk.take(pool), REFUSED)
        await fault.mends()
        await one.comes_back()
        assert len(one.told.lost) == len(one.told.away) == len(one.told.returned) == 1

        async with replica(own_redis.url, prefix) as other:
            seen = (await other.desk.seen(pool)).keys
            assert [each.in_flight for each in seen] == [0, 0, 1], "what is open counts, what was settled does not"
            [rest] = seen[0].rests
            assert rest.reason == "key_refused"
            assert HOUR / 2 - 20 < rest.seconds <= HOUR / 2
            assert (await other.desk.refusal(pool[:1])).reason == "key_refused"
            await one.desk.ok(late)
            assert (await other.desk.key(pool[2])).in_flight == 0


async def test_a_server_that_answers_late_once_is_no_matter_for_people(own_redis: RedisServer) -> None:
    pool = keys(1)
    async with replica(own_redis.url, unique_prefix()) as one:
        own_redis.freeze()
        assert await one.desk.serve(pool) == "k1"
        own_redis.thaw()
        await one.comes_back()
        assert (one.told.lost, one.told.away, len(one.told.returned)) == (["slow"], [], 1)
        assert await one.desk.serve(pool) == "k1"
        assert (await one.desk.key(pool[0])).turns == 2


async def test_a_server_that_comes_back_empty_is_told_what_is_open(own_redis: RedisServer) -> None:
    """It is back before anybody noticed: the leases of before come with the next sign of life."""
    pool, prefix = keys(2, Limits(concurrency=2)), unique_prefix()
    async with replica(own_redis.url, prefix) as one, replica(own_redis.url, prefix) as other:
        held = [await one.desk.take(pool) for _ in range(2)]
        own_redis.kill()
        own_redis.start()
        assert (await other.desk.key(pool[0])).in_flight == 0
        await one.beat()
        assert (await other.desk.key(pool[0])).in_flight == 2
        assert (await other.desk.refusal(pool[:1])).reason == "concurrency"
        for lease in held:
            await one.desk.ok(lease)
        assert (await other.desk.key(pool[0])).in_flight == 0
        assert one.store.away is None


async def test_a_failure_is_told_to_a_server_that_forgot_its_lease(own_redis: RedisServer) -> None:
    pool, prefix = keys(2), unique_prefix()
    async with replica(own_redis.url, prefix) as one, replica(own_redis.url, prefix) as other:
        lease = await one.desk.take(pool)
        async with plain(own_redis.port) as client:
            await client.flushall()
        await one.desk.failed(lease, REFUSED)
        assert (await other.desk.refusal(pool[:1])).reason == "key_refused"


@pytest.mark.parametrize("limits", [Limits(requests=400), Limits(concurrency=8)], ids=["requests", "concurrency"])
@pytest.mark.parametrize("of", ["key", "model", "provider"])
async def test_while_it_is_away_each_process_has_its_part(own_redis: RedisServer, limits: Limits, of: str) -> None:
    pool = keys(1, limits if of == "key" else Limits())
    async with replica(own_redis.url, unique_prefix(), processes=4) as one:
        if of == "model":
            one.desk.model_limits = limits
        if of == "provider":
            one.desk.traffic = Traffic(rate=limits.requests, concurrency=limits.concurrency)
        own_redis.kill()
        asked = [await one.desk.ask(pool) for _ in range(9)]
        served = [lease for lease, admission in asked if admission.candidate]
        refused = asked[-1][1]
        if limits.concurrency:
            assert (len(served), refused.reason) == (2, "concurrency")
        else:
            assert (len(served), refused.reason) == (1, "requests")
            assert refused.wait == pytest.approx(1.02 * 60 / 100, abs=0.1)
        assert refused.passed[0].label == ("acme-01" if of == "key" else "acme")
        for lease in served:
            await one.desk.ok(lease)


async def test_what_is_open_when_it_goes_away_counts_in_a_process_s_part(own_redis: RedisServer) -> None:
    pool = keys(1, Limits(concurrency=8))
    async with replica(own_redis.url, unique_prefix(), processes=4) as one:
        held = [await one.desk.take(pool) for _ in range(2)]
        own_redis.kill()
        assert (await one.desk.refusal(pool)).reason == "concurrency"
        await one.desk.ok(held[0])
        await one.desk.take(pool)


async def test_rests_that_were_known_are_kept_while_it_is_away(own_redis: RedisServer) -> None:
    pool, prefix = keys(2), unique_prefix()
    async with replica(own_redis.url, prefix) as one, replica(own_redis.url, prefix) as other:
        await other.desk.failed(await other.desk.take(pool), REFUSED)
        assert await one.desk.serve(pool) == "k2"
        own_redis.kill()
        assert [await one.desk.serve(pool) for _ in range(3)] == ["k2"] * 3
        assert [each.reason for each in (await one.desk.key(pool[0])).rests] == ["key_refused"]


async def test_a_key_woken_while_it_is_away_is_woken(own_redis: RedisServer) -> None:
    pool, prefix = keys(1), unique_prefix()
    async with replica(own_redis.url, prefix) as one, replica(own_redis.url, prefix) as other:
        await one.desk.failed(await one.desk.take(pool), REFUSED)
        own_redis.freeze()
        assert (await one.desk.refusal(pool)).reason == "key_refused"
        await one.desk.wake(pool[0])
        assert await one.desk.serve(pool) == "k1"
        own_redis.thaw()
        await one.comes_back()
        assert await other.desk.serve(pool) == "k1"


async def test_usage_of_the_day_is_added_up_over_an_outage(own_redis: RedisServer) -> None:
    pool, prefix = keys(2), unique_prefix()
    async with replica(own_redis.url, prefix) as one:
        one.desk.usage_limit, one.desk.usage_window = 4, UsageWindow.DAY
        assert [await one.desk.serve(pool) for _ in range(2)] == ["k1"] * 2
        own_redis.freeze()
        assert [await one.desk.serve(pool) for _ in range(3)] == ["k1", "k1", "k2"]
        own_redis.thaw()
        await one.comes_back()
        seen = (await one.desk.seen(pool)).keys
        assert [each.used for each in seen] == [4, 1]
        assert await one.desk.serve(pool) == "k2"


async def test_what_was_let_through_meanwhile_is_charged(own_redis: RedisServer) -> None:
    """Others may have had the server all the time, and know nothing of it."""
    pool, prefix = keys(1, Limits(requests=60, tokens=6000)), unique_prefix()
    async with replica(own_redis.url, prefix) as one, replica(own_redis.url, prefix) as other:
        own_redis.freeze()
        one.desk.model_limits, one.desk.traffic = Limits(requests=60), Traffic(rate=19)
        lease = await one.desk.take(pool, tokens=1000)
        await one.desk.ok(lease)
        own_redis.thaw()
        await one.comes_back()
        refused = await other.desk.refusal(pool)
        assert (refused.reason, refused.passed[0].label) == ("requests", "acme-01")
        assert 0.5 < refused.wait <= 1.02
        for limits in ({"model_limits": Limits(requests=60)}, {"traffic": Traffic(rate=19)}):
            refused = await replace(other.desk, **limits).refusal(keys(2)[1:])
            assert (refused.reason, refused.passed[0].label) == ("requests", "acme")
            assert 0 < refused.wait <= 3.3


async def test_who_waits_for_it_is_one_look_a_second(own_redis: RedisServer) -> None:
    """No stampede: while it is slow, requests do not ask it, and the connection is made once."""
    pool = keys(1)
    async with slow_proxy(own_redis.port) as proxy, replica(f"redis://127.0.0.1:{proxy.port}", unique_prefix()) as one:
        proxy.delay = 0.2
        await asyncio.gather(*(_served(one, pool) for _ in range(100)))
        before = proxy.pieces
        for _ in range(100):
            await _served(one, pool)
        assert proxy.pieces == before
        await one.looks.look()
        assert one.store.away is not None
        assert proxy.pieces - before <= 4, "a connection, and a question"


async def test_a_process_that_is_itself_late_does_not_blame_the_server(own_redis: RedisServer) -> None:
    pool = keys(1)
    async with replica(own_redis.url, unique_prefix()) as one:
        await one.desk.serve(pool)
        asking = asyncio.ensure_future(one.desk.ask(pool))
        for _ in range(4):  # until what was asked is on its way
            await asyncio.sleep(0)
        until = time.perf_counter() + 3 * DEADLINE
        while time.perf_counter() < until:
            pass
        _, admission = await asking
        assert admission.candidate is pool[0]
        assert one.store.away is None


async def test_who_starts_without_it_starts(own_redis: RedisServer) -> None:
    pool = keys(1)
    own_redis.kill()
    async with replica(own_redis.url, unique_prefix()) as one:
        assert one.store.away is not None
        assert await one.desk.serve(pool) == "k1"
        own_redis.start()
        await one.comes_back()
        assert (await one.desk.key(pool[0])).turns == 1
