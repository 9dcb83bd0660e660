"""The real gateway as a program of its own, in an environment made from nothing."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.upstream.sockets import free_port

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN = 20.0
GONE_WITHIN = 15.0
_POLL = 0.02


@dataclass(frozen=True)
class GatewayProcess:
    """A gateway that answered /readyz. ``home`` is its HOME and working directory."""

    process: subprocess.Popen[bytes]
    port: int
    home: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stdout(self) -> str:
        return (self.home / "stdout.txt").read_text()

    @property
    def stderr(self) -> str:
        return (self.home / "stderr.txt").read_text()

    def stop(self) -> int:
        """SIGTERM; the exit code, within ``GONE_WITHIN`` seconds."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(GONE_WITHIN)


@contextmanager
def running_gateway(
    home: Path,
    env: Mapping[str, str],
    arguments: tuple[str, ...] = (),
    dies: bool = False,
    ready_within: float = READY_WITHIN,
    verify: ssl.SSLContext | None = None,
) -> Iterator[GatewayProcess]:
    """``python -m gateway.cli serve`` with these variables only, ready to answer; it must exit with 0 on SIGTERM.

    ``dies``: the test ends it before. ``verify`` where it speaks HTTPS. A test may have stopped it already.
    """
    gateway = _start(home, env, arguments)
    try:
        _wait_until_ready(gateway, ready_within, verify)
        yield gateway
        if dies:
            return
        code = gateway.process.returncode if gateway.process.poll() is not None else gateway.stop()
        assert code == 0, f"the gateway ended with {code}:\n{gateway.stderr}"
    finally:
        gateway.process.kill()
        gateway.process.wait(GONE_WITHIN)


# What the upstream answers to the first attempt is what the client gets: nothing is repeated, no rest waited for.
# The wait is shorter than any rest or limit of a test, and longer than a busy machine takes for a turn that is free.
ONE_ATTEMPT = {"PROVIDER_MAX_RETRIES": "0", "QUEUE_MAX_WAIT": "0.2"}


def upstream_env(upstream_url: str, client_token: str = "freecc", key: str = "sk-upstream-key") -> dict[str, str]:
    """Variables for a gateway whose one provider is the Anthropic-shaped upstream at this URL."""
    return {
        "ANTHROPIC_UPSTREAM_API_KEY": key,
        "ANTHROPIC_UPSTREAM_BASE_URL": upstream_url,
        "ANTHROPIC_AUTH_TOKEN": client_token,
    }


def _start(home: Path, env: Mapping[str, str], arguments: tuple[str, ...]) -> GatewayProcess:
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "gateway.cli", "serve", "--host", "127.0.0.1", "--port", str(port), *arguments]
    with (home / "stdout.txt").open("wb") as stdout, (home / "stderr.txt").open("wb") as stderr:
        process = subprocess.Popen(
            command, cwd=home, env=_environment(home, env), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
    return GatewayProcess(process, port, home)


def _environment(home: Path, env: Mapping[str, str]) -> dict[str, str]:
    # coverage measures the programs that tests start, and tells them so by these
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    base = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    base |= {"CATALOG_REFRESH": "off"}  # upstreams are asked for what the test asks, and for nothing else
    return {**coverage, **base, **env}


def _wait_until_ready(gateway: GatewayProcess, within: float, verify: ssl.SSLContext | None) -> None:
    deadline = time.monotonic() + within
    while not _is_ready(gateway.port, verify):
        try:
            code = gateway.process.wait(_POLL)
        except subprocess.TimeoutExpired:
            assert time.monotonic() < deadline, f"the gateway was not ready in time:\n{gateway.stderr}"
        else:
            raise AssertionError(f"the gateway ended with {code}:\n{gateway.stdout}{gateway.stderr}")


def _is_ready(port: int, verify: ssl.SSLContext | None) -> bool:
    probe = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=READY_WITHIN, context=verify)
        if verify
        else http.client.HTTPConnection("127.0.0.1", port, timeout=READY_WITHIN)
    )
    try:
        probe.request("GET", "/readyz")
        return probe.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        probe.close()
