"""What is shared through Redis: no canary in any key or value of it, and an end for each; its password is nowhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.cli.banner import banner
from gateway.cli.check import report
from tests.chaos.faults import plain, say
from tests.eventually import eventually
from tests.gateway.canaries import (
    ECHO,
    FILE,
    SECRETS,
    TOKENS,
    TRACED,
    WORDS,
    Shown,
    conversation,
    every_page,
    hits,
)
from tests.gateway_process import upstream_env
from tests.redis_server import INSTALL, RedisServer, binary, redis_server
from tests.serving import Gateway, serving
from tests.upstream import Answer, Cut, Pause, Signal, Upstream, error, frames, message, stream, text, tool_use

PASSWORD = SECRETS["password of Redis"]
LIMITED = {
    "ANTHROPIC_UPSTREAM_RATE_LIMIT": "1000",
    "ANTHROPIC_UPSTREAM_KEY_USAGE_LIMIT": "1000",
    "LOG_RAW_SSE_EVENTS": "",
}
TOO_MANY = "max_tokens: 5000 > 4096, which is the maximum allowed number of output tokens for m."
LONGEST = 400 * 86400  # seconds


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    if binary() is None:
        pytest.skip(INSTALL)
    with redis_server(("requirepass", PASSWORD)) as server:
        yield server


def answers() -> list[Answer]:
    """Of every kind; most repeat a key and have words of their own."""
    refusals = (400, 401, 402, 403, 404, 413, 429, 500, 529)
    begun = frames("m", [text(WORDS["answer"])])[:4]
    return [
        *(error(status, "api_error", ECHO, [("retry-after", "300")]) for status in refusals),
        error(400, "invalid_request_error", f"{TOO_MANY} {ECHO}"),
        message(text(WORDS["answer"])),
        message(tool_use("b", {"c": WORDS["input of a called tool"]})),
        stream(*begun, Cut()),
        stream(*begun, error_event(ECHO)),
    ]


def error_event(words: str) -> bytes:
    said = {"type": "error", "error": {"type": "overloaded_error", "message": words}}
    return f"event: error\ndata: {json.dumps(said)}\n\n".encode()


@asynccontextmanager
async def shared(home: Path, upstream: Upstream, redis: RedisServer, shown: Shown) -> AsyncIterator[Gateway]:
    """A gateway with two keys and a Redis, which tells and traces everything."""
    url = f"redis://:{PASSWORD}@127.0.0.1:{redis.port}/0"
    keys = {"ANTHROPIC_UPSTREAM_API_KEYS": f"{SECRETS['upstream key']} {SECRETS['second key']}"}
    environ = {**upstream_env(upstream.url), **TOKENS, **TRACED, **FILE, **LIMITED, "REDIS_URL": url, **keys}
    async with serving(home, environ, "DEBUG", exporter=shown.exporter) as gateway:
        shown.add(banner(gateway.settings, 8082))
        shown.add(report(gateway.settings))
        shown.add(repr(gateway.settings))
        yield gateway


async def every_answer(gateway: Gateway, upstream: Upstream) -> list[str]:
    """Each is the end of a request; the ids of these."""
    session = {"x_claude_code_session_id": "5f0c6b1e-0000-4000-8000-000000000001"}
    ids = []
    upstream.always(message(text(WORDS["answer"])))
    async with gateway.client(SECRETS["client token"], **session) as client, gateway.admin() as admin:
        for number, answer in enumerate(answers()):
            before = len(upstream.requests)
            # A model for each, so that no other answer's rest keeps it from being asked.
            asked = conversation(model=f"anthropic/model-{number}", stream=number % 2 > 0, max_tokens=5000)
            upstream.script(answer)
            reply = await client.post("/v1/messages", json=asked)
            ids.append(reply.headers["request-id"])
            assert len(upstream.requests) > before, f"answer {number} was never given"
            for key in ("anthropic-01", "anthropic-02"):
                assert (await admin.post(f"/admin/keys/{key}/wake")).status_code == 200
        await admin.post("/admin/keys/anthropic-02/rest", json={"seconds": 600})
    await gateway.settled()
    return ids


@asynccontextmanager
async def open_request(gateway: Gateway, upstream: Upstream) -> AsyncIterator[None]:
    """Its answer has begun."""
    go_on, whole = Signal(), frames("m", [text(WORDS["answer"])])
    upstream.always(stream(*whole[:4], Pause(go_on), *whole[4:]))
    async with (
        gateway.client(SECRETS["client token"]) as client,
        client.stream("POST", "/v1/messages", json=conversation(stream=True)) as reply,
    ):
        assert reply.status_code == 200, await reply.aread()
        yield
        go_on.set()
        await reply.aread()


def kind(name: str) -> str:
    """What it is; what a process told is under a name of its own."""
    *_, before, last = name.split(":")
    return before if before == "told" else last


async def everything(client: Redis) -> tuple[str, dict[str, int]]:
    """All that is in a Redis, as text, and how many seconds each key has left."""
    said, left = [], {}
    async for name in client.scan_iter("*"):
        left[name.decode()] = int(await client.ttl(name))
        said.append(f"{name!r} {await _value(client, name)!r}")
    said.append(repr(await say(client, "SLOWLOG", "GET", 1000)))
    return "\n".join(said), left


async def _value(client: Redis, name: bytes) -> Any:
    match await client.type(name):
        case b"hash":
            return await client.hgetall(name)
        case b"zset":
            return await client.zrange(name, 0, -1, withscores=True)
        case b"list":
            return await client.lrange(name, 0, -1)
        case b"string":
            return await client.get(name)
        case other:
            raise AssertionError(other)


async def test_what_is_in_redis_and_how_long(tmp_path: Path, redis: RedisServer) -> None:
    shown = Shown(tmp_path)
    async with Upstream() as upstream, plain(redis.port, PASSWORD) as client:
        # Every command counts as slow, so that what was only sent is seen too.
        await say(client, "CONFIG", "SET", "slowlog-log-slower-than", 0, "slowlog-max-len", 1000)
        async with shared(tmp_path, upstream, redis, shown) as gateway:
            ids = await every_answer(gateway, upstream)

            async def told() -> bool:
                return ids[-1].encode() in await client.hgetall("keyturn:{stories}:texts")

            await eventually(told)
            async with open_request(gateway, upstream):
                during, left = await everything(client)
            await every_page(gateway, shown)
            shown.log_of(gateway)
        after, left_after = await everything(client)
    kinds = {kind(name) for name in left | left_after}
    assert kinds == {"alive", "facts", "held", "ids", "leases", "rests", "state", "sums", "texts", "times", "told"}
    for name, seconds in (left | left_after).items():
        assert 0 < seconds <= LONGEST, (name, seconds)
    assert hits(during + after, but=("password of Redis",)) == [], "its own password is in what it was asked itself"
    assert not shown.leaks, "\n".join(shown.leaks[:20])


async def test_a_redis_that_refuses_and_one_that_is_gone(tmp_path: Path, redis: RedisServer) -> None:
    shown = Shown(tmp_path)
    async with Upstream() as upstream, shared(tmp_path, upstream, redis, shown) as gateway:
        async with plain(redis.port, PASSWORD) as client:
            await say(client, "CONFIG", "SET", "requirepass", f"not-{PASSWORD}")
        async with plain(redis.port, f"not-{PASSWORD}") as client:
            await say(client, "CLIENT", "KILL", "TYPE", "normal")
        await every_answer(gateway, upstream)
        assert "redis is away" in gateway.log.text
        await every_page(gateway, shown)
        redis.kill()
        await every_answer(gateway, upstream)
        await every_page(gateway, shown)
        shown.log_of(gateway)
    assert not shown.leaks, "\n".join(shown.leaks[:20])
