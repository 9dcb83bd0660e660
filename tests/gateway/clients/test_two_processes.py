"""Two gateways on one Redis, as programs: a token that is made or revoked is so in both."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from gateway.cli.token import Wanted, token
from gateway.settings import load
from tests.gateway.state.conftest import unique_prefix
from tests.gateway_process import GatewayProcess, running_gateway
from tests.redis_server import RedisServer
from tests.serving import ask

WANTED = 1.0  # seconds in which a revocation is everywhere
BOUND = 10 * WANTED  # on a machine with other things to do


@pytest.fixture
def environ(one_redis: RedisServer) -> dict[str, str]:
    return {"REDIS_URL": one_redis.url, "KEYTURN_REDIS_PREFIX": unique_prefix(), "MODEL": "demo/demo"}


@pytest.fixture
def both(environ: dict[str, str], tmp_path: Path) -> Iterator[list[GatewayProcess]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running_gateway(tmp_path / name, environ)) for name in ("one", "other")]


def status(gateway: GatewayProcess, secret: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=BOUND)
    try:
        connection.request("POST", "/v1/messages", json.dumps(ask()), {"x-api-key": secret})
        return connection.getresponse().status
    finally:
        connection.close()


def seconds_until(gateway: GatewayProcess, secret: str, wanted: int, found: list[float]) -> None:
    began = time.monotonic()
    while status(gateway, secret) != wanted:
        assert time.monotonic() - began < BOUND
    found.append(time.monotonic() - began)


def everywhere(both: list[GatewayProcess], secret: str, wanted: int) -> list[float]:
    """For how many seconds each of them answered otherwise; both are asked all the time."""
    found: list[float] = []
    threads = [Thread(target=seconds_until, args=(gateway, secret, wanted, found)) for gateway in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert len(found) == len(both)
    return found


def test_a_token_comes_and_goes_in_both(
    both: list[GatewayProcess], environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load(environ, tmp_path, tmp_path)

    def command(verb: str, **fields: Any) -> str:
        assert token(settings, Wanted(verb, fields)) == 0
        return capsys.readouterr().out.strip()

    secret = command("create", name="ada", requests_per_minute=1000)
    other = command("create", name="bob")
    everywhere(both, "nobodys-token", 401)  # until the first token is known, they are open
    everywhere(both, other, 200)
    command("revoke", name="bob")
    took = everywhere(both, other, 401)
    command("revoke", name="ada")
    took += everywhere(both, secret, 401)
    assert max(took) < BOUND
