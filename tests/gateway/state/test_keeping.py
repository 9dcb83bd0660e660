"""Rests, counts and what was found out about models outlast a restart: in a file, or in Redis."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway.settings.redis_address import SINGLE, RedisAddress
from gateway.state.facts import FactBook
from gateway.state.keeping import KeptInFile, KeptInRedis
from gateway.state.ledger import Ledger
from gateway.state.line import Line
from gateway.state.memory import MemoryStore
from gateway.state.plain import Clocks, plain, restore
from gateway.state.redis_client import redis_client
from gateway.state.redis_text import Names
from gateway.state.state_file import StateFile
from providers.dialects import discover
from providers.errors import ErrorKind, Scope, UpstreamFailure
from providers.learning.lessons import Learned
from providers.registry import Registry
from providers.secret import Secret
from providers.spec import KeySource, ProviderConfig, Rotation, UsageWindow
from providers.state import OPERATOR, Ask, RestOrder, Settlement
from providers.transport import http_transport
from tests.chaos.faults import plain as plain_client
from tests.gateway.state.conftest import unique_prefix
from tests.gateway.state.support import BROKEN, HOUR, NOON, REFUSED, Desk, HandClock, keys, near, order
from tests.moments import Moments
from tests.providers.support import Watcher, config
from tests.redis_server import RedisServer

SECRETS = ("sk-live-0123456789", "sk-live-9876543210")
REFUSAL = b'{"error": {"message": "Unsupported parameter: temperature", "param": "temperature"}}'


class Life:
    """A process, from its start to its end. Its clock begins anew; the wall's goes on."""

    def __init__(self, wall: float, sources: tuple[str, ...] = SECRETS, **changes: Any) -> None:
        self.moments = Moments(frozen=True)
        self.time = replace(self.moments.time(), wall=lambda: wall + self.moments.ahead)
        self.store = MemoryStore(self.time.clock, self.time.wall)
        keys = tuple(KeySource(Secret(text), "ACME_API_KEY", account="team") for text in sources)
        configured: ProviderConfig = config("http://127.0.0.1:9", keys=keys, **changes)
        self.registry = Registry([configured], discover(), {"http": http_transport}, self.store, Watcher(), self.time)
        self.pool = self.registry.pools[configured.id]

    def file(self, path: Path) -> KeptInFile:
        return KeptInFile(self.registry, self.store, StateFile(path), self.time)

    def book(self, line: Line, names: Names) -> KeptInRedis:
        return KeptInRedis(self.registry, FactBook(line, names))

    def learn(self) -> None:
        failure = UpstreamFailure(ErrorKind.INVALID_REQUEST, "no")
        self.registry.get("acme").pupil.learn(failure, "m", 400, REFUSAL)

    @property
    def learned(self) -> Learned | None:
        return self.registry.get("acme").pupil.known.get("m")

    async def end(self) -> None:
        await self.registry.aclose()


async def states(life: Life) -> list[list[tuple[str, str, int]]]:
    """Of each key: the reasons, models and seconds of its rests."""
    seen = await life.pool.snapshot()
    return [[(rest.reason, rest.model, round(rest.seconds)) for rest in key.rests] for key in seen.keys]


# -- in a file


async def test_what_a_process_knew_its_successor_knows(tmp_path: Path) -> None:
    path, rotation = tmp_path / "deep" / "state.json", Rotation(usage_limit=5, usage_window=UsageWindow.DAY)
    first = Life(NOON, rotation=rotation)
    await first.file(path).begin()
    desk = Desk(first.store, HandClock(), usage_limit=5, usage_window=UsageWindow.DAY)
    one, other = first.pool.candidates
    assert await desk.serve([one]) == one.id
    await desk.failed(await desk.take([one]), REFUSED)
    await desk.failed(await desk.take([other], "m"), order(ErrorKind.RATE_LIMITED, 90.0))
    await desk.failed(await desk.take([other], "n"), order(ErrorKind.ACCOUNT_QUOTA, 500.0))
    await first.store.rest("acme", None, "gone", RestOrder(Scope.MODEL, OPERATOR, HOUR))
    first.learn()
    await first.file(path).keep()
    await first.end()

    second = Life(NOON + 60.0, sources=SECRETS[::-1], rotation=rotation)
    await second.file(path).begin()
    assert await states(second) == [[("rate_limited", "m", 30)], [("key_refused", "", HOUR / 2 - 60)]]
    seen = await second.pool.snapshot()
    assert {(rest.reason, rest.model, rest.account, round(rest.seconds)) for rest in seen.rests} == {
        ("account_quota", "", "team", 440),
        (OPERATOR, "gone", "", HOUR - 60),
    }
    assert [key.used for key in seen.keys] == [0, 1]
    assert second.learned == Learned(frozenset({"temperature"}))
    await second.end()


