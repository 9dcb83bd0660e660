"""Two replicas behind the real nginx, with deploy/nginx's own configuration: one goes, and nobody notices."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.gateway_process import GONE_WITHIN, ROOT, GatewayProcess, running_gateway, upstream_env
from tests.upstream import Answer, Pause, Reply, Request, Signal, Upstream, frames, free_port, message, stream, text

STREAMS = 50
WITHIN = 30.0
ASK = {"model": "claude-x", "max_tokens": 64, "stream": True, "messages": [{"role": "user", "content": "Say hello"}]}


@contextmanager
def nginx(folder: Path, ports: tuple[int, int]) -> Iterator[int]:
    """nginx with keyturn.conf, its addresses replaced by these ports; gives the port that it listens on."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("no nginx here: apt install nginx-light")
    port = free_port()
    conf = (ROOT / "deploy/nginx/keyturn.conf").read_text()
    for shipped, own in zip(("127.0.0.1:8082", "127.0.0.1:8083", "listen 8080"), (*ports, port), strict=True):
        assert shipped in conf
        conf = conf.replace(shipped, f"listen 127.0.0.1:{own}" if shipped.startswith("listen") else f"127.0.0.1:{own}")
    folder.mkdir()
    (folder / "keyturn.conf").write_text(conf)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log warn; worker_processes 1;\n"
        f"events {{}}\nhttp {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"include {folder}/keyturn.conf; }}\n"
    )
    process = subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-p", str(folder)])
    try:
        yield port
    finally:
        process.terminate()
        process.wait(WITHIN)


async def listening(port: int) -> None:
    """Returns once nginx accepts."""
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0)
            else:
                writer.close()
                return


async def answer(client: httpx.AsyncClient) -> bytes:
    async with client.stream("POST", "/v1/messages", json=ASK, headers={"x-api-key": "freecc"}) as reply:
        assert reply.status_code == 200
        return b"".join([piece async for piece in reply.aiter_bytes()])


def whole(streamed: bytes) -> bool:
    """It ended as an answer does."""
    *_, last, rest = streamed.split(b"\n\n")
    return last.startswith(b"event: message_stop\n") and not rest


def slow(until: Signal) -> Answer:
    """A stream that stops half way until the signal."""

    def reply(request: Request) -> Reply:
        parts = frames(request.model, [text("Hello from the pool", pieces=4)])
        return stream(*parts[:4], Pause(until), *parts[4:])

    return reply


def requests_seen(gateway: GatewayProcess) -> int:
    lines = (gateway.stderr + gateway.stdout).splitlines()
    return sum('"request"' in line and '"/v1/messages"' in line for line in lines)


async def test_fifty_streams_outlive_the_replica_they_came_by(tmp_path: Path) -> None:
    go_on = Signal()
    async with Upstream() as upstream:
        env = upstream_env(upstream.url)
        upstream.script(*[slow(go_on)] * STREAMS)
        upstream.always(message(text("Quick")))
        with (
            running_gateway(tmp_path / "one", env) as one,
            running_gateway(tmp_path / "two", env) as two,
            nginx(tmp_path / "nginx", (one.port, two.port)) as port,
        ):
            await listening(port)
            limits = httpx.Limits(max_connections=200)
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=WITHIN, trust_env=False
            ) as client:
                streams = [asyncio.create_task(answer(client)) for _ in range(STREAMS)]
                await upstream.arrival(STREAMS).wait()
                one.process.send_signal(signal.SIGTERM)
                during = await asyncio.gather(*(answer(client) for _ in range(20)))
                assert not any(each.done() for each in streams)
                assert one.process.poll() is None
                go_on.set()
                finished = await asyncio.gather(*streams)
                code = await asyncio.to_thread(one.process.wait, GONE_WITHIN)
                after = await asyncio.gather(*(answer(client) for _ in range(20)))
    assert code == 0
    assert all(whole(each) for each in (*finished, *during, *after))
    assert requests_seen(one) + requests_seen(two) == STREAMS + 40
    assert requests_seen(one) > 0


async def test_the_new_configuration_takes_over(tmp_path: Path) -> None:
    async with Upstream() as old, Upstream() as new:
        old.always(message(text("old", pieces=1)))
        new.always(message(text("new", pieces=1)))
        with (
            running_gateway(tmp_path / "one", upstream_env(old.url)) as one,
            running_gateway(tmp_path / "two", upstream_env(new.url)) as two,
            nginx(tmp_path / "nginx", (one.port, two.port)) as port,
        ):
            await listening(port)
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", timeout=WITHIN, trust_env=False
            ) as client:
                before = [await answer(client) for _ in range(4)]
                assert await asyncio.to_thread(one.stop) == 0
                later = [await answer(client) for _ in range(10)]
    assert all(whole(each) for each in (*before, *later))
    assert any(b"old" in each for each in before)
    assert all(b"new" in each for each in later)
