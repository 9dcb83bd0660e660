"""Whole gateways on one Redis, and one with a state file: what clients, operators and probes see."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.cli.pool_table import table
from gateway.settings import load
from tests.chaos.faults import REASONS, faults
from tests.eventually import eventually
from tests.gateway_process import ONE_ATTEMPT, upstream_env
from tests.redis_server import INSTALL, RedisServer, binary, redis_server
from tests.upstream import Pause, Signal, Upstream, frames, stream, text

FRAMES = frames("m", [text("an answer")])
ASK = {"model": "claude-x", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
ADMIN = {"authorization": "Bearer of-the-admin"}
BOUND = 15.0  # seconds


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server that a test may break."""
    if binary() is None:
        pytest.skip(INSTALL)
    with redis_server() as server:
        yield server


@asynccontextmanager
async def gateway(tmp_path: Path, **environ: str) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway whose demo answers, and which has two keys of a provider besides."""
    own = {"MODEL": "demo/demo", "KEYTURN_ADMIN_TOKEN": "of-the-admin", "GROQ_API_KEYS": "gsk-one-one, gsk-two-two"}
    app = create_app(load({**own, **environ}, tmp_path, tmp_path))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=BOUND) as client:
            yield client


async def metric(client: httpx.AsyncClient, name: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))


async def states(client: httpx.AsyncClient) -> dict[str, str]:
    """Of groq's keys."""
    pool: Any = (await client.get("/admin/pool", headers=ADMIN)).json()
    [groq] = [each for each in pool["providers"] if each["provider"] == "groq"]
    return {key["label"]: key["state"] for key in groq["keys"]}


async def status(client: httpx.AsyncClient) -> list[str]:
    """The lines of ``keyturn status``."""
    return table((await client.get("/admin/pool", headers=ADMIN)).json()).splitlines()


