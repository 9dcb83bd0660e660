"""A gateway that serves while its configuration changes again and again: not one call fails, not one stream is cut."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.gateway_process import GatewayProcess, running_gateway
from tests.serving import ask, post
from tests.upstream import Pause, Reply, Request, Signal, Upstream, frames, message, stream, text
from tests.upstream.bare_client import Client, connected

STREAMS = 50
CHANGES = 20
CALLERS = 4
BOUND = 20.0
TOKEN = "freecc"
FRAMES = frames("m", [text("a long answer")])
BEGINNING, END = FRAMES[:4], FRAMES[4:]
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")


def config(upstream: Upstream, number: int) -> str:
    """A new model and new keys each time; the second provider is there every other time, the third never changes."""
    lines = [
        f'model = "first/m{number}"',
        f'anthropic_auth_token = "{TOKEN}"',
        *entry(upstream, "first", f'"k-first", "k-{number}"'),
        *(entry(upstream, "second", '"k-second"') if number % 2 == 0 else ()),
        *entry(upstream, "third", '"k-third"'),
        *route("third", "third"),
        *route("second", "second" if number % 2 == 0 else "third"),
    ]
    return "\n".join(lines)


def entry(upstream: Upstream, name: str, keys: str) -> Iterator[str]:
    yield from ("[[providers]]", f'name = "{name}"', 'type = "anthropic"', f'base_url = "{upstream.url}"')
    yield f"api_keys = [{keys}]"


def route(match: str, provider: str) -> Iterator[str]:
    yield from ("[[routes]]", f'match = "{match}"', f'provider = "{provider}"')


async def until(condition: Callable[[], bool], gateway: GatewayProcess) -> None:
    """Bounded; each look waits for an answer of the gateway."""
    deadline = time.monotonic() + BOUND
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as client:
        while not condition():
            assert time.monotonic() < deadline, gateway.stderr[-2000:]
            assert (await client.get("/healthz")).status_code == 200


def told(gateway: GatewayProcess, event: str) -> int:
    return gateway.stderr.count(f'"event":"{event}"')


def applied(gateway: GatewayProcess, upstream: Upstream, number: int) -> bool:
    """Whether a call went to the model that this change names."""
    asked = any(request.model == f"m{number}" for request in reversed(upstream.requests))
    return asked and told(gateway, "configuration reloaded") >= number


async def call(gateway: GatewayProcess, stop: asyncio.Event, seen: Counter[str]) -> None:
    names = ("claude-opus-4-8", "second", "third")
    async with httpx.AsyncClient(base_url=gateway.url, headers={"x-api-key": TOKEN}, trust_env=False) as client:
        number = 0
        while not stop.is_set():
            body = ask(model=names[number % 3], stream=bool(number % 2))
            reply = await client.post("/v1/messages", json=body, timeout=BOUND)
            good = reply.status_code == 200 and b"Hello" in reply.content and b"event: error" not in reply.content
            seen["good" if good else reply.text] += 1
            number += 1


async def opened(gateway: GatewayProcess, stack: AsyncExitStack, number: int) -> Client:
    client = await stack.enter_async_context(connected(gateway.port))
    model = ("held-first", "second", "third")[number % 3]
    client.write(post(json.dumps(ask("hold", model=model, stream=True)).encode()))
    await client.until(BEGINNING[-1])
    return client


async def test_fifty_streams_and_steady_calls_while_the_file_changes_twenty_times(tmp_path: Path) -> None:
    go_on = Signal()

    def answer(request: Request) -> Reply:
        if request.json["messages"][-1]["content"] == "hold":
            return stream(*BEGINNING, Pause(go_on), *END)
        return message(text("Hello", pieces=1))(request)

    async with Upstream() as upstream, AsyncExitStack() as stack:
        upstream.always(answer)
        (tmp_path / "keyturn.toml").write_text(config(upstream, 0))
        gateway = stack.enter_context(running_gateway(tmp_path, {}))
        held = await asyncio.gather(*(opened(gateway, stack, number) for number in range(STREAMS)))
        stop, seen = asyncio.Event(), Counter[str]()
        callers = [asyncio.create_task(call(gateway, stop, seen)) for _ in range(CALLERS)]
        for number in range(1, CHANGES + 1):
            (tmp_path / "keyturn.toml").write_text(config(upstream, number))
            gateway.process.send_signal(signal.SIGHUP)
            await until(partial(applied, gateway, upstream, number), gateway)
        stop.set()
        await asyncio.gather(*callers)
        go_on.set()
        ends = await asyncio.gather(*(client.until(b"0\r\n\r\n") for client in held))
        assert all(b"message_stop" in end and b"event: error" not in end for end in ends)
        assert set(seen) == {"good"}
        assert seen["good"] >= CHANGES
        for word in ("attempt failed", "Traceback", "not reloaded", "Unclosed"):
            assert word not in gateway.stderr
        assert gateway.stop() == 0


async def test_a_changed_file_is_found_without_a_signal_and_a_bad_one_is_named(tmp_path: Path) -> None:
    async with Upstream() as upstream:
        upstream.always(message(text("Hello")))
        (tmp_path / "keyturn.toml").write_text(config(upstream, 0))
        with running_gateway(tmp_path, {}) as gateway:
            async with httpx.AsyncClient(base_url=gateway.url, headers={"x-api-key": TOKEN}, trust_env=False) as client:
                (tmp_path / "keyturn.toml").write_text(config(upstream, 1))
                await until(lambda: told(gateway, "configuration reloaded") == 1, gateway)
                await client.post("/v1/messages", json=ask())
                (tmp_path / "keyturn.toml").write_text(config(upstream, 2) + "\nport = 'eight'")
                await until(lambda: "configuration not reloaded" in gateway.stderr, gateway)
                await client.post("/v1/messages", json=ask())
                shown = (await client.get("/metrics")).text
            assert [request.model for request in upstream.requests] == ["m1", "m1"]
            assert re.search(r'keyturn_config_reload_total{result="applied"} 1\.0', shown)
            assert re.search(r'keyturn_config_reload_total{result="refused"} 1\.0', shown)
