"""One call at one provider on virtual time: what is sent when, with which key, and what comes of it."""

from __future__ import annotations

import asyncio

import pytest

from gateway.state.memory import MemoryStore
from providers.errors import ErrorKind
from providers.spec import KeyOrder, Retries, Rotation, Timeouts, Traffic, UsageWindow
from tests.providers.scripted import ANSWER, OK, SILENT, STREAM, DistantStore, Outcome, broken, good, stage, status
from tests.providers.support import StoreFactory
from tests.virtual import now, turns, virtual

BOTH = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
FAST = Timeouts(first_token=20.0)
HALF_AN_HOUR = 1800.0
LONG = Outcome(between=1.0)
SECONDS = len(STREAM) - 1.0  # that it takes


# Another key


@BOTH
@pytest.mark.parametrize("code", [401, 402, 403, 429, 500, 503, 529])
@virtual
async def test_another_key_costs_no_time(code: int, stream: bool) -> None:
    async with stage({"k1": [status(code)], "k2": [OK]}) as made:
        assert await made.ask(stream=stream) == ANSWER
        assert made.story == [(0.0, "k1"), (0.0, "k2")]
        assert [each.outcome for each in made.live.trail.attempts] == ["failed", "ok"]


@BOTH
@virtual
async def test_one_good_key_among_many_refused_and_limited_ones_is_found_at_once(stream: bool) -> None:
    outcomes = {f"k{number:02}": [status((401, 402, 403, 429)[number % 4])] for number in range(30)}
    async with stage({**outcomes, "last": [OK]}) as made:
        assert await made.ask(stream=stream) == ANSWER
        assert len(made.story) == 31
        assert now() == 0.0
        assert await made.ask(stream=stream) == ANSWER
        assert made.story[31:] == [(0.0, "last")]


@pytest.mark.parametrize("code", [400, 404, 413, 422])
@virtual
async def test_a_fault_of_the_request_is_tried_once(code: int) -> None:
    async with stage({"k1": [status(code)], "k2": [OK]}) as made:
        assert (await made.failure()).status == code
        assert len(made.story) == 1
        assert set((await made.live.pool.states()).values()) == {"ready"}


@virtual
async def test_two_hundred_calls_at_once_over_three_bad_and_two_good_keys() -> None:
    bad = {"k1": [status(401)], "k2": [status(401).after(0.3)], "k3": [status(429, retry_after="60").after(0.1)]}
    async with stage({**bad, "k4": [OK.after(1.0)], "k5": [OK.after(2.0)]}) as made:
        answers = await asyncio.gather(*(made.ask(stream=number % 2 == 0) for number in range(200)))
        assert answers == [ANSWER] * 200
        states = await made.live.pool.states()
        assert states == {"k1": "refused", "k2": "refused", "k3": "limited", "k4": "ready", "k5": "ready"}
        assert now() == 2.4  # past all three bad keys, to the slower good one
        seen = await made.live.pool.snapshot()
        assert [round(rest.seconds, -2) for key in seen.keys[:2] for rest in key.rests] == [HALF_AN_HOUR] * 2


@virtual
async def test_a_refused_key_is_asked_again_by_one_call_when_its_rest_is_over() -> None:
    async with stage({"k1": [status(401), OK.after(1.0)], "k2": [OK]}) as made:
        await made.ask()
        await asyncio.sleep(HALF_AN_HOUR + 1.0)
        asked = len(made.story)
        assert await asyncio.gather(*(made.ask() for _ in range(10))) == [ANSWER] * 10
        assert sorted(key for _, key in made.story[asked:]) == ["k1"] + ["k2"] * 9
        assert (await made.live.pool.states())["k1"] == "ready"


# All keys rest


@BOTH
@virtual
async def test_the_earliest_reset_is_waited_for(stream: bool) -> None:
    async with stage({"k1": [status(429, retry_after="9"), OK], "k2": [status(429, retry_after="5"), OK]}) as made:
        assert await made.ask(stream=stream) == ANSWER
        assert made.story == [(0.0, "k1"), (0.0, "k2"), (5.0, "k2")]


