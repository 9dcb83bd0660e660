"""Who used how much: tokens and their estimated cost, by client, session and agent. Bounded: the oldest are merged."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from middleware.context import RequestContext
from providers.ports import Attempt, Usage

KEPT = 2000  # combinations of client, session and agent, besides one for each client
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
    """Sums. ``unpriced`` counts tokens whose price nobody knows, which ``cost`` leaves out."""

    requests: int = 0
    failed: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0
    unpriced: int = 0
    last: float = 0.0  # seconds since 1970

    def add(self, other: Tally) -> None:
        """What both counted."""
        self.requests += other.requests
        self.failed += other.failed
        self.usage = total(self.usage, other.usage)
        self.cost += other.cost
        self.unpriced += other.unpriced
        self.last = max(self.last, other.last)


@dataclass(frozen=True, slots=True)
class Row:
    """A tally and whose it is."""

    who: Who
    tally: Tally


class UsageLedger:
    """An observer of requests that keeps their sums."""

    def __init__(self, price: Price, wall: Callable[[], float]) -> None:
        self._price = price
        self._wall = wall
        self._tallies: OrderedDict[Who, Tally] = OrderedDict()

    def ended(self, context: RequestContext) -> None:
        """Counts a request that asked something of a model: every attempt that used tokens, and the call once."""
        if not context.attempts:
            return
        who = Who(context.principal, context.conversation, context.agent)
        tally = self._tallies.setdefault(who, Tally())
        self._tallies.move_to_end(who)
        tally.requests += 1
        tally.failed += context.outcome in ("error", "cut")
        tally.last = self._wall()
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

    def rows(self, client: str | None = None) -> list[Row]:
        """Every combination, the latest first; of one client where it is named."""
        found = (Row(who, tally) for who, tally in reversed(self._tallies.items()))
        return [row for row in found if client is None or row.who.client == client]

    def by_client(self) -> list[Row]:
        """One row for each client, the most expensive first."""
        return summed(self.rows(), lambda who: Who(who.client))


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
