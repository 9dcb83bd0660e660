"""A move from ujisati/claude-code-provider-proxy: its .env, with the client of its day and with today's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.e2e.moving import HELLO, RUN, chat_model, client, has_run, moved, says_hello, side_by_side
from tests.gateway_process import GatewayProcess
from tests.moving import example
from tests.serving import ask
from tests.upstream import ScriptedServer

KEY = "sk-or-v1-0123456789abcdef"
EXAMPLE = example("ujisati/openrouter", {"<your openrouter api key>": KEY})
BIG = "google/gemini-2.5-pro-preview"
SMALL = "google/gemini-2.0-flash-lite-001"
# What its document says may be set for claude.
CLAUDES = {
    "CLAUDE_CODE_EXTRA_BODY": '{"stop_sequences": ["###"]}',
    "MAX_THINKING_TOKENS": "2048",
    "API_TIMEOUT_MS": "30000",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.always(chat_model)
        yield running


@pytest.fixture(scope="module", params=["openrouter", "BASE_URL"])
def gateway(
    request: pytest.FixtureRequest, upstream: ScriptedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """OpenRouter is at the upstream; and once more as any provider that BASE_URL names."""
    if request.param == "openrouter":
        text, environ = EXAMPLE, {"OPENROUTER_BASE_URL": f"{upstream.url}/api/v1"}
    else:
        text, environ = f"{EXAMPLE}BASE_URL={upstream.url}/api/v1\nAPP_NAME=Mine\n", {}
    with moved(tmp_path_factory.mktemp("gateway") / "home", text, environ) as running:
        yield running


def test_both_clients_talk_and_run_tools(
    program: Path, older_program: Path, gateway: GatewayProcess, upstream: ScriptedServer, tmp_path: Path
) -> None:
    upstream.requests.clear()
    new, old = partial(client, program, gateway), partial(client, older_program, gateway)
    runs = side_by_side(
        partial(new(tmp_path / "1", **CLAUDES).ask, RUN, "--model", "claude-opus-4-8"),
        partial(new(tmp_path / "2").ask, HELLO, "--model", "haiku"),
        partial(old(tmp_path / "3", **CLAUDES).ask, RUN, "--model", "claude-opus-4-20250514"),
        partial(old(tmp_path / "4").ask, HELLO, "--model", "claude-3-5-haiku-20241022"),
    )
    assert [run.result["result"] for run in runs] == [has_run(BIG), says_hello(SMALL)] * 2
    asked = upstream.posts("/api/v1/chat/completions")
    assert asked == [request for request in upstream.requests if request.method == "POST"]
    assert {request.model for request in asked} == {BIG, SMALL}
    assert {request.header("authorization") for request in asked} == {f"Bearer {KEY}"}
    assert not [request for request in asked if b"freecc" in request.body or request.header("x-api-key")]
    assert {tuple(request.json["stop"]) for request in asked if "stop" in request.json} == {("###",)}


def test_answers_come_whole_too_and_tokens_are_counted(gateway: GatewayProcess, upstream: ScriptedServer) -> None:
    with httpx.Client(base_url=gateway.url, trust_env=False, timeout=30) as http:
        whole = http.post("/v1/messages", json=ask(HELLO, model="claude-sonnet-4-20250514", stream=False)).json()
        other = http.post("/v1/messages", json=ask(HELLO, model="gpt-4o")).json()
        counted = http.post("/v1/messages/count_tokens", json=ask(HELLO)).json()
        status = http.get("/")
    assert [whole["content"][0]["text"], other["content"][0]["text"]] == [says_hello(BIG), says_hello(SMALL)]
    assert (counted["input_tokens"] > 0, status.json()["status"]) == (True, "ok")


def test_it_says_how_it_was_read(gateway: GatewayProcess) -> None:
    assert "read as a configuration of ujisati/claude-code-provider-proxy, told by BIG_MODEL_NAME" in gateway.stdout
    assert KEY not in gateway.stdout + gateway.stderr
