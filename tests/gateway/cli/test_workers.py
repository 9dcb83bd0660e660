"""``keyturn serve --workers N``: one address, several processes, one state."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from gateway.cli.serve import serve
from gateway.cli.workers import refusal
from tests.gateway.place import Place
from tests.gateway_process import GatewayProcess, running_gateway, upstream_env
from tests.redis_server import INSTALL, RedisServer, binary, redis_server
from tests.upstream import Pause, Signal, Upstream, frames, stream, text

BOUND = 30.0  # seconds
LOOK = 0.05
WORKERS = 2
FRAMES = frames("m", [text("a long answer")])
BEGINNING, END = FRAMES[:4], FRAMES[4:]
GOOD = re.compile(r'^keyturn_requests_total\{.*outcome="ok".*route="/v1/messages"\} (\S+)$', re.MULTILINE)
HEADERS = {"x-api-key": "freecc"}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    if binary() is None:
        pytest.skip(INSTALL)
    with redis_server() as server:
        yield server


@contextmanager
def crew(
    home: Path, redis: RedisServer, upstream: Upstream, dies: bool = False, **env: str
) -> Iterator[GatewayProcess]:
    """A gateway of several workers, its banner printed."""
    own = {"REDIS_URL": redis.url, "KEYTURN_REDIS_PREFIX": f"{home.name}:", "LOG_LEVEL": "WARNING"}
    variables = {**upstream_env(upstream.url), **own, **env}
    with running_gateway(home, variables, ("--workers", str(WORKERS)), dies=dies) as gateway:
        until(gateway, lambda: "start " in gateway.stdout)
        yield gateway


def until(gateway: GatewayProcess, holds: Callable[[], bool]) -> None:
    """Bounded."""
    deadline = time.monotonic() + BOUND
    while not holds():
        assert time.monotonic() < deadline, gateway.stdout + gateway.stderr
        with suppress(subprocess.TimeoutExpired):
            gateway.process.wait(LOOK)


def workers(gateway: GatewayProcess) -> set[int]:
    """Their process ids."""
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text()
    return {int(word) for word in children.split()}


def get(gateway: GatewayProcess, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    with closing(HTTPConnection("127.0.0.1", gateway.port, timeout=BOUND)) as connection:
        connection.request("GET", path, headers=headers or HEADERS)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@contextmanager
def asking(gateway: GatewayProcess) -> Iterator[HTTPConnection]:
    """A request on a connection of its own, which any worker may take."""
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with closing(HTTPConnection("127.0.0.1", gateway.port, timeout=BOUND)) as connection:
        connection.request("POST", "/v1/messages", json.dumps(body), HEADERS)
        yield connection


def served(gateway: GatewayProcess, header: str = "request-id") -> str:
    """One good request's id, or what another header says of it."""
    with asking(gateway) as connection:
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
        return answer.headers[header]


# -- without Redis


def test_without_redis_it_says_why_not_and_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Place(tmp_path).load()
    assert serve(settings, workers=4) == 2
    said = capsys.readouterr()
    assert said.err.startswith("--workers 4 needs REDIS_URL: ")
    assert "Set REDIS_URL=redis://" in said.err
    assert "leave --workers out" in said.err
    assert said.out == ""


def test_one_worker_needs_nothing(tmp_path: Path) -> None:
    assert refusal(Place(tmp_path).load({"REDIS_URL": "redis://127.0.0.1"}), 2) == ""
    with running_gateway(tmp_path, {}, ("--workers", "1")) as gateway:
        assert not workers(gateway)


# -- with it


def test_all_workers_serve_and_a_signal_ends_them_with_status_0(tmp_path: Path, redis: RedisServer) -> None:
    with Upstream() as upstream, crew(tmp_path, redis, upstream) as gateway:
        assert gateway.stdout.count("Keyturn ") == 1
        assert "in Redis, 127.0.0.1" in gateway.stdout
        assert f"each of {WORKERS} processes keeps to a part of the limits" in gateway.stdout
        crewmen = workers(gateway)
        assert len(crewmen) == WORKERS
        go_on = Signal()
        upstream.script(stream(*BEGINNING, Pause(go_on), *END))
        with asking(gateway) as connection:
            answer = connection.getresponse()
            gateway.process.send_signal(signal.SIGTERM)
            until(gateway, lambda: len(workers(gateway)) == 1)
            go_on.set()
            assert answer.read().rstrip().endswith(b'data: {"type": "message_stop"}')
        assert gateway.process.wait(BOUND) == 0
    assert gateway.stderr == ""
    assert not any(Path(f"/proc/{each}").exists() for each in crewmen)


