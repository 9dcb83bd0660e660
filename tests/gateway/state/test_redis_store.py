"""What holds of the store in Redis beyond what holds of any: on a real server, by the server's clock."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.clients.redis_book import RedisBook
from gateway.state.facts import FactBook
from gateway.state.line import Job, Line
from gateway.state.records import KEPT, Records
from gateway.state.redis_text import Names
from gateway.state.scripts import ADMIT, ALIVE
from gateway.state.usage_book import UsageBook
from gateway.usage import Row, Tally, Who
from middleware.grant import Grant
from providers.errors import ErrorKind, Scope
from providers.keys import KeyPool
from providers.secret import Secret
from providers.spec import KeySource, Limits, Traffic
from providers.state import OPERATOR, Candidate, RestOrder
from tests.chaos.faults import plain, say
from tests.gateway.state.conftest import unique_prefix
from tests.gateway.state.sharing import replica
from tests.gateway.state.support import HOUR, LIMITED, REFUSED, keys, order
from tests.gateway_process import ROOT
from tests.moments import Moments
from tests.providers.support import Watcher, config
from tests.redis_server import RedisServer

MANY = Limits(requests=600, tokens=60_000, concurrency=5)


async def names_of(client: Redis, prefix: str) -> list[str]:
    return sorted([each.decode() async for each in client.scan_iter(f"{prefix}*")])


async def test_one_command_admits_and_one_settles(real_redis: RedisServer) -> None:
    pool = keys(5, MANY)
    async with replica(real_redis.url, unique_prefix()) as one, plain(real_redis.port) as client:
        one.desk.model_limits, one.desk.traffic = MANY, Traffic(rate=1000, concurrency=50)
        await one.desk.serve(pool)

        async def commands() -> dict[str, int]:
            stats = await client.info("commandstats")
            return {name: each["calls"] for name, each in stats.items() if name.startswith("cmdstat_eval")}

        before = await commands()
        for _ in range(10):
            await one.desk.serve(pool, tokens=10)
        after = await commands()
        assert after["cmdstat_evalsha"] - before["cmdstat_evalsha"] == 20
        assert after["cmdstat_eval"] == before["cmdstat_eval"]


async def test_a_server_that_forgot_its_scripts_is_told_them(real_redis: RedisServer) -> None:
    pool = keys(2, MANY)
    async with replica(real_redis.url, unique_prefix()) as one, plain(real_redis.port) as client:
        await one.desk.serve(pool)
        await client.script_flush()
        asked = await asyncio.gather(*(one.desk.ask(pool) for _ in range(5)))
        assert all(admission.candidate for _, admission in asked)
        await client.script_flush()
        await asyncio.gather(*(one.desk.ok(lease) for lease, _ in asked))
        seen = (await one.desk.seen(pool)).keys
        assert sum(each.in_flight for each in seen) == 0
        assert sum(each.used for each in seen) == 6
        assert one.told.lost == []


async def test_every_key_has_an_end_and_one_tag_for_a_provider(real_redis: RedisServer) -> None:
    pool, prefix = keys(3, MANY), unique_prefix()
    async with replica(real_redis.url, prefix) as one, plain(real_redis.port) as client:
        one.desk.model_limits, one.desk.traffic = MANY, Traffic(rate=1000, concurrency=50)
        await one.desk.failed(await one.desk.take(pool), REFUSED)
        await one.desk.take(pool[1:])
        await one.desk.rest(None, RestOrder(Scope.MODEL, OPERATOR, HOUR), "other")
        await one.beat()
        names = await names_of(client, prefix)
        assert names == [
            f"{prefix}alive",
            *(f"{prefix}{{acme}}:{name}" for name in ("held", "leases", "rests", "state")),
        ]
        for name in names:
            assert 0 < await client.ttl(name) <= 40 * 86400, name


async def test_no_key_and_no_name_of_one_is_in_redis(real_redis: RedisServer) -> None:
    prefix, secrets = unique_prefix(), ["sk-live-0123456789abcdef", "sk-live-fedcba9876543210"]
    sources = tuple(
        KeySource(Secret(secret), "ACME_API_KEY", f"label{number}", account="Alice")
        for number, secret in enumerate(secrets)
    )
    async with replica(real_redis.url, prefix) as one, plain(real_redis.port) as client:
        pool = KeyPool(config("http://127.0.0.1:9", keys=sources), one.store, Watcher(), Moments().time())
        for key in pool.keys:
            await one.desk.failed(await one.desk.take([key.candidate]), LIMITED)
            await one.desk.take([key.candidate], "other")
            await pool.rest(key, "", REFUSED)
        dumped = b""
        for name in await names_of(client, prefix):
            dumped += name.encode() + repr(await _whole(client, name)).encode()
        for word in [*secrets, "label", "Alice", pool.keys[0].candidate.id, Secret(secrets[0]).fingerprint()]:
            assert word.encode() not in dumped


async def _whole(client: Redis, name: str) -> object:
    match str(await client.type(name)):
        case "hash" | "b'hash'":
            return await client.hgetall(name)
        case "zset" | "b'zset'":
            return await client.zrange(name, 0, -1, withscores=True)
        case _:
            return await client.get(name)


async def test_keys_in_another_order_are_the_same_keys(real_redis: RedisServer) -> None:
    prefix = unique_prefix()
    sources = tuple(KeySource(Secret(f"sk-{number}"), f"ACME_API_KEY_{number}") for number in range(3))
    async with replica(real_redis.url, prefix) as one, replica(real_redis.url, prefix) as other:
        ours = KeyPool(config("http://127.0.0.1:9", keys=sources), one.store, Watcher(), Moments().time())
        theirs = KeyPool(config("http://127.0.0.1:9", keys=sources[::-1]), other.store, Watcher(), Moments().time())
        await ours.rest(ours.keys[0], "", REFUSED)
        assert [bool(each.rests) for each in (await ours.snapshot()).keys] == [True, False, False]
        assert [bool(each.rests) for each in (await theirs.snapshot()).keys] == [False, False, True]


async def test_prefixes_do_not_meet(real_redis: RedisServer) -> None:
    pool, others = keys(1), keys(1)
    async with replica(real_redis.url, unique_prefix()) as one, replica(real_redis.url, unique_prefix()) as other:
        await one.desk.failed(await one.desk.take(pool), REFUSED)
        assert await other.desk.serve(others) == "k1"


@pytest.mark.parametrize("scope", [Scope.KEY, Scope.KEY_MODEL, Scope.ACCOUNT, Scope.MODEL])
async def test_a_rest_written_by_one_is_obeyed_by_all_within_50_ms(real_redis: RedisServer, scope: Scope) -> None:
    prefix, pools = unique_prefix(), [keys(1) for _ in range(8)]
    order = RestOrder(scope, "rate_limited", 60.0, 60.0, honest=True)
    async with asyncio.TaskGroup() as group:
        ready, written = asyncio.Barrier(8), asyncio.Event()

        async def process(number: int, pool: tuple[Candidate, ...]) -> None:
            async with replica(real_redis.url, prefix, deadline=5.0) as one:
                lease = await one.desk.take(pool)
                await ready.wait()
                if number == 0:
                    await one.desk.failed(lease, order)
                    written.set()
                await written.wait()
                began = time.perf_counter()
                refused = await one.desk.refusal(pool)
                assert refused.reason == "rate_limited"
                assert refused.wait > 55
                if number:
                    await one.desk.ok(lease)
                    took.append(time.perf_counter() - began)
                    assert (await one.desk.refusal(pool)).reason == "rate_limited", "older successes change nothing"

        took: list[float] = []
        for number, pool in enumerate(pools):
            group.create_task(process(number, pool))
    # All of them knew at their next question; that it takes them less than 50 ms is the server's doing.
    assert sorted(took)[len(took) // 2] < 0.5


async def test_a_lease_that_nobody_waited_for_is_given_back(real_redis: RedisServer) -> None:
    """Its client left while the answer was on its way; who asked says so, as ``KeyPool.admit`` does."""
    pool = keys(1, Limits(concurrency=1))
    async with replica(real_redis.url, unique_prefix(), deadline=5.0) as one:
        await one.desk.serve(pool)
        for turns in range(12):
            asking = asyncio.create_task(one.desk.ask(pool, lease=f"given-up-{turns}"))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await one.desk.abandoned(f"given-up-{turns}")
            assert (await one.desk.key(pool[0])).in_flight == 0
            assert await one.desk.serve(pool) == "k1"


# -- leases


async def test_leases_of_a_process_that_died_are_over_after_one_life(real_redis: RedisServer) -> None:
    prefix, pool, life = unique_prefix(), keys(1, Limits(concurrency=2)), 0.4
    async with replica(real_redis.url, prefix, life=life) as other:
        async with replica(real_redis.url, prefix, life=life) as one:
            one.desk.usage_limit = 100
            for _ in range(2):
                await one.desk.take(pool)
        assert (await other.desk.refusal(pool)).reason == "concurrency"
        began = time.monotonic()
        async with asyncio.timeout(10):
            while True:
                lease, admission = await other.desk.ask(pool)
                if admission.candidate:
                    break
                await other.looks.look()
        assert life - 0.1 < time.monotonic() - began
        # What became of them counts as nothing; the second one may end a moment after the first.
        async with asyncio.timeout(10):
            while ((seen := await other.desk.key(pool[0])).in_flight, seen.used) != (1, 1):
                await other.looks.look()
        await other.desk.ok(lease)


async def test_a_sign_of_life_keeps_leases(real_redis: RedisServer) -> None:
    prefix, pool, life = unique_prefix(), keys(1, Limits(concurrency=1)), 0.3
    async with replica(real_redis.url, prefix, life=life) as one, replica(real_redis.url, prefix, life=life) as other:
        await one.desk.take(pool)
        until = time.monotonic() + 2 * life
        while time.monotonic() < until:
            await one.beat()
            assert (await other.desk.refusal(pool)).reason == "concurrency"


async def test_a_lease_that_ran_out_while_its_process_slept_counts_again(real_redis: RedisServer) -> None:
    prefix, pool = unique_prefix(), keys(1, Limits(concurrency=1))
    async with replica(real_redis.url, prefix, life=0.001) as one, replica(real_redis.url, prefix) as other:
        lease = await one.desk.take(pool)
        async with asyncio.timeout(10):
            while (await other.desk.key(pool[0])).in_flight:
                await other.looks.look()
        later = await other.desk.take(pool)
        await one.beat()
        await other.desk.ok(later)
        await one.desk.ok(lease)
        assert (await other.desk.key(pool[0])).in_flight == 0


async def test_what_a_full_server_dropped_is_counted_anew(real_redis: RedisServer) -> None:
    """An eviction may take any one of a provider's keys."""
    for name in ("state", "leases", "held", "rests"):
        prefix, pool = unique_prefix(), keys(2, Limits(concurrency=3))
        async with replica(real_redis.url, prefix) as one, plain(real_redis.port) as client:
            held = [await one.desk.take(pool) for _ in range(3)]
            await client.delete(f"{prefix}{{acme}}:{name}")
            await one.beat()
            assert (await one.desk.key(pool[0])).in_flight == 3, name
            for lease in held:
                await one.desk.ok(lease)
            assert (await one.desk.key(pool[0])).in_flight == 0, name
            await one.beat()
            assert [await one.desk.take(pool) for _ in range(3)], name


