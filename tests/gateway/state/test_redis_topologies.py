"""A cluster of three real servers, a master that Sentinels watch over, and a server behind TLS."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
from redis.asyncio import Redis

from gateway.clients.redis_book import RedisBook
from gateway.state.redis_text import Names
from gateway.state.usage_book import UsageBook
from gateway.usage import Row, Tally, Who
from middleware.grant import Grant
from providers.spec import Limits
from tests.chaos.faults import plain, say, watched
from tests.eventually import eventually
from tests.gateway.state.conftest import unique_prefix
from tests.gateway.state.sharing import replica
from tests.gateway.state.support import REFUSED, Desk, keys
from tests.redis_server import INSTALL, RedisServer, binary, free_port, redis_server
from tests.slow_proxy import slow_proxy

SLOTS = 16384
BUS = 10_000  # a cluster's servers talk to each other on a port so much higher


@pytest.fixture(scope="module")
def servers() -> Iterator[list[RedisServer]]:
    """Three masters that share the slots."""
    if binary() is None:
        pytest.skip(INSTALL)
    with ExitStack() as stack:
        found = []
        for number in range(3):
            options = (("cluster-enabled", "yes"), ("cluster-config-file", f"nodes-{number}.conf"))
            found.append(stack.enter_context(redis_server(*options, port=_port_for_cluster())))
        asyncio.run(_joined(found))
        yield found


def _port_for_cluster() -> int:
    while (port := free_port()) + BUS > 65535:
        pass
    return port


async def _joined(servers: list[RedisServer]) -> None:
    for number, server in enumerate(servers):
        async with plain(server.port) as client:
            own = range(number * SLOTS // 3, (number + 1) * SLOTS // 3)
            await say(client, "CLUSTER", "ADDSLOTS", *own)
            await say(client, "CLUSTER", "MEET", "127.0.0.1", servers[0].port)
    for server in servers:
        async with plain(server.port) as client:

            async def agreed() -> bool:
                info = dict(line.split(":") for line in (await say(client, "CLUSTER", "INFO")).decode().split())
                return (info["cluster_state"], info["cluster_known_nodes"]) == ("ok", "3")

            await eventually(agreed)


def cluster_url(servers: list[RedisServer]) -> str:
    return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in servers)


async def test_providers_are_spread_over_a_cluster(servers: list[RedisServer]) -> None:
    prefix, names = unique_prefix(), [f"provider{number}" for number in range(12)]
    async with replica(cluster_url(servers), prefix, deadline=5.0) as one:
        desks = [Desk(one.store, one.desk.clock, name) for name in names]
        pools = [keys(2, Limits(requests=40_000, concurrency=3)) for _ in names]

        async def uses(desk: Desk, number: int) -> None:
            pool = pools[number]
            assert await desk.serve(pool) == "k1"
            lease = f"{desk.provider}-{number}"
            await desk.ask(pool, lease=lease)
            await desk.failed(lease, REFUSED)
            assert (await desk.refusal(pool[:1])).reason == "key_refused"
            assert (await desk.ask(pool, lease=f"{lease}-2"))[1].candidate is pool[1]

        await asyncio.gather(*(uses(desk, number) for number, desk in enumerate(desks)))
        await one.beat()
        assert one.told.lost == []
        held = []
        for server in servers:
            async with plain(server.port) as client:
                held.append(
                    {name.decode().partition("{")[2].partition("}")[0] async for name in client.scan_iter(f"{prefix}*")}
                )
        assert all(held)
        assert set[str]().union(*held) >= set(names)
        assert sum(len(each & set(names)) for each in held) == len(names), "a provider's keys are in one place"


async def test_clients_are_spread_over_a_cluster_too(servers: list[RedisServer]) -> None:
    """Each client's limits have a tag of their own, and so have the tokens and the sums of what was used."""
    prefix, clients = unique_prefix(), [f"client:{number}" for number in range(9)]
    ada = keys(1, Limits(requests=1, tokens=100, concurrency=1))
    async with replica(cluster_url(servers), prefix, deadline=5.0) as one:
        for name in clients:
            desk = Desk(one.store, one.desk.clock, name, bucket=True)
            lease = f"{name}-1"
            assert (await desk.ask(ada, lease=lease))[1].candidate is ada[0]
            await desk.refunded(lease)
            assert (await desk.ask(ada, lease=f"{name}-2"))[1].candidate is ada[0]
            assert (await desk.refusal(ada)).reason == "concurrency"
        tokens, usage = RedisBook(one.line, Names(prefix)), UsageBook(one.line, Names(prefix))
        written = await tokens.change(lambda _: {"digest": Grant("ada")})
        assert await tokens.read() == written
        await usage.add(1, [Row(Who("ada"), Tally(1))])
        assert (await usage.read())[1] == [Row(Who("ada"), Tally(1))]
        assert one.told.lost == []
        held = set[str]()
        for server in servers:
            async with plain(server.port) as client:
                held |= {
                    name.decode().partition("{")[2].partition("}")[0] async for name in client.scan_iter(f"{prefix}*")
                }
    assert held >= {*clients, "clients", "usage"}