def test_metrics_and_stories_are_those_of_all(tmp_path: Path, redis: RedisServer) -> None:
    with Upstream() as upstream, crew(tmp_path, redis, upstream, KEYTURN_ADMIN_TOKEN="of-the-admin") as gateway:
        upstream.always(stream(*FRAMES))
        names = [served(gateway) for _ in range(30)]
        for _ in range(5):
            _, exposed = get(gateway, "/metrics")
            [count] = re.findall(
                r'^keyturn_requests_total\{.*outcome="ok".*route="/v1/messages"\} (\S+)$', exposed, re.M
            )
            assert float(count) == 30
            assert 'keyturn_key_state{key="anthropic-01",provider="anthropic",state="ready"} 1.0' in exposed
            assert 'keyturn_inflight{key="anthropic-01",provider="anthropic"} 0.0' in exposed
            assert len(re.findall(r"^keyturn_redis_degraded ", exposed, re.M)) == 1
            assert "pid=" not in exposed
        # On a busy machine one of them may have found Redis late.
        until(gateway, lambda: "keyturn_redis_degraded 0.0" in get(gateway, "/metrics")[1])
        admin = {"authorization": "Bearer of-the-admin"}

        def told(name: str) -> bool:
            status, story = get(gateway, f"/admin/explain/{name}", admin)
            return status == 200 and json.loads(story)["request_id"] == name

        for name in names[:3]:
            until(gateway, lambda name=name: all(told(name) for _ in range(8)))  # type: ignore[misc]  # by whichever worker
        _, pool = get(gateway, "/admin/pool", admin)
        [anthropic] = [each for each in json.loads(pool)["providers"] if each["provider"] == "anthropic"]
        assert [(key["turns"], key["in_flight"]) for key in anthropic["keys"]] == [(30, 0)]


def served_by(gateway: GatewayProcess) -> str:
    return served(gateway, "x-keyturn-provider")


def test_sighup_and_a_changed_file_reach_every_worker_and_cut_no_stream(tmp_path: Path, redis: RedisServer) -> None:
    with Upstream() as upstream, crew(tmp_path, redis, upstream) as gateway:
        before, go_on = workers(gateway), Signal()
        upstream.script(stream(*BEGINNING, Pause(go_on), *END))
        upstream.always(stream(*FRAMES))
        toml = tmp_path / "keyturn.toml"
        with asking(gateway) as connection:
            answer = connection.getresponse()
            toml.write_text('model_opus = "demo/demo"\n[[routes]]\nmatch = "*"\nprovider = "demo"\n')
            gateway.process.send_signal(signal.SIGHUP)
            until(gateway, lambda: all(served_by(gateway) == "demo" for _ in range(10)))
            go_on.set()
            assert answer.read().rstrip().endswith(b'data: {"type": "message_stop"}')
        assert workers(gateway) == before

        # Settings that are none leave everything as it is; a file that is changed again needs no signal.
        toml.write_text("modle = 'demo/demo'\n")
        gateway.process.send_signal(signal.SIGHUP)
        until(gateway, lambda: gateway.stderr.count("configuration not reloaded") >= WORKERS)
        assert served_by(gateway) == "demo"
        toml.unlink()
        (tmp_path / "keyturn.toml").write_text("")
        until(gateway, lambda: all(served_by(gateway) == "anthropic" for _ in range(10)))
        assert workers(gateway) == before


def test_a_worker_that_dies_has_a_successor(tmp_path: Path, redis: RedisServer) -> None:
    with Upstream() as upstream, crew(tmp_path, redis, upstream) as gateway:
        upstream.always(stream(*FRAMES))
        before = workers(gateway)
        os.kill(min(before), signal.SIGKILL)
        until(gateway, lambda: len(workers(gateway) - before) == 1)
        assert "A worker ended with status -9; another one takes its place." in gateway.stdout
        until(gateway, lambda: len(workers(gateway)) == WORKERS)
        for _ in range(10):
            served(gateway)


def test_workers_whose_watcher_was_killed_leave(tmp_path: Path, redis: RedisServer) -> None:
    with Upstream() as upstream, crew(tmp_path, redis, upstream, dies=True) as gateway:
        before = workers(gateway)
        gateway.process.kill()
        gateway.process.wait()
        until(gateway, lambda: not any(Path(f"/proc/{each}").exists() for each in before))