async def test_a_ladder_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    first = Life(NOON, SECRETS[:1])
    desk = Desk(first.store, HandClock())
    [key] = first.pool.candidates
    assert await desk.fail(key, REFUSED) == near(HOUR / 2)
    await first.file(path).keep()
    second = Life(NOON + HOUR, SECRETS[:1])
    await second.file(path).begin()
    [key] = second.pool.candidates
    desk = Desk(second.store, HandClock())
    lease, admission = await desk.ask([key])
    assert admission.probe
    await desk.failed(lease, REFUSED)
    assert await desk.wait([key]) == near(HOUR)


async def test_the_file_is_its_owners_and_holds_no_key(tmp_path: Path) -> None:
    path, life = tmp_path / "state.json", Life(NOON)
    await life.pool.rest(life.pool.keys[0], "", REFUSED)
    await life.file(path).keep()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == [f".{path.name}.lock", path.name]
    text = path.read_text()
    assert not any(secret in text for secret in SECRETS)
    json.loads(text)


async def test_a_file_that_is_none_is_begun_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state.json"
    for text in (
        "",
        "{",
        "[]",
        '{"version": 99}',
        '{"version": 1, "providers": 7}',
        '{"version":1,"providers":{"acme":3}}',
    ):
        path.write_text(text)
        life = Life(NOON)
        keeping = life.file(path)
        await keeping.begin()
        assert await states(life) == [[], []]
        await keeping.keep()
        assert json.loads(path.read_text())["version"] == 1
    assert "holds no state of this version" in capsys.readouterr().out


async def test_a_folder_that_takes_no_file_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    life = Life(NOON)
    keeping = life.file(tmp_path / "file" / "state.json")
    for number in range(3):
        life.moments.ahead += number
        await life.pool.rest(life.pool.keys[0], f"m{number}", REFUSED)
        await keeping.keep()
    assert capsys.readouterr().out.count("cannot be written") == 1


async def test_what_is_not_configured_now_is_kept_for_when_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    both = Life(NOON)
    await both.pool.rest(both.pool.keys[1], "", REFUSED)
    both.learn()
    await both.file(path).keep()
    await both.end()
    asleep = Life(NOON + 1)  # nothing is asked of its provider
    keeping = asleep.file(path)
    await keeping.begin()
    await keeping.keep()
    awake = Life(NOON + 2)
    await awake.file(path).begin()
    assert awake.learned == Learned(frozenset({"temperature"}))
    assert (await states(awake))[1] == [("key_refused", "", HOUR / 2 - 2)]
    await awake.end()


MEMBERS = ["round", "keys", "accounts", "models", "k1", "rests", "until", "reason", "since", "step", "cap", "m"]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-3, 10**20) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["round", "keys", "accounts", "models", "k1", "rests", "until", "reason", "since", "step", "m"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(JSON)
def test_nothing_in_a_file_breaks_a_start(kept: Any) -> None:
    ledger, pool = Ledger(), keys(2)
    restore(kept, ledger, pool, Clocks(1000.0, NOON))
    ledger.admit(Ask("lease", "acme", "m", pool, 10), 1000.0, NOON)
    ledger.settle("lease", Settlement("failed", None, BROKEN), 1000.0)
    ledger.snapshot(pool, 1000.0)
    plain(ledger, pool, Clocks(1000.0, NOON))


@given(JSON)
def test_nothing_that_was_kept_breaks_learning(kept: Any) -> None:
    learned = Learned.of(kept)
    assert Learned.of(json.loads(json.dumps(learned.plain()))) == learned


# -- in Redis


async def test_processes_tell_each_other_what_they_found_out(real_redis: RedisServer) -> None:
    line, names = Line(Redis(port=real_redis.port), 5.0), Names(unique_prefix())
    one, other = Life(NOON), Life(NOON)
    here, there = one.book(line, names), other.book(line, names)
    await here.begin()
    one.learn()
    await here.keep()
    assert other.learned is None
    await there.keep()
    assert other.learned == Learned(frozenset({"temperature"}))

    later = Life(NOON)
    book = later.book(line, names)
    await book.begin()
    assert later.learned == Learned(frozenset({"temperature"})), "at once, not with the first refusal"
    later.registry.get("acme").pupil.remember({"m": {"cap": 100}})
    await book.keep()
    await here.keep()
    assert one.learned == Learned(frozenset({"temperature"}), cap=100)
    async with plain_client(real_redis.port) as client:
        [name] = [key async for key in client.scan_iter(f"{names.prefix}*")]
        assert 0 < await client.ttl(name) <= 90 * 86400
    for life in (one, other, later):
        await life.end()
    await line.aclose()


async def test_without_the_server_each_goes_on_with_its_own() -> None:
    line, life = Line(redis_client(RedisAddress(SINGLE, (("127.0.0.1", 1),))), 5.0), Life(NOON)
    keeping = life.book(line, Names("x:"))
    await keeping.begin()
    life.learn()
    await keeping.keep()
    assert life.learned is not None
    await life.end()
    await line.aclose()
