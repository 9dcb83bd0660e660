"""The process that the image starts: its user, its environment, its read-only root."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.deploy.image import WITHIN, container, healthy
from tests.gateway_process import ROOT
from tests.upstream import free_port


def ready(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Asked until it answers; False where the process ended first."""
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        try:
            if ask(port, "GET", "/readyz")[0] == 200:
                return True
        except OSError:
            pass
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        return False
    return False


def ask(port: int, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN)
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


QUESTION = {"model": "claude-x", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}


def test_it_serves_as_another_user_on_a_read_only_root_and_stops_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
    with container(tmp_path / "log", PORT=str(port), ANTHROPIC_AUTH_TOKEN="freecc") as process:
        assert ready(port, process), (tmp_path / "log").read_text()
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert ask(port, "POST", "/v1/messages", QUESTION, **{"x-api-key": "freecc"})[0] == 200
        assert ask(port, "POST", "/v1/messages", QUESTION)[0] == 401
        assert healthy(PORT=str(port)) == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN) == 0
    assert healthy(PORT=str(port)) == 1
    assert "Uid:\t10001\t10001\t10001\t10001" in status
    assert "NoNewPrivs:\t1" in status


def test_without_a_token_it_says_which_line_is_missing(tmp_path: Path) -> None:
    port = free_port()
    with container(tmp_path / "log", PORT=str(port)) as process:
        assert ready(port, process), (tmp_path / "log").read_text()
        forwarded = ask(port, "POST", "/v1/messages", QUESTION, **{"x-forwarded-for": "10.0.0.9"})
    assert forwarded[0] == 403
    assert "KEYTURN_ALLOW_OPEN=true" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"PORT": "eighty"}, "PORT"),
        ({"SSL_CERTFILE": "/nowhere/tls.crt"}, "SSL_CERTFILE"),
        ({"ANTHROPIC_AUTH_TOKEN": "freecc", "REDIS_URL": "redis.example.org:6379"}, "REDIS_URL"),
        ({"ANTHROPIC_AUTH_TOKEN": "freecc", "REDIS_URL": "redis://:word@redis:port/0"}, "REDIS_URL"),
        ({"ANTHROPIC_AUTH_TOKEN": "freecc", "LOG_FILE": "/etc/keyturn.log"}, "LOG_FILE"),  # a read-only disk
        ({"ANTHROPIC_AUTH_TOKEN": "freecc", "MODEL": "gorq/a"}, "MODEL"),
    ],
)
def test_a_wrong_setting_is_named_in_the_last_line(tmp_path: Path, environ: dict[str, str], named: str) -> None:
    with container(tmp_path / "log", **{"PORT": str(free_port()), **environ}) as process:
        assert process.wait(WITHIN) == 2
    assert named in (tmp_path / "log").read_text().splitlines()[-1]


def test_quotes_of_an_env_file_are_no_part_of_a_value(tmp_path: Path) -> None:
    port = free_port()
    with container(tmp_path / "log", PORT=f'"{port}"', ANTHROPIC_AUTH_TOKEN="'freecc'") as process:
        assert ready(port, process), (tmp_path / "log").read_text()
        assert healthy(PORT=f'"{port}"', HOST="'0.0.0.0'") == 0
        assert ask(port, "POST", "/v1/messages", QUESTION, **{"x-api-key": "freecc"})[0] == 200


def test_another_user_and_no_place_to_write(tmp_path: Path) -> None:
    """A platform may choose the user, and forget /tmp."""
    port = free_port()
    own = {"user": "1000650000:0", "tmp": "mode=1777,ro"}
    with container(tmp_path / "log", **own, PORT=str(port), ANTHROPIC_AUTH_TOKEN="freecc") as process:
        assert ready(port, process), (tmp_path / "log").read_text()
        assert ask(port, "POST", "/v1/messages", QUESTION, **{"x-api-key": "freecc"})[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_state_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    port = free_port()
    own = {"PORT": str(port), "ANTHROPIC_AUTH_TOKEN": "freecc-freecc", "KEYTURN_STATE_FILE": "/etc/state.json"}
    with container(tmp_path / "log", **own) as process:
        assert ready(port, process), (tmp_path / "log").read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN) == 0
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert "KEYTURN_STATE_FILE: /etc/state.json cannot be written" in last


def test_the_image_copies_what_it_needs_and_nothing_else() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept >= {"gateway", "middleware", "providers", "pyproject.toml", "requirements/run.txt"}
    assert all((ROOT / name).exists() for name in kept)
    assert not {name for name in kept if "env" in name or "test" in name}


def test_hadolint_has_nothing_to_say() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert program, "hadolint comes with the development packages"
    done = subprocess.run([program, str(ROOT / "deploy/Dockerfile")], capture_output=True, text=True, timeout=WITHIN)
    assert (done.returncode, done.stdout) == (0, "")
