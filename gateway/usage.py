"""Who used how much: tokens and their estimated cost, by client, session and agent. Bounded: the oldest are merged."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from gateway.state.reasons import StoreAway
from middleware.context import RequestContext
from providers.ports import Attempt, Usage

KEPT = 2000  # combinations of client, session and agent, besides one for each client
EVERY = 1.0  # seconds between two tellings
Price = Callable[[str, str, Usage], float | None]
"""US dollars for what (provider, model, usage) counts; None where no price is known."""


@dataclass(frozen=True, slots=True)
class Who:
    """Whose request it was. ``session`` and ``agent`` are "" where the client names none."""

    client: str
    session: str = ""
    agent: str = ""


@dataclass(slots=True)
class Tally:
    """Sums. ``refused`` are requests that the client's token did not allow, and nobody was asked. ``unpriced`` counts
    tokens whose price nobody knows, which ``cost`` leaves out.
    """

    requests: int = 0
    failed: int = 0
    refused: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0
    unpriced: int = 0
    last: float = 0.0  # seconds since 1970

    def add(self, other: Tally) -> None:
        """What both counted."""
        self.requests += other.requests
        self.failed += other.failed
        self.refused += other.refused
        self.usage = total(self.usage, other.usage)
        self.cost += other.cost
        self.unpriced += other.unpriced
        self.last = max(self.last, other.last)


@dataclass(frozen=True, slots=True)
class Row:
    """A tally and whose it is."""

    who: Who
    tally: Tally


@dataclass(frozen=True, slots=True)
class Used:
    """What was used since then, in seconds since 1970."""

    since: float
    rows: Sequence[Row]


class Book(Protocol):
    """Where the sums of all processes are. Both verbs raise StoreAway."""

    async def add(self, number: int, rows: Sequence[Row]) -> None:
        """``number`` grows with every telling; one that is told twice counts once."""

    async def read(self) -> tuple[float | None, list[Row]]:
        """Since when, in seconds since 1970, and the sums."""


class UsageLedger:
    """An observer of requests that keeps their sums; with a ``book``, what was not told to it yet."""

    def __init__(self, price: Price, wall: Callable[[], float], book: Book | None = None) -> None:
        self._price = price
        self._wall = wall
        self._book = book
        self._since = wall()
        self._tallies: OrderedDict[Who, Tally] = OrderedDict()
        self._telling: list[Row] = []
        self._number = 0
        self._told: tuple[float | None, list[Row]] = None, []  # as it was last read

    def ended(self, context: RequestContext) -> None:
        """Counts a request that asked something of a model: every attempt that used tokens, and the call once. One that
        was refused for its token's limits is counted as that.
        """
        if not (context.attempts or context.barred):
            return
        who = Who(context.principal, context.conversation, context.agent)
        tally = self._tallies.setdefault(who, Tally())
        self._tallies.move_to_end(who)
        tally.last = self._wall()
        if context.attempts:
            tally.requests += 1
            tally.failed += context.outcome in ("error", "cut")
        else:
            tally.refused += 1
        for attempt in context.attempts:
            self._count(tally, attempt)
        if len(self._tallies) > KEPT:
            self._forget()

    def _count(self, tally: Tally, attempt: Attempt) -> None:
        used = attempt.usage
        tokens = count(used)
        if not tokens:
            return
        tally.usage = total(tally.usage, used)
        cost = self._price(attempt.provider, attempt.model, used)
        if cost is None:
            tally.unpriced += tokens
        else:
            tally.cost += cost

    def _forget(self) -> None:
        """The oldest session's sums go on in its client's, so that a client's sum stays right."""
        who, tally = self._tallies.popitem(last=False)
        client = Who(who.client)
        self._tallies.setdefault(client, Tally()).add(tally)
        self._tallies.move_to_end(client)

    async def used(self, client: str | None = None) -> Used:
        """Every combination, the latest first; of one client where it is named. Where the book is away, what it held
        when it was last read.
        """
        if self._book:
            await self.tell()
            with suppress(StoreAway):
                self._told = await self._book.read()
        since, told = self._told
        rows = summed([*told, *self._telling, *self._rows()], lambda who: who)
        found = [row for row in rows if client is None or row.who.client == client]
        return Used(since or self._since, sorted(found, key=lambda row: -row.tally.last))

    def _rows(self) -> list[Row]:
        return [Row(who, tally) for who, tally in reversed(self._tallies.items())]

    async def tell(self) -> None:
        """Whatever the book was not told; what it may not have heard is told again before anything else."""
        if self._book is None:
            return
        if not self._telling and self._tallies:
            self._telling, self._tallies, self._number = self._rows(), OrderedDict(), self._number + 1
        telling = self._telling
        if not telling:
            return
        try:
            await self._book.add(self._number, telling)
        except StoreAway:
            return
        if self._telling is telling:
            self._telling = []

    async def keep_telling(self) -> None:
        """Until it is cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(EVERY)
                await self.tell()
        finally:
            await self.tell()


def by_client(rows: Iterable[Row]) -> list[Row]:
    """One row for each client, the most expensive first."""
    return summed(rows, lambda who: Who(who.client))


def summed(rows: Iterable[Row], key: Callable[[Who], Who]) -> list[Row]:
    """``rows`` put together where ``key`` makes them the same; by cost, then by tokens."""
    sums: dict[Who, Tally] = {}
    for row in rows:
        sums.setdefault(key(row.who), Tally()).add(row.tally)
    return sorted(
        (Row(who, tally) for who, tally in sums.items()), key=lambda row: (-row.tally.cost, -count(row.tally.usage))
    )


def total(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cache_read_tokens + other.cache_read_tokens,
        one.cache_write_tokens + other.cache_write_tokens,
        one.reasoning_tokens + other.reasoning_tokens,
    )


def count(used: Usage) -> int:
    """All tokens; reasoning is part of the output."""
    return used.input_tokens + used.output_tokens + used.cache_read_tokens + used.cache_write_tokens
