"""Whatever upstreams do to calls, and wherever a call is left: one good key is enough, and nothing stays behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state.memory import MemoryStore
from providers.errors import ErrorKind, UpstreamFailure
from providers.spec import KeyOrder, Limits, Retries, Rotation, Timeouts, Traffic
from tests.providers.scripted import ANSWER, OK, SILENT, STREAM, DistantStore, Outcome, Stage, broken, stage, status
from tests.providers.support import StoreFactory, property_test
from tests.virtual import VirtualLoop, turns, virtual

LONG = Outcome(between=1.0)
FAULTS = [
    *(status(code) for code in (401, 402, 403, 429, 500, 503, 529)),
    status(429, retry_after="3"),
    status(200).after(0.5),
    *(broken(kind) for kind in (ErrorKind.CUT, ErrorKind.UNREACHABLE, ErrorKind.DISCONNECTED, ErrorKind.MALFORMED)),
    Outcome(parts=()),
    Outcome(parts=tuple(STREAM[:2])),
    Outcome(parts=tuple(STREAM[:2]), hangs=True),
    Outcome(parts=(b"<html>",)),
    SILENT,
]
KEYS = ["k1", "k2", "k3", "k4", "k5", "k6"]
STORES = [MemoryStore, DistantStore]


@property_test
@given(
    st.lists(st.lists(st.sampled_from(FAULTS), min_size=1, max_size=4), max_size=5),
    st.integers(0, 5),
    st.sampled_from(KeyOrder),
    st.sampled_from(STORES),
    st.floats(0, 1),
)
def test_with_one_healthy_key_anywhere_the_answer_comes(
    faults: list[list[Outcome]], healthy: int, order: KeyOrder, stores: StoreFactory, chance: float
) -> None:
    scripts: list[list[Outcome]] = [*faults[:healthy], [OK], *faults[healthy:]]
    outcomes = dict(zip(KEYS, scripts, strict=False))

    async def call() -> None:
        changes: dict[str, Any] = {"rotation": Rotation(order=order), "timeouts": Timeouts(first_token=10.0, read=20.0)}
        async with stage(outcomes, chance, stores, **changes) as made:
            assert await made.ask() == ANSWER
            assert await made.ask(stream=False) == ANSWER

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(call())


@property_test
@given(
    st.lists(st.sampled_from([each for each in FAULTS if each.before == 0.0]), min_size=1, max_size=5),
    st.booleans(),
    st.integers(0, 3),
)
def test_no_call_ends_while_a_key_is_left_that_could_be_asked(faults: list[Outcome], last: bool, most: int) -> None:
    async def call() -> None:
        outcomes = {key: [fault] for key, fault in zip(KEYS, faults, strict=False)}
        changes: dict[str, Any] = {"retries": Retries(most=most), "timeouts": Timeouts(first_token=10.0)}
        async with stage(outcomes, **changes) as made:
            await made.failure(last=last)
            assert {key for _, key in made.story} == set(outcomes)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(call())


# Seconds after which a call is cancelled; below 0, turns of the loop.
LEAVING = [
    *(-float(count) for count in range(1, 13)),
    0.0,
    0.001,
    0.999,
    1.0,
    1.5,
    2.0,
    2.001,
    3.999,
    4.0,
    4.001,
    5.0,
    8.0,
    8.001,
    9.0,
]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("traffic", [Traffic(), Traffic(concurrency=1), Traffic(concurrency=1, rate=30)])
@pytest.mark.parametrize("stores", STORES)
@pytest.mark.parametrize("leaves", LEAVING)
@virtual
async def test_a_call_that_is_cancelled_leaves_nothing_behind(
    leaves: float, stores: StoreFactory, traffic: Traffic, stream: bool
) -> None:
    """The stage checks it. The call meets a slow failure, a backoff, a limit, a slow answer, and another call."""
    first = [status(503).after(1.0), status(429, retry_after="3").after(1.0), LONG.after(1.0)]
    async with stage({"k1": first}, stores=stores, traffic=traffic) as made:
        task, other = (asyncio.ensure_future(made.ask(stream=stream)) for _ in range(2))
        await (turns(-int(leaves)) if leaves < 0 else asyncio.sleep(leaves))
        task.cancel()
        await asyncio.wait([task])
        assert await other == ANSWER
        assert await made.ask() == ANSWER


TRAFFICS = [Traffic(), Traffic(concurrency=2), Traffic(rate=20), Traffic(rate=20, concurrency=1, queue_limit=3)]


@property_test
@given(
    st.lists(st.lists(st.sampled_from([*FAULTS, OK, LONG]), min_size=1, max_size=4), min_size=1, max_size=4),
    st.lists(st.tuples(st.floats(0, 20), st.none() | st.floats(0, 60), st.booleans(), st.booleans()), max_size=8),
    st.sampled_from(TRAFFICS),
    st.sampled_from(KeyOrder),
    st.sampled_from([Limits(), Limits(concurrency=1), Limits(requests=30)]),
    st.integers(0, 2),
    st.sampled_from(STORES),
)
def test_whatever_becomes_of_many_calls_nothing_stays_behind(
    faults: list[list[Outcome]],
    calls: list[tuple[float, float | None, bool, bool]],
    traffic: Traffic,
    order: KeyOrder,
    limits: Limits,
    usage: int,
    stores: StoreFactory,
) -> None:
    """A call comes after so many seconds and is perhaps cancelled; it is the last target's or not, streamed or not."""
    outcomes = dict(zip(KEYS, faults, strict=False))
    rotation = Rotation(order=order, usage_limit=usage)

    async def one(made: Stage, comes: float, leaves: float | None, last: bool, stream: bool) -> None:
        await asyncio.sleep(comes)
        try:
            async with asyncio.timeout(leaves):
                assert await made.ask(stream=stream, last=last, session="s") == ANSWER
        except (UpstreamFailure, TimeoutError):
            pass

    async def all_of_them() -> None:
        changes: dict[str, Any] = {"traffic": traffic, "rotation": rotation, "limits": limits}
        async with stage(outcomes, 0.5, stores, timeouts=Timeouts(first_token=10.0), **changes) as made:
            await asyncio.gather(*(one(made, *each) for each in calls))
            assert len(made.live.trail.attempts) == len(made.story)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(all_of_them())