@BOTH
@virtual
async def test_a_reset_that_is_too_far_away_is_told(stream: bool) -> None:
    outcomes = {"k1": [status(429, "slow down", retry_after="50")], "k2": [status(429, "slow", retry_after="40")]}
    async with stage(outcomes, chance=1.0) as made:
        heard = await made.failure(stream=stream)
        assert (heard.kind, heard.retry_after, now()) == (ErrorKind.RATE_LIMITED, 44, 0.0)  # jitter is added
        again = await made.failure(stream=stream)
        assert (again.kind, again.retry_after, len(made.story)) == (ErrorKind.RATE_LIMITED, 44, 2)
        await asyncio.sleep(20.0)
        assert (await made.failure(stream=stream, last=False)).retry_after == 24


@virtual
async def test_a_key_that_is_woken_ends_the_wait() -> None:
    async with stage({"k1": [status(429, retry_after="20"), OK]}) as made:
        asking = asyncio.ensure_future(made.ask())
        await asyncio.sleep(3.0)
        await made.live.pool.wake_all()
        assert await asking == ANSWER
        assert made.story == [(0.0, "k1"), (3.0, "k1")]


@virtual
async def test_waits_for_limits_are_bounded_together() -> None:
    async with stage({"k1": [status(429, retry_after="12")]}) as made:
        assert (await made.failure()).retry_after == 12
        assert made.story == [(0.0, "k1"), (12.0, "k1"), (24.0, "k1")]


@virtual
async def test_before_another_target_no_limit_is_waited_for() -> None:
    async with stage({"k1": [status(429, retry_after="1")]}) as made:
        assert (await made.failure(last=False)).retry_after == 1
        assert now() == 0.0


@virtual
async def test_a_refused_key_is_named_with_its_setting_by_later_calls_too() -> None:
    async with stage({"k1": [status(401, "no such key")]}) as made:
        first, later = await made.failure(), await made.failure()
        assert first.words == "no such key"
        assert "is not asked again for" in later.words
        for heard in (first, later):
            assert (heard.kind, heard.key_label, heard.key_variable) == (ErrorKind.KEY_REFUSED, "k1", "ACME_K1")
        assert len(made.story) == 1


@virtual
async def test_when_all_keys_are_refused_alike_a_setting_is_still_named() -> None:
    async with stage({"k1": [status(401)], "k2": [status(401)]}) as made:
        await made.failure(last=False)
        heard = await made.failure(last=False)
        assert (heard.kind, heard.key_variable, len(made.story)) == (ErrorKind.KEY_REFUSED, "ACME_K1", 2)


# Backoff, deadline, budget


@BOTH
@virtual
async def test_a_server_error_is_repeated_with_doubling_waits_until_the_deadline(stream: bool) -> None:
    async with stage({"k1": [status(503)]}) as made:
        heard = await made.failure(stream=stream)
        assert (heard.kind, heard.status) == (ErrorKind.SERVER_ERROR, 503)
        assert [at for at, _ in made.story] == [0.0, 2.0, 6.0, 14.0, 30.0, 62.0, 126.0]
        assert now() == 126.0  # the next repeat would be past the deadline


@virtual
async def test_the_deadline_bounds_the_repeats() -> None:
    async with stage({"k1": [status(503)]}) as made:
        await made.failure(deadline=10.0)
        assert [at for at, _ in made.story] == [0.0, 2.0, 6.0]


@virtual
async def test_an_honest_retry_after_is_waited_for() -> None:
    async with stage({"k1": [status(503, retry_after="7"), OK]}, chance=1.0) as made:
        assert await made.ask() == ANSWER
        assert made.story == [(0.0, "k1"), (8.75, "k1")]


@pytest.mark.parametrize("kind", [ErrorKind.CUT, ErrorKind.UNREACHABLE, ErrorKind.MALFORMED])
@virtual
async def test_a_broken_connection_is_repeated_after_a_wait(kind: ErrorKind) -> None:
    async with stage({"k1": [broken(kind), broken(kind), OK]}) as made:
        assert await made.ask() == ANSWER
        assert [at for at, _ in made.story] == [0.0, 2.0, 6.0]


