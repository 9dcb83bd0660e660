"""LOG_FILE: a copy of the log, at a level of its own, that a restart goes on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.logs import configure
from tests.gateway_process import running_gateway
from tests.serving import ask, captured_log

PROMPT = "a prompt that nobody else may read"


def told(path: Path) -> list[dict[str, Any]]:
    """What it holds of calls; the probes of the test are requests too."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["route"] == "/v1/messages"]


def run_once(home: Path, **environ: str) -> str:
    """A gateway that serves one request; what it wrote to stderr."""
    with running_gateway(home, {"LOG_FILE": "server.log", **environ}) as gateway:
        reply = httpx.post(f"{gateway.url}/v1/messages", json=ask(PROMPT), trust_env=False, timeout=30)
        assert reply.status_code == 200
    return gateway.stderr


def test_it_gets_a_copy_and_a_restart_goes_on_with_it(tmp_path: Path) -> None:
    stderr = run_once(tmp_path)
    assert [line["event"] for line in told(tmp_path / "server.log")] == ["request"]
    assert (tmp_path / "server.log").read_text() == stderr
    run_once(tmp_path)
    assert [line["event"] for line in told(tmp_path / "server.log")] == ["request"] * 2
    assert PROMPT not in (tmp_path / "server.log").read_text()


def test_it_has_a_level_of_its_own(tmp_path: Path) -> None:
    assert run_once(tmp_path, LOG_LEVEL="WARNING", LOG_FORMAT="console") == ""
    assert [line["event"] for line in told(tmp_path / "server.log")] == ["request"]
    (tmp_path / "server.log").unlink()
    assert "request" in run_once(tmp_path, LOG_FILE_LEVEL="WARNING")
    assert told(tmp_path / "server.log") == []


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with captured_log(), pytest.raises(OSError, match="nowhere"):
        configure("INFO", "json", tmp_path / "nowhere" / "server.log")
