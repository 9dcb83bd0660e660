"""What the tests of the state share: a desk where keys are asked for, with a clock turned by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from providers import policy
from providers.errors import Calendar, ErrorKind, Rest, Scope, UpstreamFailure
from providers.spec import NO_LIMITS, NO_TRAFFIC, Limits, Traffic, UsageWindow
from providers.state import (
    REFUNDED,
    WHOLE,
    Admission,
    Ask,
    Candidate,
    KeyState,
    RestOrder,
    RestState,
    Settlement,
    Snapshot,
    StateStore,
)

A_MOMENT = 0.001  # seconds
HOUR = 3600.0
DAY = 24 * HOUR
NOON = 1_790_000_000.0 // DAY * DAY + 12 * HOUR  # of some day in 2026, since 1970


def near(seconds: float) -> Any:
    """Equal to what is as long, give or take two milliseconds."""
    return pytest.approx(seconds, abs=0.002)


@dataclass
class HandClock:
    """Seconds since some moment, and since 1970; both go on only when turned."""

    now: float = 1000.0
    wall: float = NOON

    def turn(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds


def keys(count: int, limits: Limits = NO_LIMITS, accounts: int = 0) -> tuple[Candidate, ...]:
    """``k1``, ``k2`` ...; without ``accounts`` each has its own, else they take turns in so many."""
    return tuple(
        Candidate(f"k{number}", f"acme-{number:02}", f"a{number % accounts if accounts else number}", limits)
        for number in range(1, count + 1)
    )


def order(
    kind: ErrorKind,
    seconds: float | None = None,
    *,
    scope: Scope | None = None,
    calendar: Calendar | None = None,
    wall: float = NOON,
    jitter: float = 0.0,
) -> RestOrder:
    """What policy makes of a failure; ``seconds`` are those that the upstream named."""
    rest = Rest(seconds, calendar, honest=seconds is not None) if seconds is not None or calendar else None
    made = policy.order(UpstreamFailure(kind, "no", scope=scope, rest=rest), wall, jitter)
    assert made is not None
    return made


REFUSED = order(ErrorKind.KEY_REFUSED)
FORBIDDEN = order(ErrorKind.KEY_FORBIDDEN)
LIMITED = order(ErrorKind.RATE_LIMITED)
BROKEN = order(ErrorKind.SERVER_ERROR)
OVERLOADED = order(ErrorKind.MODEL_OVERLOADED)


@dataclass
class Desk:
    """The port's verbs, for one provider, with what a test does not vary left out."""

    store: StateStore
    clock: HandClock
    provider: str = "acme"
    model_limits: Limits = NO_LIMITS
    usage_limit: int = 0
    usage_window: UsageWindow = UsageWindow.ROUND
    traffic: Traffic = NO_TRAFFIC
    bucket: bool = False
    most: int = 10_000  # requests in one test; fewer where the store is slow
    _leases: Iterator[str] = field(default_factory=lambda: (f"lease-{number}" for number in itertools.count(1)))

    async def ask(
        self, candidates: Sequence[Candidate], model: str = "m", *, tokens: int = 0, lease: str = ""
    ) -> tuple[str, Admission]:
        lease = lease or next(self._leases)
        ask = Ask(
            lease,
            self.provider,
            model,
            candidates,
            tokens,
            self.model_limits,
            self.usage_limit,
            self.usage_window,
            self.traffic,
            self.bucket,
        )
        return lease, await self.store.admit(ask)

    async def take(self, candidates: Sequence[Candidate], model: str = "m", *, tokens: int = 0) -> str:
        """A lease of the first key and of no other."""
        lease, admission = await self.ask(candidates, model, tokens=tokens)
        assert admission.candidate is candidates[0], admission
        return lease

    async def refusal(self, candidates: Sequence[Candidate], model: str = "m", *, tokens: int = 0) -> Admission:
        _, admission = await self.ask(candidates, model, tokens=tokens)
        assert admission.candidate is None, admission
        return admission

    async def wait(self, candidates: Sequence[Candidate], model: str = "m") -> float:
        """Seconds until one of the keys may serve; 0 = now. It takes no lease."""
        lease, admission = await self.ask(candidates, model)
        if admission.candidate is not None:
            await self.abandoned(lease)
        return admission.wait

    async def ok(self, lease: str, tokens: int | None = None) -> None:
        await self.store.settle(self.provider, lease, Settlement("ok", tokens))

    async def failed(self, lease: str, rest: RestOrder | None, tokens: int | None = None) -> None:
        await self.store.settle(self.provider, lease, Settlement("failed", tokens, rest))

    async def abandoned(self, lease: str) -> None:
        await self.store.settle(self.provider, lease, Settlement("abandoned"))

    async def refunded(self, lease: str) -> None:
        await self.store.settle(self.provider, lease, Settlement(REFUNDED, 0))

    async def proved(self, lease: str) -> None:
        await self.store.proved(self.provider, lease)

    async def rest(self, candidate: Candidate | None, rest: RestOrder, model: str = WHOLE) -> None:
        await self.store.rest(self.provider, candidate, model, rest)

    async def wake(self, candidate: Candidate | None) -> None:
        await self.store.wake(self.provider, candidate)

    async def serve(self, candidates: Sequence[Candidate], model: str = "m", *, tokens: int = 0) -> str:
        """One good request; the id of the key that served it."""
        lease, admission = await self.ask(candidates, model, tokens=tokens)
        assert admission.candidate is not None, admission
        await self.ok(lease)
        return admission.candidate.id

    async def fail(self, candidate: Candidate, rest: RestOrder, model: str = "m") -> float:
        """One request of this key that fails; for how long the key then cannot be had."""
        await self.failed(await self.take([candidate], model), rest)
        return await self.wait([candidate], model)

    async def seen(self, candidates: Sequence[Candidate]) -> Snapshot:
        return await self.store.snapshot(self.provider, candidates)

    async def key(self, candidate: Candidate) -> KeyState:
        return (await self.seen([candidate])).keys[0]

    async def common(self) -> tuple[RestState, ...]:
        """The rests of the provider, its models and its accounts."""
        return (await self.seen([])).rests