@virtual
async def test_a_lost_connection_is_repeated_at_once_and_only_once() -> None:
    async with stage({"k1": [broken(ErrorKind.DISCONNECTED), broken(ErrorKind.DISCONNECTED), OK]}) as made:
        assert await made.ask() == ANSWER
        assert [at for at, _ in made.story] == [0.0, 0.0, 4.0]


@virtual
async def test_the_budget_bounds_the_repeats_of_all_calls() -> None:
    async with stage({"k1": [status(503)]}, retries=Retries(most=2, base_delay=1.0)) as made:
        attempts = []
        for _ in range(3):
            before = len(made.story)
            await made.failure()
            attempts.append(len(made.story) - before)
        assert attempts == [3, 1, 1]
        await made.live.pool.wake_all()
        await asyncio.sleep(60.0)
        await made.failure()
        assert len(made.story) == 8


@virtual
async def test_a_tenth_of_failing_attempts_reaches_no_client() -> None:
    outcomes = [status(503) if number % 10 == 3 else OK for number in range(300)]
    async with stage({"k1": outcomes}, retries=Retries(most=1, base_delay=0.1)) as made:
        for _ in range(200):
            assert await made.ask() == ANSWER
            await asyncio.sleep(0.1)


# The first content


@virtual
async def test_the_first_token_has_its_own_limit_while_another_key_is_left() -> None:
    async with stage({"k1": [SILENT], "k2": [OK.after(150.0)]}, timeouts=FAST) as made:
        assert await made.ask() == ANSWER
        assert made.story == [(0.0, "k1"), (20.0, "k2")]
        assert now() == 170.0


@virtual
async def test_an_answer_that_comes_whole_has_the_time_between_two_reads() -> None:
    async with stage({"k1": [SILENT], "k2": [OK.after(50.0)]}, timeouts=FAST) as made:
        assert await made.ask(stream=False) == ANSWER
        assert made.story == [(0.0, "k1"), (180.0, "k2")]


@virtual
async def test_the_last_key_has_until_the_deadline() -> None:
    async with stage({"k1": [SILENT]}, timeouts=FAST) as made:
        heard = await made.failure()
        assert (heard.kind, now()) == (ErrorKind.FIRST_TOKEN_TIMEOUT, 240.0)
        assert "REQUEST_DEADLINE" in heard.words
    async with stage({"k1": [OK.after(239.0)]}, timeouts=FAST) as made:
        assert await made.ask() == ANSWER


@virtual
async def test_before_another_target_the_last_key_has_no_longer_than_the_others() -> None:
    async with stage({"k1": [SILENT], "k2": [SILENT]}, timeouts=FAST) as made:
        heard = await made.failure(last=False)
        assert (heard.kind, now()) == (ErrorKind.FIRST_TOKEN_TIMEOUT, 40.0)
        assert "FIRST_TOKEN_TIMEOUT" in heard.words


@virtual
async def test_content_that_comes_in_time_may_take_its_time_to_end() -> None:
    async with stage({"k1": [Outcome(between=4.0)], "k2": [OK]}, timeouts=FAST) as made:
        assert await made.ask(deadline=15.0) == ANSWER
        assert now() == 4.0 * SECONDS
        assert len(made.story) == 1


@virtual
async def test_a_stream_that_fails_after_content_is_not_repeated() -> None:
    async with stage({"k1": [Outcome(parts=tuple(STREAM[:4]), between=1.0)], "k2": [OK]}) as made:
        assert (await made.failure()).kind is ErrorKind.CUT
        assert len(made.story) == 1
        assert made.live.record.reason == "cut"


# Limits that a good answer tells


@virtual
async def test_a_key_that_says_it_is_used_up_is_left_alone_until_its_reset() -> None:
    spent = good(x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="20s")
    async with stage({"k1": [spent, OK], "k2": [OK]}) as made:
        for _ in range(4):
            assert await made.ask(session="s") == ANSWER
        await asyncio.sleep(20.0)
        assert await made.ask(session="s") == ANSWER
        assert [key for _, key in made.story] == ["k1", "k2", "k2", "k2", "k1"]