async def ready(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/readyz")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def is_whole(client: httpx.AsyncClient) -> bool:
    return bool((await ready(client))["status"] == "ready")


async def knows(client: httpx.AsyncClient, name: str) -> bool:
    return (await client.get(f"/admin/explain/{name}", headers=ADMIN)).status_code == 200


async def told(capsys: pytest.CaptureFixture[str], words: str) -> str:
    """All that was said until these words were."""
    said = ""

    async def heard() -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return words in said

    await eventually(heard)
    return said


@pytest.mark.parametrize("name", REASONS)
async def test_a_redis_that_is_away_is_an_operators_concern_and_no_clients(
    tmp_path: Path, redis: RedisServer, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with faults(name, redis) as fault, gateway(tmp_path, REDIS_URL=fault.url) as client:
        assert (await client.post("/v1/messages", json=ASK)).status_code == 200
        assert await ready(client) == {"status": "ready"}
        assert re.fullmatch(r"state in Redis, 127.0.0.1:\d+, database 0", (await status(client))[-1])
        assert await metric(client, "keyturn_redis_degraded") == 0
        await fault.breaks()
        answers = await asyncio.gather(*(client.post("/v1/messages", json=ASK) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert await ready(client) == {"status": "degraded", "reason": f"redis: {REASONS[name]}"}
        assert await metric(client, "keyturn_redis_degraded") == 1
        assert await metric(client, f'keyturn_redis_lost_total{{reason="{REASONS[name]}"}}') == 1
        assert await states(client) == {"groq-01": "ready", "groq-02": "ready"}
        assert (await status(client))[-1].endswith(
            f": away ({REASONS[name].replace('_', ' ')}), this process goes by itself"
        )
        assert (await client.post("/admin/keys/groq-01/rest", json={}, headers=ADMIN)).status_code == 200
        said = await told(capsys, "redis is away")
        await fault.mends()
        await eventually(lambda: is_whole(client))
        assert (await client.post("/v1/messages", json=ASK)).status_code == 200
        assert await states(client) == {"groq-01": "rested", "groq-02": "ready"}
    said += capsys.readouterr().out
    assert said.count("redis is away") == said.count("redis is back") == 1
    assert "gsk-" not in said


async def test_what_one_gateway_is_told_another_knows(tmp_path: Path, redis: RedisServer) -> None:
    shared = {"REDIS_URL": redis.url}
    reversed_keys = {"GROQ_API_KEYS": "gsk-two-two, gsk-one-one"}
    async with gateway(tmp_path, **shared) as one, gateway(tmp_path, **shared, **reversed_keys) as other:
        assert (await one.post("/admin/keys/groq-01/rest", json={"seconds": 60}, headers=ADMIN)).status_code == 200
        assert await states(other) == {"groq-01": "ready", "groq-02": "rested"}
        assert (await other.post("/admin/keys/groq-02/wake", headers=ADMIN)).status_code == 200
        assert await states(one) == {"groq-01": "ready", "groq-02": "ready"}

        name = (await one.post("/v1/messages", json=ASK)).headers["request-id"]
        await eventually(lambda: knows(other, name))
        told = await other.get(f"/admin/explain/{name}", headers=ADMIN)
        assert told.json() == (await one.get(f"/admin/explain/{name}", headers=ADMIN)).json()
        missing = await other.get("/admin/explain/req_of_nobody", headers=ADMIN)
        assert missing.status_code == 404


async def test_with_a_file_a_rest_outlasts_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    async with gateway(tmp_path, KEYTURN_STATE_FILE=str(file)) as client:
        assert (await client.post("/admin/keys/groq-02/rest", json={"seconds": 600}, headers=ADMIN)).status_code == 200
    async with gateway(tmp_path, KEYTURN_STATE_FILE="state.json") as client:
        assert await states(client) == {"groq-01": "ready", "groq-02": "rested"}
        assert (await status(client))[-1] == f"state kept in {file}"
    async with gateway(tmp_path) as client:
        assert await states(client) == {"groq-01": "ready", "groq-02": "ready"}


async def test_without_redis_nothing_is_said_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with gateway(tmp_path) as client:
        assert (await client.post("/v1/messages", json=ASK)).status_code == 200
        assert await ready(client) == {"status": "ready"}
    assert "redis" not in capsys.readouterr().out


async def test_a_providers_own_limit_holds_over_gateways(tmp_path: Path, redis: RedisServer) -> None:
    async with Upstream() as upstream:
        environ = upstream_env(upstream.url) | ONE_ATTEMPT | {"REDIS_URL": redis.url, "MODEL": "anthropic/m"}
        environ |= {"ANTHROPIC_UPSTREAM_MAX_CONCURRENCY": "1", "ANTHROPIC_AUTH_TOKEN": "", "CATALOG_REFRESH": "off"}
        go_on = Signal()
        upstream.script(stream(*FRAMES[:4], Pause(go_on), *FRAMES[4:]), stream(*FRAMES))
        async with gateway(tmp_path, **environ) as one, gateway(tmp_path, **environ) as other:
            asking = asyncio.create_task(one.post("/v1/messages", json=ASK | {"stream": True}))
            await upstream.request()
            refused = await other.post("/v1/messages", json=ASK | {"stream": True})
            assert refused.status_code == 429
            assert "its limit is used up (concurrency)" in refused.text
            pool: Any = (await other.get("/admin/pool", headers=ADMIN)).json()
            [anthropic] = [each for each in pool["providers"] if each["provider"] == "anthropic"]
            assert anthropic["queue"]["free_slots"] == 0
            go_on.set()
            assert (await asking).status_code == 200
            assert (await other.post("/v1/messages", json=ASK | {"stream": True})).status_code == 200


@pytest.mark.parametrize("shared", [False, True])
async def test_a_providers_own_limit_is_waited_for_although_there_is_a_fallback(
    tmp_path: Path, redis: RedisServer, shared: bool
) -> None:
    async with Upstream() as upstream:
        environ = upstream_env(upstream.url) | {"MODEL": "anthropic/m", "MODEL_FALLBACKS": "demo/demo"}
        environ |= {"ANTHROPIC_UPSTREAM_MAX_CONCURRENCY": "1", "ANTHROPIC_AUTH_TOKEN": "", "CATALOG_REFRESH": "off"}
        environ |= {"REDIS_URL": redis.url} if shared else {}
        go_on = Signal()
        upstream.script(stream(*FRAMES[:4], Pause(go_on), *FRAMES[4:]), stream(*FRAMES))
        async with gateway(tmp_path, **environ) as one:
            asking = asyncio.create_task(one.post("/v1/messages", json=ASK | {"stream": True}))
            await upstream.request()
            waiting = asyncio.create_task(one.post("/v1/messages", json=ASK | {"stream": True}))
            await eventually(lambda: is_queued(one))
            go_on.set()
            assert (await asking).headers["x-keyturn-provider"] == "anthropic"
            assert (await waiting).headers["x-keyturn-provider"] == "anthropic"


async def is_queued(client: httpx.AsyncClient) -> bool:
    pool: Any = (await client.get("/admin/pool", headers=ADMIN)).json()
    return any(each["queue"]["waiting"] for each in pool["providers"])


async def test_a_providers_own_limit_is_each_gateways_part_while_redis_is_away(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with Upstream() as upstream:
        environ = upstream_env(upstream.url) | ONE_ATTEMPT | {"REDIS_URL": redis.url, "MODEL": "anthropic/m"}
        environ |= {"ANTHROPIC_UPSTREAM_RATE_LIMIT": "8", "KEYTURN_PROCESSES": "4", "ANTHROPIC_AUTH_TOKEN": ""}
        upstream.always(stream(*FRAMES))
        async with gateway(tmp_path, **environ) as one:
            redis.kill()
            answers = [await one.post("/v1/messages", json=ASK | {"stream": True}) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [200, 429]
            assert re.search(r"its limit is used up \(requests\); it serves again in [23]\d seconds", answers[1].text)
