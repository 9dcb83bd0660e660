"""What clients used, of several processes together, in fakeredis and in a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import fakeredis
import pytest
from redis.asyncio import Redis

from gateway.state.line import Client, Job, Line
from gateway.state.reasons import SLOW, StoreAway
from gateway.state.redis_text import Names
from gateway.state.usage_book import UsageBook
from gateway.usage import Row, Tally, UsageLedger, Who, by_client
from middleware.context import RequestContext
from providers.ports import Attempt, Usage
from tests.chaos.faults import plain
from tests.gateway.state.conftest import unique_prefix
from tests.redis_server import RedisServer

KEPT = 5
Opened = Callable[[], UsageBook]


@pytest.fixture(params=["fakeredis", "redis"])
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    """The same book, as one more process has it; it keeps KEPT sessions."""
    prefix, lines = unique_prefix(), list[Line]()
    server = fakeredis.FakeServer()

    def one_more() -> UsageBook:
        client: Client = fakeredis.FakeAsyncRedis(server=server)
        if request.param == "redis":
            found: RedisServer = request.getfixturevalue("one_redis")
            client = Redis(port=found.port)
        lines.append(Line(client, deadline=10.0))
        return UsageBook(lines[-1], Names(prefix), KEPT)

    yield one_more
    for line in lines:
        await line.aclose()


class CutLine(Line):
    """A line that breaks before its server hears anything, or before its answer comes."""

    before = after = False

    async def run(self, job: Job, deadline: float | None = None) -> Any:
        if self.before:
            raise StoreAway(SLOW)
        answer = await super().run(job, deadline)
        if self.after:
            raise StoreAway(SLOW)
        return answer


def ledger(book: UsageBook | None, wall: float = 1000.0) -> UsageLedger:
    return UsageLedger(lambda *_: 0.25, lambda: wall, book)


def asked(client: str = "ada", session: str = "", agent: str = "", barred: str = "") -> RequestContext:
    context = RequestContext("req", 0.0, principal=client, conversation=session, agent=agent, outcome="ok")
    context.barred = barred
    if not barred:
        context.trail.attempts.append(Attempt("req", "groq", "a", "groq-01", 0.0, usage=Usage(10, 2, 3, 4, 1)))
    return context


async def test_the_sums_are_those_of_all_processes(opened: Opened) -> None:
    one, other = ledger(opened(), 1000.0), ledger(opened(), 2000.0)
    for _ in range(3):
        one.ended(asked(session="s", agent="a"))
    other.ended(asked(session="s", agent="a"))
    other.ended(asked(session="s", barred="tokens"))
    await one.tell()
    found = await other.used()
    rows = {row.who: row.tally for row in found.rows}
    assert rows[Who("ada", "s", "a")] == Tally(4, 0, 0, Usage(40, 8, 12, 16, 4), 0.25 * 4, 0, 2000.0)
    assert rows[Who("ada", "s")] == Tally(0, 0, 1, last=2000.0)
    assert (await one.used()).rows == found.rows
    assert (await one.used()).since == found.since > 1_700_000_000


async def test_what_was_not_told_yet_is_seen_all_the_same(opened: Opened) -> None:
    one = ledger(opened())
    for number in range(1, 4):
        one.ended(asked())
        assert [row.tally.requests for row in (await one.used()).rows] == [number]


async def test_a_telling_that_comes_twice_counts_once(opened: Opened) -> None:
    book, rows = opened(), [Row(Who("ada", "s"), Tally(1, last=5.0))]
    for number in (1, 1, 2, 2):
        await book.add(number, rows)
    await opened().add(2, rows)
    assert [row.tally.requests for row in (await book.read())[1]] == [3]


async def test_the_oldest_sessions_go_on_in_their_clients_sum(opened: Opened) -> None:
    moments = map(float, range(100))
    one = UsageLedger(lambda *_: 0.25, lambda: next(moments), opened())
    for number in range(3 * KEPT):
        one.ended(asked(session=f"s{number}"))
        await one.tell()
    rows = (await one.used()).rows
    assert sorted(row.who.session for row in rows) == ["", *(f"s{number}" for number in range(2 * KEPT, 3 * KEPT))]
    (ada,) = by_client(rows)
    assert (ada.tally.requests, ada.tally.usage.input_tokens) == (3 * KEPT, 30 * KEPT)


async def test_names_that_clients_choose_stay_in_their_place(opened: Opened) -> None:
    one = ledger(opened())
    one.ended(asked(session="a\x1fb\n", agent="\ud800 caf\u00e9"))
    await one.tell()
    assert [row.who for row in (await one.used()).rows] == [Who("ada", "a?b?", "? caf\u00e9")]


async def test_while_redis_is_away_nothing_is_lost_and_nothing_counted_twice(one_redis: RedisServer) -> None:
    cut = CutLine(Redis(port=one_redis.port), deadline=10.0)
    one = ledger(UsageBook(cut, Names(unique_prefix())))
    for cut.before, cut.after in ((False, False), (True, False), (False, True), (True, False)):
        one.ended(asked())
        await one.tell()
    cut.before = cut.after = False
    for _ in range(3):
        assert [row.tally.requests for row in (await one.used()).rows] == [4]
    await cut.aclose()


async def test_everything_ends_some_day(one_redis: RedisServer) -> None:
    prefix = unique_prefix()
    line = Line(Redis(port=one_redis.port), deadline=10.0)
    one = ledger(UsageBook(line, Names(prefix)))
    one.ended(asked(session="s"))
    await one.tell()
    await line.aclose()
    async with plain(one_redis.port) as client:
        names = [each async for each in client.scan_iter(f"{prefix}*")]
        assert len(names) == 3
        assert all(b"{usage}" in name for name in names)
        assert all([await client.ttl(name) > 0 for name in names])