# -- any client can name any model


async def test_invented_models_take_no_room_and_what_rests_now_is_remembered(real_redis: RedisServer) -> None:
    prefix, pool, most = unique_prefix(), keys(2), 2048
    async with replica(real_redis.url, prefix, deadline=5.0) as one, plain(real_redis.port) as client:
        rests = f"{prefix}{{acme}}:rests"
        await one.desk.failed(await one.desk.take(pool, "real"), order(ErrorKind.RATE_LIMITED, HOUR))
        await one.desk.failed(await one.desk.take(pool[1:]), REFUSED)
        text = f"{time.time() + HOUR} {time.time()} 1 1 0 -1 rate_limited - "
        over = " ".join(["1000", *text.split(" ")[1:]])
        await client.hset(rests, mapping={f"m:invented-{number}": over for number in range(most)})
        await one.desk.failed(await one.desk.take(pool, "one more"), LIMITED)
        assert one.told.lost == []
        assert await client.hlen(rests) == 3
        now = " ".join(["9" * 12, *text.split(" ")[1:]])
        await client.hset(rests, mapping={f"m:resting-{number}": now for number in range(most)})
        await one.desk.failed(await one.desk.take(pool, "and another"), LIMITED)
        assert most // 3 < await client.hlen(rests) < most
        assert (await one.desk.refusal(pool[1:])).reason == "key_refused", "what holds for all models stays"


