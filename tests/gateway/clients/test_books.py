"""Made tokens in the state file, in fakeredis and in a real Redis: made, found, revoked, from several processes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.clients import table
from gateway.clients.book import Book, BookAway
from gateway.clients.file_book import FileBook
from gateway.clients.office import Office, mint
from gateway.clients.redis_book import RedisBook
from gateway.clients.roster import Roster
from gateway.clients.table import Refused, Table
from gateway.state.line import Line
from gateway.state.redis_text import Names
from gateway.state.state_file import StateFile
from middleware.grant import Grant, digest
from providers.spec import Limits
from tests.chaos.faults import plain as plain_client
from tests.gateway.clients.conftest import Opened
from tests.gateway.state.conftest import unique_prefix
from tests.redis_server import RedisServer

NOW = 1795176000.0
ADA = Grant("ada", ("groq/*",), ("groq", "nvidia_nim"), Limits(60, 100_000, 4), False, NOW + 90.5, None, NOW)


async def add(book: Book, name: str, now: float = NOW, token: str = "") -> Table:
    return await book.change(lambda there: table.added(there, digest(token or name), Grant(name, created=now), now))


def names(found: Table | None) -> list[str]:
    assert found is not None
    return sorted(grant.name for grant in found.grants.values())


async def test_what_one_writes_another_reads(opened: Opened) -> None:
    one, other = opened(), opened()
    assert (await other.read()) == Table()
    written = await one.change(lambda there: table.added(there, digest("t"), ADA, NOW))
    read = await other.read()
    assert read == written
    assert read.grants == {digest("t"): ADA}


async def test_nothing_is_told_twice(opened: Opened) -> None:
    one, other = opened(), opened()
    first = await add(one, "ada")
    found = await other.read()
    assert found == first
    assert await other.read(found.version) is None
    second = await add(one, "bob")
    assert second.version > first.version
    assert names(await other.read(found.version)) == ["ada", "bob"]


async def test_changes_of_many_at_one_moment_are_all_made(opened: Opened) -> None:
    books = [opened() for _ in range(6)]
    await asyncio.gather(*(add(book, f"client-{number}") for number, book in enumerate(books)))
    assert names(await books[0].read()) == [f"client-{number}" for number in range(6)]


async def test_one_name_has_one_good_token(opened: Opened) -> None:
    book = opened()
    asked = await asyncio.gather(*(add(book, "ada", token=f"t{number}") for number in range(3)), return_exceptions=True)
    refused = [each for each in asked if isinstance(each, Refused)]
    assert len(refused) == 2
    assert "There is a token ada already" in str(refused[0])
    await book.change(lambda there: table.revoked(there, "ada", NOW + 1))
    await add(book, "ada", NOW + 2, "t9")
    assert names(await book.read()) == ["ada", "ada"]


async def test_what_is_revoked_stays_known_as_such(opened: Opened) -> None:
    one, other = opened(), opened()
    await add(one, "ada")
    await one.change(lambda there: table.revoked(there, "ada", NOW + 5))
    found = await other.read()
    assert found is not None
    assert found.grants[digest("ada")].revoked == NOW + 5
    for name, words in (("ada", "has ended already"), ("eve", "There is no token 'eve'")):
        with pytest.raises(Refused, match=words):
            await one.change(lambda there, name=name: table.revoked(there, name, NOW + 6))  # type: ignore[misc]


async def test_a_book_that_is_an_older_copy_is_told_what_it_lacks(opened: Opened) -> None:
    """What was revoked since does not come back."""
    book = opened()
    await add(book, "ada")
    older = await add(book, "bob")
    roster = Roster({}, opened(), lambda: NOW)
    since = table.revoked(older.grants, "bob", NOW)
    roster.took(Table(older.version + 10**12, table.added(since, digest("eve"), Grant("eve"), NOW)))
    await roster.look()
    again = await book.read()
    assert names(again) == ["ada", "bob", "eve"]
    assert again is not None
    assert again.version > older.version + 10**12
    assert [grant.name for grant in again.grants.values() if grant.ended(NOW)] == ["bob"]


async def test_a_revocation_reaches_the_other_rosters_with_their_next_look(opened: Opened) -> None:
    book = opened()
    office = Office(book, ["shared"], lambda: NOW)
    token, what = await office.create({"name": "ada", "models": ["groq/*"], "requests_per_minute": 5})
    rosters = [Roster({}, opened(), lambda: NOW) for _ in range(3)]
    for roster in rosters:
        assert (roster.required, roster.complete) == (False, False)
        await roster.look()
        found = roster.find(token)
        assert found is not None
        assert (found.ended(NOW), found.limits.requests, what["name"]) == ("", 5, "ada")
        assert roster.find(token + "x") is None
    await office.revoke("ada")
    for roster in rosters:
        await roster.look()
        ended = roster.find(token)
        assert ended is not None
        assert ended.ended(NOW) == "revoked"
        assert roster.required, "with its last token gone, the gateway is not open"


async def test_a_token_of_the_settings_is_not_the_books(opened: Opened) -> None:
    office = Office(opened(), ["ada", "shared"], lambda: NOW)
    with pytest.raises(Refused, match="taken in the settings"):
        await office.create({"name": "ada"})
    with pytest.raises(Refused, match=r"stands in the settings: take it out of \[\[tokens\]\]"):
        await office.revoke("ada")
    with pytest.raises(Refused, match="ANTHROPIC_AUTH_TOKEN"):
        await office.revoke("shared")


# -- of one place


async def test_redis_holds_the_digest_and_nothing_else_of_a_token(one_redis: RedisServer) -> None:
    prefix, token = unique_prefix(), mint()
    async with plain_client(one_redis.port) as client:
        line = Line(Redis(port=one_redis.port), deadline=10.0)
        await add(RedisBook(line, Names(prefix)), "ada", token=token)
        await line.aclose()
        found = [each.decode() async for each in client.scan_iter(f"{prefix}*")]
        assert found == [f"{prefix}{{clients}}:tokens"]
        held = repr(await client.hgetall(found[0]))
        assert 0 < await client.ttl(found[0]) <= 400 * 86400
    assert digest(token) in held
    assert token not in held
    assert token.removeprefix("kt_") not in held


async def test_a_redis_that_began_anew_is_told(one_redis: RedisServer) -> None:
    prefix = unique_prefix()
    line = Line(Redis(port=one_redis.port), deadline=10.0)
    book = RedisBook(line, Names(prefix))
    roster = Roster({}, book, lambda: NOW)
    await add(book, "ada")
    await roster.look()
    async with plain_client(one_redis.port) as client:
        await client.delete(f"{prefix}{{clients}}:tokens")
    await roster.look()
    assert names(await book.read()) == ["ada"]
    await line.aclose()


async def test_while_redis_is_away_what_is_known_goes_on() -> None:
    line = Line(Redis(port=1), deadline=0.05)
    book = RedisBook(line, Names("x:"))
    roster = Roster({}, book, lambda: NOW)
    await roster.look()
    assert (roster.complete, roster.required) == (False, False)
    roster.took(Table(5, {digest("t"): ADA}))
    await roster.look()
    assert roster.find("t") == ADA
    with pytest.raises(BookAway, match="Redis is away"):
        await add(book, "ada")
    await line.aclose()


async def test_the_state_files_other_members_stay(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    gateways, book = StateFile(path), FileBook(StateFile(path))
    gateways.write({"providers": {"acme": {"state": 1}}})
    await add(book, "ada")
    gateways.write({"providers": {"acme": {"state": 2}}})
    kept = json.loads(path.read_text())
    assert kept["providers"] == {"acme": {"state": 2}}
    assert names(await book.read()) == ["ada"]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_file_that_is_none_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("{ half")
    book = FileBook(StateFile(path))
    with pytest.raises(BookAway, match="holds no state of this version"):
        await add(book, "ada")
    assert path.read_text() == "{ half"
    gateways = StateFile(path)
    gateways.write({"providers": {}})
    assert (tmp_path / "state.json.unreadable").read_text() == "{ half"
    assert names(await add(book, "ada")) == ["ada"]


async def test_a_record_that_somebody_spoiled_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    book = FileBook(StateFile(path))
    await add(book, "ada")
    kept = json.loads(path.read_text())
    kept["tokens"]["by_digest"][digest("ada")]["requests_per_minute"] = "many"
    kept["tokens"]["by_digest"][digest("eve")] = {"models": []}
    path.write_text(json.dumps(kept))
    roster = Roster({}, book, lambda: NOW)
    await roster.look()
    found = roster.find("ada")
    assert found is not None
    assert found.ended(NOW) == "revoked"
    assert roster.find("eve") is None
