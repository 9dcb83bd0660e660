"""A provider's queue, window and slots, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from aiolimiter import AsyncLimiter
from hypothesis import given
from hypothesis import strategies as st

from providers.queue.gate import Gate, Place, QueueFull, window
from providers.spec import Traffic
from tests.providers.support import property_test
from tests.virtual import BEGINS, VirtualLoop, VirtualMoments, now, turns, virtual

EPSILON = 1e-6  # seconds; the clock's own rounding


def at_the_gate(traffic: Traffic, elsewhere: bool = False) -> Gate:
    return Gate(traffic, VirtualMoments().time(), elsewhere)


async def passage(gate: Gate, seconds: float = 0.0, passed: list[float] | None = None) -> float:
    """Through the gate as a call goes, holding its slot for so long; the moment at which it was let through."""
    async with AsyncExitStack() as own:
        async with gate.turn():
            await gate.enter(own)
        moment = now()
        if passed is not None:
            passed.append(asyncio.get_running_loop().time())
        await asyncio.sleep(seconds)
    return moment


async def intact(gate: Gate) -> None:
    """Nobody waits, the turn is free, and all slots are: as many as there are get in at one moment."""
    assert (gate.waiting, gate.held) == (0, 0)
    async with AsyncExitStack() as held:
        for _ in range(gate.traffic.concurrency or 1):
            async with gate.turn(), asyncio.timeout(2 * gate.traffic.window):
                await gate.enter(held)
        assert gate.waiting == 0


def most_in_a_window(moments: Sequence[float], seconds: float) -> int:
    """The largest number of moments in any half-open window of this length."""
    return max(sum(each - EPSILON <= at < each + seconds - EPSILON for at in moments) for each in moments)


# The window


@virtual
async def test_the_plain_limiter_lets_nearly_twice_its_rate_through_the_first_window() -> None:
    """Why ``window`` exists: the bucket starts full, and refills in the very window in which it is emptied."""
    limiter = AsyncLimiter(40, 60)
    moments: list[float] = []
    for _ in range(100):
        await limiter.acquire()
        moments.append(now())
    assert most_in_a_window(moments, 60.0) == 79


async def let_through(rate: int, seconds: float, gaps: Sequence[float]) -> list[float]:
    """When calls pass that come after these gaps, each as soon as it can."""
    gate = at_the_gate(Traffic(rate=rate, window=seconds, queue_limit=10_000))
    passed: list[float] = []
    async with asyncio.TaskGroup() as group:
        for gap in gaps:
            await asyncio.sleep(gap)
            group.create_task(passage(gate, passed=passed))
    await intact(gate)
    return passed


@property_test
@given(
    st.sampled_from([1, 2, 3, 7, 19, 20, 21, 40, 60]),
    st.sampled_from([0.1, 1.0, 7.5, 60.0, 3600.0]),
    st.lists(st.tuples(st.floats(0, 1.5), st.floats(0.1, 1.5)), min_size=1, max_size=4),
)
def test_no_window_ever_has_more_than_the_rate(rate: int, seconds: float, bursts: list[tuple[float, float]]) -> None:
    """``bursts``: after how much of a window how many times the rate comes at once."""
    gaps = [gap * seconds * (not number) for gap, size in bursts for number in range(1 + int(size * rate))]
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        passed = runner.run(let_through(rate, seconds, gaps))
    assert len(passed) == len(gaps)
    assert passed == sorted(passed)
    assert most_in_a_window(passed, seconds * 1.01) <= rate  # with something to spare for the way


@pytest.mark.parametrize(("rate", "seconds"), [(1, 1.0), (2, 60.0), (3, 60.0), (15, 60.0), (40, 60.0), (1000, 60.0)])
@virtual
async def test_a_window_in_constant_demand_is_used(rate: int, seconds: float) -> None:
    limiter = window(rate, seconds)
    windows = max(10, 400 // rate)
    for _ in range(rate * windows):
        await limiter.acquire()
    assert now() <= windows * seconds / 0.9


@virtual
async def test_a_few_calls_after_a_quiet_time_pass_at_once() -> None:
    moments = await let_through(40, 60.0, [0.0, 0.0, 60.0, 0.0])
    assert moments == pytest.approx([BEGINS, BEGINS, BEGINS + 60, BEGINS + 60])


@virtual
async def test_those_who_wait_for_the_window_pass_in_the_order_in_which_they_came() -> None:
    gate = at_the_gate(Traffic(rate=2, window=10.0))
    order: list[int] = []

    async def come(number: int) -> None:
        await passage(gate)
        order.append(number)

    await asyncio.gather(*(come(number) for number in range(12)))
    assert order == list(range(12))


@virtual
async def test_whoever_leaves_with_the_turn_takes_its_part_of_the_window_along() -> None:
    """It was taken for then. Used later, it would be one more than the window has."""
    gate = at_the_gate(Traffic(rate=1, window=10.0))
    passed: list[float] = []
    await passage(gate, passed=passed)
    with pytest.raises(KeyError):
        async with gate.turn():
            raise KeyError
    await asyncio.sleep(5.0)
    await asyncio.gather(*(passage(gate, passed=passed) for _ in range(2)))
    assert most_in_a_window(passed, 10.0) == 1
    await intact(gate)


# Slots


@virtual
async def test_slots_are_given_in_the_order_in_which_calls_came() -> None:
    gate = at_the_gate(Traffic(concurrency=2))
    order: list[int] = []

    async def come(number: int) -> None:
        async with AsyncExitStack() as own:
            async with gate.turn():
                await gate.enter(own)
            order.append(number)
            await asyncio.sleep(1.0 + number % 3)  # they leave in another order

    await asyncio.gather(*(come(number) for number in range(12)))
    assert order == list(range(12))
    await intact(gate)


@virtual
async def test_a_slot_is_held_until_its_stack_is_left() -> None:
    gate = at_the_gate(Traffic(concurrency=1))
    first = asyncio.ensure_future(passage(gate, 30.0))
    second = asyncio.ensure_future(passage(gate))
    assert (await first, await second) == (0.0, 30.0)
    await intact(gate)


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError, KeyError])
@virtual
async def test_a_slot_comes_back_however_its_call_ends(error: type[BaseException]) -> None:
    gate = at_the_gate(Traffic(concurrency=1))

    async def fail() -> None:
        async with AsyncExitStack() as own:
            async with gate.turn():
                await gate.enter(own)
            raise error

    for _ in range(3):
        with pytest.raises(error):
            await fail()
    await intact(gate)


@dataclass
class Scene:
    """A gate that is busy in some way, and when whoever comes now would be through."""

    gate: Gate
    others: list[asyncio.Task[float]] = field(default_factory=list)

    async def leave(self) -> None:
        await asyncio.gather(*self.others)


async def busy(traffic: Traffic, before: int) -> Scene:
    gate = at_the_gate(traffic)
    scene = Scene(gate, [asyncio.ensure_future(passage(gate, 5.0)) for _ in range(before)])
    await turns()
    return scene


TRAFFICS = {
    "slots": Traffic(concurrency=1),
    "a window": Traffic(rate=1, window=10.0),
    "both": Traffic(rate=1, window=10.0, concurrency=1),
}


# When to cancel: after so many turns of the loop (below 0), or seconds.
EARLY = [float(count) for count in range(-12, 0)]
LATE = [0.5, *(at + aside for at in (5.0, 10.0, 15.0, 20.0) for aside in (-0.001, 0.0, 0.001))]


@pytest.mark.parametrize("traffic", TRAFFICS.values(), ids=TRAFFICS)
@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("step", EARLY + LATE)
@virtual
async def test_a_cancelled_call_gives_everything_back_wherever_it_stood(
    step: float, before: int, traffic: Traffic
) -> None:
    scene = await busy(traffic, before)
    task = asyncio.ensure_future(passage(scene.gate, 3.0))
    after = asyncio.ensure_future(passage(scene.gate))  # one behind it in the queue is not harmed
    if step < 0:
        await turns(int(-step))
    else:
        await asyncio.sleep(step)
    task.cancel()
    await asyncio.wait([task])
    await scene.leave()
    assert await after <= 40.0
    await intact(scene.gate)


# The queue


@virtual
async def test_a_full_queue_turns_the_next_one_away_at_once() -> None:
    gate = at_the_gate(Traffic(concurrency=1, queue_limit=2))
    calls = [asyncio.ensure_future(passage(gate, 5.0)) for _ in range(3)]
    await turns()
    assert gate.waiting == 2
    with pytest.raises(QueueFull):
        await passage(gate)
    assert now() == 0.0
    assert await asyncio.gather(*calls) == [0.0, 5.0, 10.0]
    assert await passage(gate) == 15.0
    await intact(gate)


@virtual
async def test_those_who_sleep_have_a_place_in_the_queue_too() -> None:
    gate = at_the_gate(Traffic(concurrency=1, queue_limit=2))

    async def sleep(seconds: float) -> None:
        await gate.rest(Place(), seconds)

    sleepers = [asyncio.ensure_future(sleep(seconds)) for seconds in (3.0, 6.0)]
    holder = asyncio.ensure_future(passage(gate, 10.0))
    await turns()
    with pytest.raises(QueueFull):
        await passage(gate)
    with pytest.raises(QueueFull):
        await sleep(1.0)
    await sleepers[0]
    assert await passage(gate) == 10.0
    await asyncio.gather(*sleepers, holder)
    await intact(gate)


@virtual
async def test_who_need_not_wait_takes_no_place() -> None:
    gate = at_the_gate(Traffic(concurrency=3, rate=60, queue_limit=1))
    assert await asyncio.gather(*(passage(gate) for _ in range(3))) == [0.0] * 3
    assert gate.waiting == 0
    await intact(gate)


@virtual
async def test_who_has_no_patience_passes_at_once_or_not_at_all() -> None:
    gate = at_the_gate(Traffic(concurrency=1, rate=1, window=10.0))
    for blocked in (False, True, True):
        async with AsyncExitStack() as own:
            if blocked:
                with pytest.raises(QueueFull):
                    await passing(gate, own)
            else:
                await passing(gate, own)
        assert now() == 0.0
    slow = asyncio.ensure_future(passage(gate, 5.0))
    await turns()
    with pytest.raises(QueueFull):
        await passing(gate, AsyncExitStack())  # another has the turn
    await slow
    await intact(gate)


async def passing(gate: Gate, own: AsyncExitStack) -> None:
    async with gate.turn(patient=False):
        await gate.enter(own)


@virtual
async def test_a_gate_without_limits_holds_nobody() -> None:
    gate = at_the_gate(Traffic(queue_limit=1))
    assert gate.free
    assert await asyncio.gather(*(passage(gate, 5.0) for _ in range(500))) == [0.0] * 500
    assert not at_the_gate(Traffic(rate=1)).free
    assert not at_the_gate(Traffic(concurrency=1)).free


@pytest.mark.parametrize(
    ("traffic", "waiting", "seconds"),
    [
        (Traffic(concurrency=1), 5, 1),
        (Traffic(rate=60, window=60.0), 0, 1),
        (Traffic(rate=60, window=60.0), 9, 10),
        (Traffic(rate=40, window=60.0), 1, 3),
        (Traffic(rate=1, window=0.1), 0, 1),
    ],
)
@virtual
async def test_the_backlog_in_whole_seconds(traffic: Traffic, waiting: int, seconds: int) -> None:
    gate = at_the_gate(traffic)
    sleepers = [asyncio.ensure_future(gate.rest(Place(), 9.0)) for _ in range(waiting)]
    await turns()
    assert gate.backlog() == seconds
    await asyncio.gather(*sleepers)