async def test_names_of_any_length_and_kind_are_models(real_redis: RedisServer) -> None:
    async with replica(real_redis.url, unique_prefix(), deadline=5.0) as one, plain(real_redis.port) as client:
        for name in ("m" * 100_000, "a b;c\nd", "{acme}", "k:\u00e9 \U0001f600", "\x00", "x" * 301):
            pool = keys(2)
            await one.desk.failed(await one.desk.take(pool, name), LIMITED)
            await one.desk.rest(pool[1], RestOrder(Scope.KEY_MODEL, OPERATOR, 60.0), name)
            refused = await one.desk.refusal(pool, name)
            assert [each.reason for each in refused.passed] == ["rate_limited", OPERATOR]
            assert one.told.lost == []
            lease, admission = await one.desk.ask(pool, "other")
            assert admission.candidate is pool[0], (name[:9], admission.passed)
            await one.desk.ok(lease)
            for each in pool:
                await one.desk.wake(each)
        assert one.told.lost == []
        assert int((await client.info("memory"))["used_memory"]) < 10**8


# -- numbers and clocks


async def test_numbers_are_exact(real_redis: RedisServer) -> None:
    """Ten thousand charges of a token limit end where one of their sum does, on a clock that counts from 1970."""
    [key] = keys(1, Limits(tokens=10**6))
    async with replica(real_redis.url, unique_prefix()) as one:
        leases = await asyncio.gather(*(one.desk.ask([key], tokens=25) for _ in range(2000)))
        taken = sum(admission.candidate is not None for _, admission in leases)
        assert taken == 2000
        refused = await one.desk.refusal([key], tokens=250_000)
        assert refused.wait == pytest.approx(2000 * 25 * 60 / 10**6, abs=2.5)
        await asyncio.gather(*(one.desk.ok(lease, 0) for lease, _ in leases))
        await one.desk.take([key], tokens=250_000)


