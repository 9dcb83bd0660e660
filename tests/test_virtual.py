"""Virtual time is time: in order, and over when nothing is left to wait for."""

from __future__ import annotations

import asyncio

import pytest

from tests.virtual import Deadlock, VirtualMoments, now, virtual


@virtual
async def test_sleepers_wake_in_order_and_on_time() -> None:
    woken: list[tuple[float, str]] = []

    async def sleep(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((now(), name))

    await asyncio.gather(sleep("month", 2_592_000.0), sleep("moment", 0.001), sleep("hour", 3600.0), sleep("none", 0.0))
    assert woken == [(0.0, "none"), (0.001, "moment"), (3600.0, "hour"), (2_592_000.0, "month")]


@virtual
async def test_a_timeout_is_a_timer_too() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 600.0)
    assert now() == 600.0


@virtual
async def test_moments_of_this_loop() -> None:
    moments = VirtualMoments()
    before = moments.wall()
    await moments.time().sleep(5.0)
    assert moments.wall() - before == pytest.approx(5.0)
    assert moments.slept == [5.0]


def test_who_waits_for_nothing_is_told() -> None:
    @virtual
    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        forever()


def test_what_is_left_behind_is_told() -> None:
    kept: list[asyncio.Task[None]] = []

    @virtual
    async def careless() -> None:
        kept.append(asyncio.ensure_future(asyncio.sleep(1.0)))

    with pytest.raises(AssertionError, match="left behind"):
        careless()
