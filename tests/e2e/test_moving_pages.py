"""The lines and snippets of the pages on moving that start claude, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.claude import RUN_WITHIN
from tests.e2e.moving import HELLO, chat_model, client, messages_model, moved, says_hello
from tests.gateway_process import GatewayProcess
from tests.moving.pages import CLAUDE, OURS, PAGES
from tests.upstream import ScriptedServer

LINES = [line for page in OURS.values() for line in page.lines(CLAUDE)]
SNIPPETS = [json.loads(block) for block in PAGES["suparious"].blocks("json")]
TOKEN = "ANTHROPIC_AUTH_TOKEN=freecc\n"


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        running.always(messages_model)
        running.on("/v1/chat/completions", chat_model)
        yield running


@pytest.fixture(scope="module")
def gateways(
    upstream: ScriptedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[bool, GatewayProcess]]:
    """One that is open and one with a token; at both everything is one model, but for the alias's."""
    base = tmp_path_factory.mktemp("gateways")
    environ = {"VLLM_BASE_URL": f"{upstream.url}/v1", "NVIDIA_NIM_BASE_URL": f"{upstream.url}/v1"}
    environ |= {"NVIDIA_NIM_API_KEY": "nvapi-1", "MODEL": "vllm/the-model"}
    with moved(base / "open", "", environ) as open_to_all, moved(base / "closed", TOKEN, environ) as closed:
        yield {False: open_to_all, True: closed}


@pytest.mark.parametrize("line", LINES)
def test_a_line_starts_claude(line: str, program: Path, gateways: dict[bool, GatewayProcess], tmp_path: Path) -> None:
    """The alias is used as it would be in a shell."""
    gateway = gateways["freecc" in line]
    own = client(program, gateway, tmp_path / "client")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/claude").symlink_to(program)
    env = {key: value for key, value in own.environment("").items() if not key.startswith("ANTHROPIC")}
    env["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    script = re.sub(r"localhost:\d+", f"localhost:{gateway.port}", line)
    alias = re.match(r"alias ([\w-]+)=", line)
    script = f"{script}\n{alias[1]}" if alias else script
    words = ["sh", "-c", f'{script} -p "{HELLO}"']
    done = subprocess.run(words, cwd=own.work, env=env, capture_output=True, text=True, timeout=RUN_WITHIN)
    said = says_hello("moonshotai/kimi-k2.5" if alias else "the-model")
    assert (done.returncode, done.stdout.strip()) == (0, said), done.stderr


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["vscode", "jetbrains"])
def test_an_editors_snippet(
    snippet: dict[str, Any], program: Path, gateways: dict[bool, GatewayProcess], tmp_path: Path
) -> None:
    listed = snippet.get("claudeCode.environmentVariables")
    found = {each["name"]: each["value"] for each in listed} if listed else snippet["env"]
    assert found.pop("ANTHROPIC_BASE_URL") == "http://localhost:8082"
    run = client(program, gateways[True], tmp_path / "client", **found).ask(HELLO)
    assert run.result["result"] == says_hello("the-model")
