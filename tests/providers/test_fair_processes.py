"""Calls of several tokens at one provider, in two processes that share its limits, on virtual time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from providers.ports import Time
from providers.queue.fair_line import Caller
from providers.spec import Traffic
from tests.fairness import GREEDY, POLITE, WORKERS, jain
from tests.providers.scripted import ANSWER, OK, CommonStore, Outcome, Stage, stage
from tests.virtual import VirtualMoments, now, turns, virtual

FROM, TO = 10.0, 70.0  # seconds in which is counted; at first those who came first have everything
PATIENT = Traffic(queue_wait=1000.0)
LIMITED = {"slots": replace(PATIENT, concurrency=4), "a window": replace(PATIENT, rate=120, window=30.0)}
APART: dict[str, Sequence[str]] = {
    "the greedy one alone": (GREEDY,),
    "the greedy one and four others": (GREEDY, *POLITE[:4]),
}


@dataclass
class Lots(VirtualMoments):
    """Chance that comes out differently each time, and in each run alike."""

    drawn: random.Random = field(default_factory=lambda: random.Random(14))  # noqa: S311 - no secret

    def time(self) -> Time:
        return replace(super().time(), chance=self.drawn.random)


def lasting(drawn: random.Random) -> list[Outcome]:
    """Good answers, of about a second each."""
    return [OK.after(drawn.uniform(0.5, 1.5)) for _ in range(1000)]


@asynccontextmanager
async def two(traffic: Traffic) -> AsyncIterator[tuple[Stage, Stage]]:
    stores: list[CommonStore] = []

    def store(clock: Callable[[], float], wall: Callable[[], float]) -> CommonStore:
        stores[:] = stores or [CommonStore(clock, wall)]
        return stores[0]

    moments = Lots()
    first, second = ({key: lasting(moments.drawn) for key in ("k1", "k2")} for _ in range(2))
    async with (
        stage(first, stores=store, moments=moments, traffic=traffic) as one,
        stage(second, stores=store, moments=moments, traffic=traffic) as other,
    ):
        yield one, other


async def closed_loop(made: Stage, name: str, served: Counter[str]) -> None:
    while now() < TO:
        assert await made.ask(caller=Caller(name), deadline=2000.0) == ANSWER
        served[name] += FROM < now() <= TO


@pytest.mark.parametrize("traffic", LIMITED.values(), ids=LIMITED)
@pytest.mark.parametrize("here", APART.values(), ids=APART)
@virtual
async def test_tokens_in_different_processes_are_served_alike(here: Sequence[str], traffic: Traffic) -> None:
    served: Counter[str] = Counter()
    async with two(traffic) as (one, other), asyncio.TaskGroup() as group:
        for name, workers in WORKERS.items():
            for _ in range(workers):
                group.create_task(closed_loop(one if name in here else other, name, served))
            await turns()  # the greedy one has everything when the others come
    assert jain([served[name] for name in WORKERS]) >= 0.95, served
    assert sum(served.values()) >= 0.9 * 4 * (TO - FROM), "what there is, is used"


@virtual
async def test_a_process_whose_others_are_idle_loses_little() -> None:
    served: Counter[str] = Counter()
    async with two(LIMITED["slots"]) as (one, _), asyncio.TaskGroup() as group:
        for _ in range(WORKERS[GREEDY]):
            group.create_task(closed_loop(one, GREEDY, served))
    assert served[GREEDY] >= 0.9 * 4 * (TO - FROM)