async def test_the_servers_clock_counts_and_no_other(real_redis: RedisServer) -> None:
    """Two processes whose clocks are an hour apart agree."""
    prefix, pool = unique_prefix(), keys(1)
    async with replica(real_redis.url, prefix) as one, replica(real_redis.url, prefix, ahead=HOUR) as other:
        await one.desk.failed(await one.desk.take(pool), REFUSED)
        refused = await other.desk.refusal(pool)
        assert HOUR / 2 - 5 < refused.wait <= HOUR / 2
        [rest] = pool[0].view.rests.values()
        assert HOUR - 5 < rest.until - time.monotonic() - HOUR / 2 < HOUR + 5, "as its own clock has it"


async def test_the_script_files_stand_in_the_package() -> None:
    import gateway.state as package

    folder = Path(package.__file__).parent / "lua"
    assert ADMIT.text.count("\n") > 100
    assert {each.suffix for each in folder.iterdir()} == {".lua"}


async def test_a_line_that_is_closed_says_so(real_redis: RedisServer) -> None:
    line = Line(Redis(port=real_redis.port))
    asking = asyncio.ensure_future(line.run(Job(ALIVE, ("x",), ["", ""])))
    await asyncio.sleep(0)
    await line.aclose()
    with pytest.raises(Exception, match="closed"):
        await asking


async def test_the_rights_that_the_papers_name_suffice(real_redis: RedisServer) -> None:
    prefix, pool = unique_prefix(), keys(2, MANY)
    [line] = [line for line in (ROOT / "docs/redis.md").read_text().splitlines() if line.startswith("ACL SETUSER ")]
    rule = line.replace("<password>", "secret").replace("~keyturn:*", f"~{prefix}*").split()
    async with plain(real_redis.port) as client:
        await say(client, *rule[:3], "reset", *rule[3:])
    url = f"redis://keyturn:secret@127.0.0.1:{real_redis.port}/0"
    async with replica(url, prefix) as one:
        one.desk.model_limits, one.desk.traffic = MANY, Traffic(rate=1000, concurrency=50)
        await one.desk.failed(await one.desk.take(pool), REFUSED)
        await one.desk.ok(await one.desk.take(pool[1:]))
        await one.desk.take(pool[1:])
        await one.desk.wake(pool[0])
        await one.desk.rest(None, RestOrder(Scope.MODEL, OPERATOR, HOUR), "other")
        await one.desk.seen(pool)
        await one.beat()
        records, book = Records(one.line, Names(prefix)), FactBook(one.line, Names(prefix))
        await records.keep([(f"req_{number}", "{}") for number in range(KEPT + 5)])
        assert await records.find("req_1004") == "{}"
        assert await records.find("req_4") is None, "only so many are kept"
        assert await book.exchange(["acme"], {"acme": {"refused": {"m": {}}}}) == {"acme": {"refused": {"m": {}}}}
        tokens, usage = RedisBook(one.line, Names(prefix)), UsageBook(one.line, Names(prefix), 1)
        await tokens.change(lambda _: {"digest": Grant("ada")})
        assert await tokens.change(lambda _: {}) == await tokens.read()
        for number in (1, 2):
            await usage.add(number, [Row(Who("ada", f"s{number}"), Tally(1))])
        assert len((await usage.read())[1]) == 2
        assert one.told.lost == []
    async with replica(url, "of-somebody-else:") as one:
        assert one.store.away is not None
        assert one.store.away.reason == "refused"
