"""A key is leased for one attempt and settled when the attempt ends, whatever ended it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ErrorKind, UpstreamFailure
from providers.keys import Key, KeyPool
from providers.secret import Secret
from providers.spec import KeySource
from tests.providers.support import Watcher, attempt, property_test


@dataclass
class Time:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def pool_of(count: int) -> tuple[KeyPool, Watcher, Time]:
    watcher, time = Watcher(), Time()
    sources = [KeySource(Secret(f"sk-{number}"), f"ACME_API_KEY_{number}") for number in range(1, count + 1)]
    return KeyPool("acme", sources, watcher, time), watcher, time


def test_keys_are_labelled_and_announced() -> None:
    pool, watcher, _ = pool_of(11)
    assert [key.label for key in pool.keys[:2]] == ["acme-01", "acme-02"]
    assert pool.keys[10].label == "acme-11"
    assert watcher.told == [("state", "acme", key.label, "ready") for key in pool.keys]
    assert "sk-" not in repr(pool.keys)


def test_the_least_busy_serves_next_and_among_those_the_longest_rested() -> None:
    pool, _, _ = pool_of(3)
    first, second, third = (pool.take() for _ in range(3))
    assert [first.label, second.label, third.label] == ["acme-01", "acme-02", "acme-03"]
    pool.give_back(third, attempt())
    assert pool.take() is third
    pool.give_back(second, attempt())
    pool.give_back(first, attempt())
    assert pool.take() is first
    assert pool.take() is second
    assert pool.take() is third


@property_test
@given(st.integers(1, 5), st.lists(st.integers(0, 20), max_size=30))
def test_leases_are_spread_evenly(keys: int, steps: list[int]) -> None:
    pool, _, _ = pool_of(keys)
    held: list[Key] = []
    for step in steps:
        if step % 3 and held:
            pool.give_back(held.pop(step % len(held)), attempt())
            continue
        least = min(key.in_flight for key in pool.keys)
        held.append(pool.take())
        assert held[-1].in_flight == least + 1
        assert sum(key.in_flight for key in pool.keys) == len(held)
    for key in held:
        pool.give_back(key, attempt())
    assert {key.in_flight for key in pool.keys} == {0}


async def test_a_lease_that_ends_well() -> None:
    pool, watcher, time = pool_of(1)
    watcher.told.clear()
    record = attempt()
    async with pool.lease(record) as key:
        assert (key.in_flight, record.key) == (1, "acme-01")
        assert watcher.told == [("began", "acme", "acme-01")]
        time.now = 107.5
    assert (key.in_flight, key.state) == (0, "ready")
    assert (record.outcome, record.reason, record.ended) == ("ok", "", 107.5)
    assert watcher.told[1:] == [("ended", "acme-01", "ok", "")]  # its state is as it was


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
    watcher.told.clear()
    record = attempt()
    with pytest.raises(UpstreamFailure) as raised:
        async with pool.lease(record):
            raise UpstreamFailure(kind, "no")
    failure = raised.value
    assert (failure.provider, failure.key_label, failure.key_variable) == ("acme", "acme-01", "ACME_API_KEY_1")
    assert (pool.keys[0].in_flight, pool.keys[0].state) == (0, state)
    assert (record.outcome, record.reason) == ("failed", kind.value)
    changed = [] if state == "ready" else [("state", "acme", "acme-01", state)]
    assert watcher.told[1:] == [*changed, ("ended", "acme-01", "failed", kind.value)]


async def test_a_key_recovers_by_serving() -> None:
    pool, watcher, _ = pool_of(1)
    with pytest.raises(UpstreamFailure):
        async with pool.lease(attempt()):
            raise UpstreamFailure(ErrorKind.RATE_LIMITED, "slow down")
    assert pool.keys[0].state == "limited"
    async with pool.lease(attempt()):
        pass
    assert pool.keys[0].state == "ready"
    assert ("state", "acme", "acme-01", "ready") in watcher.told[2:]


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError(), GeneratorExit(), KeyboardInterrupt(), ZeroDivisionError(), SystemExit(1)]
)
async def test_a_lease_that_is_abandoned_leaves_the_key_as_it_was(error: BaseException) -> None:
    pool, watcher, _ = pool_of(1)
    pool.keys[0].state = "limited"
    watcher.told.clear()
    record = attempt()
    with pytest.raises(type(error)):
        async with pool.lease(record):
            raise error
    assert (pool.keys[0].in_flight, pool.keys[0].state) == (0, "limited")
    assert (record.outcome, record.reason) == ("abandoned", "")
    assert watcher.told == [("began", "acme", "acme-01"), ("ended", "acme-01", "abandoned", "")]


async def test_a_cancelled_task_gives_its_key_back() -> None:
    pool, _, _ = pool_of(1)
    entered = asyncio.Event()

    async def hold() -> None:
        async with pool.lease(attempt()):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(hold())
    await asyncio.wait_for(entered.wait(), 10)
    assert pool.keys[0].in_flight == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.keys[0].in_flight == 0


async def test_an_empty_pool_has_no_key_and_no_attempt() -> None:
    pool, watcher, _ = pool_of(0)
    with pytest.raises(UpstreamFailure) as raised:
        async with pool.lease(attempt()):
            raise AssertionError("entered without a key")
    assert (raised.value.kind, raised.value.provider) == (ErrorKind.NO_KEY, "acme")
    assert watcher.told == []


async def test_leaving_a_lease_that_was_never_entered_does_nothing() -> None:
    pool, watcher, _ = pool_of(1)
    await pool.lease(attempt()).__aexit__(None, None, None)
    assert pool.keys[0].in_flight == 0
    assert not any(told[0] == "ended" for told in watcher.told)


async def test_a_provider_without_keys_is_leased_too() -> None:
    watcher = Watcher()
    pool = KeyPool.keyless("ollama", watcher, Time())
    async with pool.lease(attempt()) as key:
        assert (key.label, key.secret, key.in_flight) == ("ollama", None, 1)
    assert key.in_flight == 0
    assert watcher.told[-1] == ("ended", "ollama", "ok", "")


def test_a_provider_without_keys_is_announced_like_any_other() -> None:
    watcher = Watcher()
    KeyPool.keyless("ollama", watcher, Time())
    assert watcher.told == [("state", "ollama", "ollama", "ready")]
