"""One timer for all reads of a stream."""

from __future__ import annotations

import asyncio

import pytest

from providers.patience import SPAN, Pace, Patience

SOON = 0.02  # seconds
BOUND = 10.0


async def test_a_read_that_takes_too_long_is_a_timeout() -> None:
    patience = Patience(SOON)
    with pytest.raises(TimeoutError), patience:
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    patience.close()


async def test_it_can_be_tried_again_after_a_timeout() -> None:
    patience = Patience(SOON)
    for _ in range(3):
        with pytest.raises(TimeoutError), patience:
            await asyncio.Event().wait()
    patience.close()


async def test_the_time_between_reads_does_not_count_and_a_read_moves_the_moment() -> None:
    loop = asyncio.get_running_loop()
    patience = Patience(SOON)
    for _ in range(4):
        with patience:
            await asyncio.wait_for(loop.run_in_executor(None, lambda: None), BOUND)
        pause: asyncio.Future[None] = loop.create_future()
        loop.call_later(2 * SOON, pause.set_result, None)
        await pause
    with pytest.raises(TimeoutError), patience:
        await asyncio.Event().wait()
    patience.close()


async def test_without_a_limit_nothing_is_timed() -> None:
    patience = Patience(None)
    with patience:
        pass
    patience.close()


async def test_a_cancellation_from_outside_stays_one() -> None:
    inside = asyncio.Event()

    async def reads() -> None:
        with Patience(BOUND):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(reads())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_both_at_once_count_as_the_cancellation() -> None:
    patience = Patience(SOON)

    async def reads() -> None:
        with patience:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                raise

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(reads())
    patience.close()


async def test_an_error_of_the_read_passes() -> None:
    with pytest.raises(ValueError, match="broken"), Patience(BOUND):
        raise ValueError("broken")


async def test_closed_it_fires_no_more() -> None:
    loop = asyncio.get_running_loop()
    patience = Patience(SOON)
    with patience:
        patience.close()
        later: asyncio.Future[None] = loop.create_future()
        loop.call_later(3 * SOON, later.set_result, None)
        await later


def test_a_pace_is_taken_over_half_a_minute() -> None:
    now = [0.0]
    pace = Pace(10.0, lambda: now[0])
    assert not pace.crawls(5)
    now[0] = SPAN - 0.1
    assert not pace.crawls(5)  # too soon to tell
    now[0] = SPAN
    assert pace.crawls(5)  # 15 bytes in 30 seconds
    now[0] = 1.5 * SPAN
    assert not pace.crawls(10 * int(SPAN))
    now[0] = 2 * SPAN
    assert not pace.crawls(0)  # each half minute is measured for itself
    now[0] = 3 * SPAN
    assert pace.crawls(299)
