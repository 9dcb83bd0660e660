"""A key is leased for one attempt and settled when the attempt ends, whatever ended it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state.memory import MemoryStore
from providers.errors import ErrorKind, UpstreamFailure
from providers.keys import Key, KeyPool, Lease, NoneFits, Wish
from providers.ports import Attempt
from providers.secret import Secret
from providers.spec import KeySource, ProviderConfig
from tests.moments import Moments
from tests.providers.support import SPEC, Watcher, config, property_test

MODEL = "m"
WISH = Wish(MODEL)
A_DAY = 86400.0  # seconds


def pool_of(count: int, **changes: Any) -> tuple[KeyPool, Watcher, Moments]:
    sources = tuple(KeySource(Secret(f"sk-{number}"), f"ACME_API_KEY_{number}") for number in range(1, count + 1))
    return pool(config("http://127.0.0.1:9", keys=sources, **changes))


def pool(configured: ProviderConfig) -> tuple[KeyPool, Watcher, Moments]:
    watcher, moments = Watcher(), Moments(frozen=True)
    store = MemoryStore(moments.clock, moments.wall)
    return KeyPool(configured, store, watcher, moments.time()), watcher, moments


def attempt() -> Attempt:
    return Attempt("req_1", "acme", MODEL, "", 0.0)


async def enter(pool: KeyPool) -> tuple[Key, Lease]:
    lease = pool.lease(WISH)
    await lease.__aenter__()
    return lease.key, lease


async def leave(lease: Lease) -> None:
    await lease.__aexit__(None, None, None)


async def lose(pool: KeyPool, error: BaseException, record: Attempt) -> None:
    """An attempt that ends so."""
    async with pool.lease(WISH) as lease:
        lease.begin(record)
        raise error


async def fail(pool: KeyPool, kind: ErrorKind, record: Attempt | None = None) -> UpstreamFailure:
    with pytest.raises(UpstreamFailure) as raised:
        await lose(pool, UpstreamFailure(kind, "no"), record or attempt())
    return raised.value


async def test_keys_are_labelled_and_ready() -> None:
    pool, watcher, _ = pool_of(11)
    assert [key.label for key in pool.keys[:2]] == ["acme-01", "acme-02"]
    assert pool.keys[10].label == "acme-11"
    assert await pool.states() == {key.label: "ready" for key in pool.keys}
    assert watcher.told == []
    assert "sk-" not in repr(pool.keys)


async def test_the_least_busy_serves_next_and_among_those_the_longest_rested() -> None:
    pool, _, moments = pool_of(3)
    leases = []
    for label in ("acme-01", "acme-02", "acme-03"):
        moments.ahead += 1
        key, lease = await enter(pool)
        assert key.label == label
        leases.append(lease)
    first, second, third = leases
    await leave(third)
    moments.ahead += 1
    key, third = await enter(pool)
    assert key.label == "acme-03"
    for lease in (second, first, third):
        await leave(lease)
    for label in ("acme-01", "acme-02", "acme-03"):
        moments.ahead += 1
        assert (await enter(pool))[0].label == label


async def take_and_leave(pool: KeyPool, steps: list[int]) -> None:
    held: list[Lease] = []
    for step in steps:
        if step % 3 and held:
            await leave(held.pop(step % len(held)))
            continue
        least = min(key.in_flight for key in pool.keys)
        key, lease = await enter(pool)
        held.append(lease)
        assert key.in_flight == least + 1
        assert sum(key.in_flight for key in pool.keys) == len(held)
    for lease in held:
        await leave(lease)
    assert {key.in_flight for key in pool.keys} == {0}


@property_test
@given(st.integers(1, 5), st.lists(st.integers(0, 20), max_size=30))
def test_leases_are_spread_evenly(keys: int, steps: list[int]) -> None:
    asyncio.run(take_and_leave(pool_of(keys)[0], steps))


async def test_a_lease_that_ends_well() -> None:
    pool, watcher, moments = pool_of(1)
    record = attempt()
    async with pool.lease(WISH) as lease:
        assert watcher.told == []
        lease.begin(record)
        assert (lease.key.in_flight, record.key) == (1, "acme-01")
        assert watcher.told == [("began", "acme", "acme-01")]
        moments.ahead = 7.5
    assert lease.key.in_flight == 0
    assert await pool.states() == {"acme-01": "ready"}
    assert (record.outcome, record.reason, record.ended) == ("ok", "", moments.clock())
    assert watcher.told[1:] == [("ended", "acme-01", "ok", "")]


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (ErrorKind.KEY_REFUSED, "refused"),
        (ErrorKind.KEY_UNPAID, "refused"),
        (ErrorKind.RATE_LIMITED, "limited"),
        (ErrorKind.INVALID_REQUEST, "ready"),
        (ErrorKind.CUT, "ready"),
    ],
)
async def test_a_lease_that_fails_marks_the_key_and_names_it(kind: ErrorKind, state: str) -> None:
    pool, watcher, _ = pool_of(2)
    record = attempt()
    failure = await fail(pool, kind, record)
    assert (failure.provider, failure.key_label, failure.key_variable) == ("acme", "acme-01", "ACME_API_KEY_1")
    assert pool.keys[0].in_flight == 0
    assert await pool.states() == {"acme-01": state, "acme-02": "ready"}
    assert (record.outcome, record.reason) == ("failed", kind.value)
    assert watcher.told[1:] == [("ended", "acme-01", "failed", kind.value)]


@pytest.mark.parametrize("kind", [ErrorKind.RATE_LIMITED, ErrorKind.KEY_REFUSED, ErrorKind.KEY_WINDOW])
async def test_a_key_that_rests_is_not_leased_and_recovers_by_serving(kind: ErrorKind) -> None:
    pool, _, moments = pool_of(1)
    await fail(pool, kind)
    with pytest.raises(NoneFits) as refused:
        await enter(pool)
    assert refused.value.admission.reason == kind
    assert refused.value.admission.wait > 0
    moments.ahead += A_DAY
    async with pool.lease(WISH) as lease:
        lease.begin(attempt())
    assert await pool.states() == {"acme-01": "ready"}


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError(), GeneratorExit(), KeyboardInterrupt(), ZeroDivisionError(), SystemExit(1)]
)
async def test_a_lease_that_is_abandoned_leaves_the_key_as_it_was(error: BaseException) -> None:
    pool, watcher, moments = pool_of(1)
    await fail(pool, ErrorKind.KEY_REFUSED)
    moments.ahead += A_DAY
    before = await pool.snapshot()
    watcher.told.clear()
    record = attempt()
    with pytest.raises(type(error)):
        await lose(pool, error, record)
    after = await pool.snapshot()
    assert replace(after.keys[0], turns=0) == replace(before.keys[0], turns=0)
    assert await pool.states() == {"acme-01": "refused"}  # until an attempt has found out
    assert (record.outcome, record.reason) == ("abandoned", "")
    assert watcher.told == [("began", "acme", "acme-01"), ("ended", "acme-01", "abandoned", "")]


async def test_a_cancelled_task_gives_its_key_back() -> None:
    pool, _, _ = pool_of(1)
    entered = asyncio.Event()

    async def hold() -> None:
        async with pool.lease(WISH):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(hold())
    await asyncio.wait_for(entered.wait(), 10)
    assert pool.keys[0].in_flight == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.keys[0].in_flight == 0


async def test_a_lease_that_got_no_key_settles_nothing() -> None:
    pool, watcher, _ = pool_of(1)
    await fail(pool, ErrorKind.KEY_REFUSED)
    watcher.told.clear()
    async with AsyncExitStack() as stack:
        lease = pool.lease(WISH)
        stack.push_async_exit(lease)
        with pytest.raises(NoneFits):
            await lease.__aenter__()
    assert pool.keys[0].in_flight == 0
    assert watcher.told == []


async def test_leaving_a_lease_that_was_never_entered_does_nothing() -> None:
    pool, watcher, _ = pool_of(1)
    await leave(pool.lease(WISH))
    assert pool.keys[0].in_flight == 0
    assert watcher.told == []


async def test_a_provider_without_keys_is_leased_too() -> None:
    pool_, watcher, _ = pool(config("http://127.0.0.1:9", keys=(), spec=replace(SPEC, id="ollama", local=True)))
    assert await pool_.states() == {"ollama": "ready"}
    async with pool_.lease(WISH) as lease:
        lease.begin(attempt())
        assert (lease.key.label, lease.key.secret, lease.key.in_flight) == ("ollama", None, 1)
    assert lease.key.in_flight == 0
    assert watcher.told[-1] == ("ended", "ollama", "ok", "")


async def test_a_persons_rest_and_wake() -> None:
    pool, _, _ = pool_of(2)
    await fail(pool, ErrorKind.KEY_REFUSED)
    await pool.wake(pool.keys[0])
    assert await pool.states() == {"acme-01": "ready", "acme-02": "ready"}
    await fail(pool, ErrorKind.KEY_REFUSED)
    await fail(pool, ErrorKind.KEY_REFUSED)
    await pool.wake_all()
    assert await pool.states() == {"acme-01": "ready", "acme-02": "ready"}