@virtual
async def test_the_last_key_that_says_so_is_waited_for() -> None:
    spent = good(x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="20s")
    async with stage({"k1": [spent, OK]}) as made:
        await asyncio.gather(made.ask(), made.ask(stream=False))
        await made.ask()
        assert [at for at, _ in made.story] == [0.0, 0.0, 20.0]


# Once


@BOTH
@virtual
async def test_once_is_one_attempt_and_never_waits(stream: bool) -> None:
    async with stage({"k1": [status(429, retry_after="1")], "k2": [status(503)]}) as made:
        assert (await made.failure(once=True, stream=stream)).kind is ErrorKind.RATE_LIMITED
        assert (await made.failure(once=True, stream=stream)).kind is ErrorKind.SERVER_ERROR
        assert (now(), len(made.story)) == (0.0, 2)


@pytest.mark.parametrize("stores", [MemoryStore, DistantStore])
@virtual
async def test_once_does_not_wait_for_a_key_or_a_slot(stores: StoreFactory) -> None:
    async with stage({"k1": [status(401)]}, stores=stores) as made:
        await made.failure(once=True)
        assert (await made.failure(once=True)).kind is ErrorKind.KEY_REFUSED
    async with stage({"k1": [LONG]}, stores=stores, traffic=Traffic(concurrency=1)) as made:
        first = asyncio.ensure_future(made.ask())
        await asyncio.sleep(0.5)
        assert (await made.failure(once=True)).kind is ErrorKind.RATE_LIMITED
        assert await first == ANSWER
        assert len(made.story) == 1
        assert await made.ask(once=True) == ANSWER


# Affinity and usage


@virtual
async def test_a_session_comes_back_to_its_key() -> None:
    async with stage({"k1": [OK], "k2": [OK], "k3": [OK]}) as made:
        for session in ("a", "b", "a", "b", "", "a", "b"):
            await made.ask(session=session)
            await asyncio.sleep(1.0)
        assert [key for _, key in made.story] == ["k1", "k2", "k1", "k2", "k3", "k1", "k2"]


@virtual
async def test_health_beats_affinity_and_a_substitute_does_not_replace_the_key() -> None:
    async with stage({"k1": [OK, status(429, retry_after="9"), OK], "k2": [OK]}) as made:
        for _ in range(3):
            assert await made.ask(session="a") == ANSWER
            await asyncio.sleep(1.0)
        await asyncio.sleep(9.0)
        assert await made.ask(session="a") == ANSWER
        assert [key for _, key in made.story] == ["k1", "k1", "k2", "k2", "k1"]


@virtual
async def test_a_cold_cache_binds_nobody() -> None:
    rotation = Rotation(affinity=60.0)
    async with stage({"k1": [OK], "k2": [OK]}, rotation=rotation) as made:
        await made.ask(session="a")
        await asyncio.sleep(61.0)
        await made.ask(session="a")
        assert [key for _, key in made.story] == ["k1", "k2"]


def sticky(limit: int, window: UsageWindow = UsageWindow.ROUND) -> Rotation:
    return Rotation(order=KeyOrder.STICKY, usage_limit=limit, usage_window=window)


@virtual
async def test_a_usage_limit_moves_on_after_so_many_successes_and_starts_again() -> None:
    async with stage({"k1": [OK, status(500), OK], "k2": [OK], "k3": [OK]}, rotation=sticky(2)) as made:
        for _ in range(9):
            assert await made.ask() == ANSWER
        served = [each.key for each in made.live.trail.attempts if each.outcome == "ok"]
        # the failure moved one call on; what k1 has left comes in its turn
        assert sorted(served[:6]) == ["k1"] * 2 + ["k2"] * 2 + ["k3"] * 2
        assert len(served) == 9


@virtual
async def test_a_days_usage_is_not_exceeded() -> None:
    async with stage({"k1": [OK], "k2": [OK]}, rotation=sticky(2, UsageWindow.DAY)) as made:
        for _ in range(4):
            assert await made.ask() == ANSWER
        assert [key for _, key in made.story] == ["k1", "k1", "k2", "k2"]
        heard = await made.failure()
        assert heard.kind is ErrorKind.RATE_LIMITED
        assert 0 < (heard.retry_after or 0) <= 86400
        assert set((await made.live.pool.states()).values()) == {"spent"}
        await asyncio.sleep(heard.retry_after or 0)
        assert await made.ask() == ANSWER