async def test_a_server_of_a_cluster_that_forgot_its_scripts(servers: list[RedisServer]) -> None:
    async with replica(cluster_url(servers), unique_prefix(), deadline=5.0) as one:
        pool = keys(2)
        await one.desk.serve(pool)
        for server in servers:
            async with plain(server.port) as client:
                await client.script_flush()
        asked = await asyncio.gather(*(one.desk.ask(pool) for _ in range(5)))
        assert all(admission.candidate for _, admission in asked)
        assert one.told.lost == []


async def test_a_cluster_that_loses_a_server(servers: list[RedisServer]) -> None:
    """Its slots are nobody's: providers there, and since a cluster then stops, all, fall back; and come back."""
    pool = keys(2)
    async with replica(cluster_url(servers), unique_prefix()) as one:
        await one.desk.serve(pool)
        for server in servers:
            server.freeze()
        assert await one.desk.serve(pool) in ("k1", "k2")
        assert one.store.away is not None
        for server in servers:
            server.thaw()

        async def back() -> bool:
            await one.looks.look()
            return one.store.away is None

        await eventually(back)
        await one.desk.serve(pool)


# -- Sentinels


async def test_after_a_failover_the_new_master_is_used() -> None:
    if binary() is None:
        pytest.skip(INSTALL)
    prefix, pool = unique_prefix(), keys(2)
    with redis_server() as master:
        async with watched(master) as (url, second), replica(url, prefix) as one, plain(second.port) as follower:
            await one.desk.failed(await one.desk.take(pool), REFUSED)
            await eventually(lambda: _has(follower, prefix))
            master.kill()
            assert await one.desk.serve(pool) == "k2"
            assert one.store.away is not None

            async def back() -> bool:
                await one.looks.look()
                return one.store.away is None

            await eventually(back)
            assert await one.desk.serve(pool) == "k2"
            assert (await one.desk.refusal(pool[:1])).reason == "key_refused", "replicated, or told again"
            assert (await follower.info("replication"))["role"] == "master"


async def _has(client: Redis, prefix: str) -> bool:
    return bool(await say(client, "EXISTS", f"{prefix}{{acme}}:rests"))


# -- TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of 127.0.0.1 and its own authority, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here: apt-get install openssl")
    key, found = tmp_path / "key.pem", tmp_path / "both.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=keyturn"
    extra = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(found)]
    subprocess.run(["openssl", *request.split(), *extra], check=True, capture_output=True)
    found.write_text(found.read_text() + key.read_text())
    return found


async def test_rediss_is_tls_and_who_answers_is_checked(real_redis: RedisServer, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    pool = keys(1)
    async with slow_proxy(real_redis.port, context) as proxy:
        url = f"rediss://127.0.0.1:{proxy.port}/0"
        async with replica(f"{url}?ssl_ca_certs={quote(str(certificate))}", unique_prefix(), deadline=5.0) as one:
            assert await one.desk.serve(pool) == "k1"
            assert one.store.away is None
        async with replica(url, unique_prefix()) as one:
            assert await one.desk.serve(pool) == "k1"
            assert one.store.away is not None, "nobody vouches for it"
