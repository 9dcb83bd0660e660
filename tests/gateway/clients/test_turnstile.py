"""A call's place at its client's limits, in memory, fakeredis and a real Redis: taken or refused, and given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from gateway.clients.turnstile import Turnstile
from middleware.context import RequestContext
from middleware.grant import Grant
from providers.call import Call, Operation
from providers.errors import Fault
from providers.json_object import JsonObject, encode
from providers.ports import Attempt, Usage
from providers.spec import Limits
from providers.state import Admission, Ask, Candidate, RestOrder, Settlement, Snapshot, StateStore
from tests.gateway.state.conftest import clock, desk
from tests.gateway.state.support import Desk, HandClock
from tests.serving import ask

__all__ = ["clock", "desk"]

MOST = 3
ESTIMATED = 10  # tokens


class Flat:
    """An estimate that is the same for every model."""

    media = 0

    def __call__(self, model: str = "") -> int:
        return ESTIMATED


def call() -> Call:
    body = JsonObject(encode(ask()))
    return Call("req", "anthropic", Operation.MESSAGES, body, "claude-x", False, estimate=Flat())


def request(limits: Limits, name: str = "ada") -> RequestContext:
    return RequestContext("req", 0.0, principal=name, grant=Grant(name, limits=limits))


@dataclass
class Counting:
    """A store that knows how often it was asked."""

    store: StateStore
    asked: list[Ask] = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)
    keeps_traffic = False

    async def admit(self, ask: Ask) -> Admission:
        self.asked.append(ask)
        return await self.store.admit(ask)

    async def settle(self, provider: str, lease: str, settlement: Settlement) -> None:
        self.settled.append(settlement)
        await self.store.settle(provider, lease, settlement)

    async def proved(self, provider: str, lease: str) -> None:
        await self.store.proved(provider, lease)

    async def rest(self, provider: str, candidate: Candidate | None, model: str, order: RestOrder) -> None:
        await self.store.rest(provider, candidate, model, order)

    async def wake(self, provider: str, candidate: Candidate | None) -> None:
        await self.store.wake(provider, candidate)

    async def snapshot(self, provider: str, candidates: Sequence[Candidate]) -> Snapshot:
        return await self.store.snapshot(provider, candidates)


async def through(turnstile: Turnstile, context: RequestContext, *used: int) -> None:
    """A call that made as many attempts as numbers are given, each with so many tokens of input."""
    place = turnstile.place(call(), context)
    assert place is not None
    async with place:
        context.trail.attempts += [
            Attempt("req", "groq", "a", "groq-01", 0.0, outcome="ok", usage=Usage(each, 0)) for each in used
        ]


async def test_who_has_no_limits_costs_no_call(desk: Desk) -> None:
    counting = Counting(desk.store)
    turnstile = Turnstile(counting)
    assert turnstile.place(call(), RequestContext("req", 0.0)) is None
    assert turnstile.place(call(), request(Limits())) is None
    assert counting.asked == []
    await through(turnstile, request(Limits(requests=5)), 1)
    assert len(counting.asked) == len(counting.settled) == 1
    assert counting.asked[0].provider == "client:ada", "limits of a client have a hash tag of their own"


async def test_what_asked_nobody_costs_nothing(desk: Desk) -> None:
    turnstile, limits = Turnstile(desk.store), Limits(requests=MOST, tokens=100_000, concurrency=1)
    for _ in range(4 * MOST):
        await through(turnstile, request(limits))
    for _ in range(MOST):
        await through(turnstile, request(limits), 10)
    with pytest.raises(Fault) as refused:
        await through(turnstile, request(limits), 10)
    assert (refused.value.status, refused.value.retry_after) == (429, 60 // MOST)


async def test_a_failure_on_the_way_gives_the_place_back(desk: Desk) -> None:
    turnstile, limits = Turnstile(desk.store), Limits(concurrency=1)
    for _ in range(3):
        place = turnstile.place(call(), request(limits))
        assert place is not None
        with pytest.raises(ZeroDivisionError):
            async with place:
                raise ZeroDivisionError


async def test_all_attempts_of_a_call_are_paid_for(desk: Desk, clock: HandClock) -> None:
    turnstile, limits = Turnstile(desk.store), Limits(tokens=6000)
    await through(turnstile, request(limits), 2000, 3995)
    with pytest.raises(Fault) as refused:
        await through(turnstile, request(Limits(tokens=6000)), 1)
    wait = refused.value.retry_after
    assert wait is not None
    assert "6000 tokens a minute" in refused.value.message
    clock.turn(wait)
    await through(turnstile, request(limits), 1)


async def test_two_clients_do_not_meet(desk: Desk) -> None:
    turnstile, limits = Turnstile(desk.store), Limits(requests=1)
    await through(turnstile, request(limits), 1)
    await through(turnstile, request(limits, "bob"), 1)
    with pytest.raises(Fault):
        await through(turnstile, request(limits, "bob"), 1)


async def test_what_stood_in_the_way_is_noted(desk: Desk) -> None:
    turnstile, limits = Turnstile(desk.store), Limits(concurrency=1)
    first, second = turnstile.place(call(), request(limits)), request(limits)
    assert first is not None
    async with first:
        with pytest.raises(Fault, match="may have 1 requests open at once"):
            await through(turnstile, second, 1)
    assert second.barred == "concurrency"


async def test_limits_that_change_leave_what_was_used_and_is_open(desk: Desk) -> None:
    """So do two tokens of one name, whose limits differ."""
    turnstile, one, two = Turnstile(desk.store), Limits(2, concurrency=1), Limits(2, concurrency=2)
    place = turnstile.place(call(), request(one))
    assert place is not None
    async with place:
        await through(turnstile, request(two), 1)
        with pytest.raises(Fault, match="may have 1 requests open at once"):
            await through(turnstile, request(one), 1)
    await through(turnstile, request(one), 1)
    for limits in (two, one):
        with pytest.raises(Fault, match="may make 2 requests a minute"):
            await through(turnstile, request(limits), 1)
