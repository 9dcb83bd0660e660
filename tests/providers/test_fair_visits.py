"""Calls of several tokens at one provider that is limited in one way or another, on virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from gateway.state.memory import MemoryStore
from providers.errors import UpstreamFailure
from providers.queue.fair_line import Caller, Rank
from providers.spec import Limits, Traffic
from tests.fairness import GREEDY, POLITE, WORKERS, jain
from tests.providers.scripted import ANSWER, OK, CommonStore, Outcome, Stage, stage, status
from tests.virtual import now, turns, virtual

LONG = 60.0  # seconds
PATIENT = Traffic(queue_wait=1000.0)


LIMITED: dict[str, dict[str, Any]] = {
    "slots": {"traffic": replace(PATIENT, concurrency=4)},
    "a window": {"traffic": replace(PATIENT, rate=120, window=30.0)},
    "both": {"traffic": replace(PATIENT, rate=180, window=30.0, concurrency=5)},
    "slots of keys": {"limits": Limits(concurrency=2), "traffic": PATIENT},
    "requests of keys": {"limits": Limits(requests=120), "traffic": PATIENT},
    "shared slots": {"traffic": replace(PATIENT, concurrency=4), "stores": CommonStore},
    "a shared window": {"traffic": replace(PATIENT, rate=120, window=30.0), "stores": CommonStore},
}


async def closed_loop(made: Stage, seconds: float, name: str, served: Counter[str], waits: list[float]) -> None:
    """Somebody who asks again as soon as there is an answer."""
    while now() < seconds:
        began = now()
        assert await made.ask(caller=Caller(name), deadline=2000.0) == ANSWER
        if now() <= seconds:
            served[name] += 1
            waits.append(now() - began)


@pytest.mark.parametrize("limited", LIMITED.values(), ids=LIMITED)
@virtual
async def test_one_greedy_token_and_nine_polite_ones_are_served_alike(limited: dict[str, Any]) -> None:
    served: Counter[str] = Counter()
    waits: list[float] = []
    async with stage({"k1": [OK.after(1.0)], "k2": [OK.after(1.0)]}, 0.5, **limited) as made:
        greedy = [asyncio.ensure_future(closed_loop(made, LONG, GREEDY, served, [])) for _ in range(WORKERS[GREEDY])]
        await turns()
        async with asyncio.TaskGroup() as group:
            for name in POLITE:
                for _ in range(WORKERS[name]):
                    group.create_task(closed_loop(made, LONG, name, served, waits))
        await asyncio.gather(*greedy)
    assert sum(served.values()) >= 3.0 * LONG, "what there is, is used"
    assert jain([served[name] for name in (GREEDY, *POLITE)]) >= 0.95
    # Ten tokens, four a second: with one call of each, a turn comes every two and a half seconds.
    assert max(waits) <= 8.0


@virtual
async def test_a_greedy_token_alone_has_everything() -> None:
    served: Counter[str] = Counter()
    async with stage({"k1": [OK.after(1.0)]}, traffic=replace(PATIENT, concurrency=4)) as made:
        await asyncio.gather(*(closed_loop(made, LONG, GREEDY, served, []) for _ in range(20)))
    assert served[GREEDY] >= 4 * (LONG - 1)


@pytest.mark.parametrize("limited", LIMITED.values(), ids=LIMITED)
@virtual
async def test_the_main_thread_does_not_wait_for_its_subagents(limited: dict[str, Any]) -> None:
    order: list[str] = []

    async def one(rank: Rank) -> None:
        await made.ask(caller=Caller("ann", rank), deadline=2000.0)
        order.append(rank.name)

    async with stage({"k1": [OK.after(1.0)], "k2": [OK.after(1.0)]}, 0.5, **limited) as made:
        others = [asyncio.ensure_future(one(rank)) for rank in (Rank.BACKGROUND, Rank.SUBAGENT) for _ in range(20)]
        await asyncio.sleep(2.5)
        before = len(order)
        await one(Rank.MAIN)
        assert len(order) - before <= 9, "those that were on their way, and one"
        await asyncio.gather(*others)


@virtual
async def test_calls_for_another_model_do_not_wait_for_one_that_rests() -> None:
    """And a provider's limit of its own keeps to the order of those who can go."""
    async with stage({"k1": [status(429, retry_after="20"), OK]}) as made:
        first = asyncio.ensure_future(made.ask())
        await turns()
        assert made.live.provider.gate.waiting == 1
        assert made.live.provider.gate.open("another")
        assert await first == ANSWER
        assert now() == 20.0


@virtual
async def test_one_looks_for_a_key_on_behalf_of_all_who_wait() -> None:
    """A hundred who wait for one key ask the store about twice as often as they are served, and not each time all."""
    asked = 0

    class Counting(MemoryStore):
        async def admit(self, ask: Any) -> Any:
            nonlocal asked
            asked += 1
            return await super().admit(ask)

    limits = Limits(concurrency=1)
    async with stage({"k1": [OK.after(1.0)]}, stores=Counting, limits=limits, traffic=PATIENT) as made:
        await asyncio.gather(*(made.ask(deadline=2000.0) for _ in range(50)))
        assert asked <= 50 + 50 * (1 + 4)  # and four looks a second at a limit that says nothing of its end


@pytest.mark.parametrize("fault", [None, status(503)], ids=["who waits for a slot", "who sleeps before a repeat"])
@virtual
async def test_who_fills_the_queue_gives_way_to_those_who_have_nobody_there(fault: Outcome | None) -> None:
    answers = [OK.after(5.0)] if fault is None else [*[fault] * 8, OK]
    traffic = Traffic(concurrency=1 if fault is None else None, queue_limit=8)
    refused: list[UpstreamFailure] = []

    async def one(name: str) -> None:
        try:
            await made.ask(caller=Caller(name), stream=False)
        except UpstreamFailure as failure:
            refused.append(failure)
            heard.append(name)

    heard: list[str] = []
    async with stage({"k1": answers}, traffic=traffic) as made:
        greedy = [asyncio.ensure_future(one(GREEDY)) for _ in range(8 if fault else 9)]
        await turns()
        assert made.live.provider.gate.waiting == 8
        polite = [asyncio.ensure_future(one(name)) for name in POLITE[:4]]
        await turns()
        assert heard == [GREEDY] * 4
        assert now() == 0.0
        assert all("QUEUE_LIMIT" in each.words and (each.retry_after or 0) >= 1 for each in refused)
        await asyncio.gather(*greedy, *polite)
        assert not set(POLITE) & set(heard)


@virtual
async def test_who_may_go_elsewhere_does_not_wait_behind_those_who_may_not() -> None:
    """For a limit of keys, which only the last target's calls wait for."""
    async with stage({"k1": [status(429, retry_after="20"), OK]}) as made:
        staying = asyncio.ensure_future(made.ask())
        await turns()
        failure = await made.failure(last=False)
        assert now() == 0.0
        assert failure.retry_after == 20
        assert await staying == ANSWER


@virtual
async def test_nobody_waits_for_a_key_that_comes_too_late() -> None:
    """Whoever waited for a slot of the key hears at once of what it rests for now, and not after the longest wait."""
    answers = [replace(status(429, retry_after="60"), before=2.0), OK]
    limits, traffic = Limits(concurrency=1), Traffic(queue_wait=30.0)
    async with stage({"k1": answers}, limits=limits, traffic=traffic) as made:
        failures = await asyncio.gather(*(made.failure() for _ in range(5)))
        assert now() == 2.0
        assert {each.retry_after for each in failures} == {60}
        assert len(made.story) == 1