# Slots and the queue


@virtual
async def test_a_slot_is_held_for_the_stream() -> None:
    async with stage({"k1": [LONG], "k2": [LONG]}, traffic=Traffic(concurrency=1)) as made:
        assert await asyncio.gather(*(made.ask() for _ in range(2))) == [ANSWER] * 2
        assert made.story == [(0.0, "k1"), (SECONDS, "k2")]


@virtual
async def test_nothing_is_held_while_a_call_backs_off() -> None:
    async with stage({"k1": [status(503), LONG]}, traffic=Traffic(concurrency=1)) as made:
        first = asyncio.ensure_future(made.ask())
        await asyncio.sleep(0.5)
        assert made.live.in_flight == 0
        assert await made.ask(stream=False) == ANSWER
        assert await first == ANSWER
        assert made.story == [(0.0, "k1"), (0.5, "k1"), (0.5 + SECONDS, "k1")]


@virtual
async def test_every_attempt_takes_a_token_of_the_window() -> None:
    async with stage({"k1": [status(401)], "k2": [OK]}, traffic=Traffic(rate=10, window=10.0)) as made:
        assert await made.ask() == ANSWER
        assert [at for at, _ in made.story] == [0.0, pytest.approx(1.0, abs=0.1)]


@virtual
async def test_a_call_that_waits_too_long_for_its_turn_is_told_when_to_come_back() -> None:
    slow = Outcome(between=20.0)
    async with stage({"k1": [slow]}, traffic=Traffic(concurrency=1, rate=2, window=60.0)) as made:
        first = asyncio.ensure_future(made.ask())
        await turns()
        second, third = await asyncio.gather(made.failure(), made.failure())
        assert now() == 30.0
        for heard in (second, third):
            assert heard.kind is ErrorKind.RATE_LIMITED
            assert "QUEUE_MAX_WAIT" in heard.words
            assert 30 <= (heard.retry_after or 0) <= 60
        assert await first == ANSWER
        assert len(made.story) == 1


@virtual
async def test_a_full_queue_is_a_429_at_once() -> None:
    async with stage({"k1": [LONG]}, traffic=Traffic(concurrency=1, queue_limit=1)) as made:
        served = [asyncio.ensure_future(made.ask()) for _ in range(2)]
        await turns()
        heard = await made.failure()
        assert (heard.kind, now()) == (ErrorKind.RATE_LIMITED, 0.0)
        assert "QUEUE_LIMIT" in heard.words
        assert (heard.retry_after or 0) >= 1
        assert await asyncio.gather(*served) == [ANSWER] * 2


@pytest.mark.parametrize("fault", [status(503), status(429, retry_after="5")])
@virtual
async def test_sleepers_have_places_in_the_queue_and_one_too_many_is_a_429(fault: Outcome) -> None:
    async with stage({"k1": [fault, fault, fault, OK]}, traffic=Traffic(queue_limit=2)) as made:
        sleepers = [asyncio.ensure_future(made.ask()) for _ in range(2)]
        await turns()
        assert made.live.provider.gate.waiting == 2
        heard = await made.failure()
        assert (heard.kind, now()) == (ErrorKind.RATE_LIMITED, 0.0)
        assert "QUEUE_LIMIT" in heard.words
        assert await asyncio.gather(*sleepers) == [ANSWER] * 2


@virtual
async def test_a_key_that_comes_to_rest_while_its_call_waits_for_a_slot_is_not_asked() -> None:
    rotation = Rotation(order=KeyOrder.STICKY)
    outcomes = {"k1": [status(401).after(5.0)], "k2": [OK]}
    async with stage(outcomes, rotation=rotation, traffic=Traffic(concurrency=1)) as made:
        assert await asyncio.gather(*(made.ask() for _ in range(2))) == [ANSWER] * 2
        assert made.story == [(0.0, "k1"), (5.0, "k2"), (5.0, "k2")]
