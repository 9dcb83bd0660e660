"""The README's Clients: each snippet is read as its reader reads it, and the real CLI runs with what it sets."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pygments.lexers import PowerShellLexer  # type: ignore[import-untyped]
from pygments.token import Token  # type: ignore[import-untyped]

from tests.e2e.claude import QUIET, RUN_WITHIN
from tests.gateway_process import GatewayProcess, running_gateway
from tests.readme import STARTS, TEXT, URL, Block, blocks
from tests.upstream import ChatUpstream, Upstream, message, openai_chat, text

CLI, FISH, POWERSHELL, ALIASES = (
    blocks("Clients", "bash")[0],
    *blocks("Clients", "fish", "powershell"),
    blocks("Clients", "bash")[1],
)
SETTINGS, VSCODE, JETBRAINS, CC_SWITCH = blocks("Clients", "json")
FIRST, SUFFIX = STARTS
NAMES = ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN")


@dataclass(frozen=True)
class Desk:
    """A person's machine: a home with nothing in it, ``claude`` on PATH, and the gateway that the snippets mean."""

    home: Path
    programs: Path
    url: str

    def code(self, block: Block | str) -> str:
        text = block if isinstance(block, str) else block.code
        assert URL in text
        return text.replace(URL, self.url)

    def run(self, *command: str, **more: str) -> str:
        """What it printed. Nothing is inherited but PATH."""
        own = {"PATH": f"{self.programs}:{os.environ['PATH']}", "HOME": str(self.home)}
        done = subprocess.run(
            command,
            cwd=self.home,
            env={**own, **QUIET, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_WITHIN,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def claude(self, env: Mapping[str, str]) -> str:
        assert set(env) == set(NAMES)
        return self.run("claude", **env)


@pytest.fixture
def kimi(program: Path) -> Iterator[ChatUpstream]:
    with ChatUpstream() as scripted:
        scripted.always(openai_chat.completion(openai_chat.text("Hello from Kimi or Groq")))
        yield scripted


@pytest.fixture
def gateway(upstream: Upstream, kimi: ChatUpstream, tmp_path: Path) -> Iterator[GatewayProcess]:
    """Open, as after make run: any token will do."""
    upstream.always(message(text("Hello from the pool")))
    environ = {
        "ANTHROPIC_UPSTREAM_API_KEY": "sk-1",
        "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url,
        "KIMI_API_KEY": "sk-2",
        "KIMI_BASE_URL": kimi.base_url,
        "GROQ_API_KEY": "sk-3",
        "GROQ_BASE_URL": kimi.base_url,
        "OPENROUTER_API_KEY": "sk-4",
        "OPENROUTER_BASE_URL": upstream.url,
        "MODEL": "anthropic/claude-x",
    }
    with running_gateway(tmp_path / "gateway", environ) as process:
        yield process


@pytest.fixture
def desk(program: Path, gateway: GatewayProcess, tmp_path: Path) -> Desk:
    home, programs = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    programs.mkdir()
    # The snippets start claude at its prompt; here it answers one question and ends.
    (programs / "claude").write_text(
        f'#!/bin/sh\n[ $# -gt 0 ] || set -- -p hi\nexec "{program}" --no-session-persistence "$@"\n'
    )
    (programs / "claude").chmod(0o755)
    return Desk(home, programs, gateway.url)


@pytest.mark.parametrize("block", [FIRST, CLI.code], ids=["first", "clients"])
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_cli_from_bash_and_zsh(desk: Desk, shell: str, block: str) -> None:
    assert "Hello from the pool" in desk.run(found(shell), "-c", desk.code(block))


def test_a_suffix_chooses_the_model(desk: Desk, upstream: Upstream) -> None:
    assert "Hello from the pool" in desk.run("bash", "-c", desk.code(SUFFIX))
    assert {request.model for request in upstream.posts("/v1/messages")} == {"z-ai/glm-4.7"}


def test_the_cli_from_fish(desk: Desk) -> None:
    assert "Hello from the pool" in desk.run(found("fish"), "--no-config", "-c", desk.code(FISH))


def test_the_cli_from_powershell(desk: Desk) -> None:
    code = desk.code(POWERSHELL)
    assert Token.Error not in {kind for kind, _ in PowerShellLexer().get_tokens(code)}
    *assignments, command = [part.strip() for part in code.split(";")]
    pairs = [re.fullmatch(r'\$env:(\w+) = "([^"$`]*)"', each) for each in assignments]
    assert command == "claude"
    assert "Hello from the pool" in desk.claude({pair[1]: pair[2] for pair in pairs if pair})


def test_the_clients_own_settings_win_over_the_environment(desk: Desk) -> None:
    (desk.home / ".claude").mkdir()
    (desk.home / ".claude/settings.json").write_text(desk.code(SETTINGS))
    elsewhere = dict.fromkeys(NAMES, "http://127.0.0.1:9")
    assert "Hello from the pool" in desk.run("claude")
    assert "Hello from the pool" in desk.claude(elsewhere)


def test_vs_code(desk: Desk) -> None:
    """Without its entry the client that the extension runs asks for a login, which is what its login screen is."""
    bare = subprocess.run(
        ["claude", "-p", "hi"],
        cwd=desk.home,
        env={"PATH": f"{desk.programs}:{os.environ['PATH']}", "HOME": str(desk.home), **QUIET},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN,
    )
    assert (bare.returncode, "Please run /login" in bare.stdout) == (1, True)
    pairs = json.loads(desk.code(VSCODE))["claudeCode.environmentVariables"]
    assert [set(pair) for pair in pairs] == [{"name", "value"}] * 2
    assert "Hello from the pool" in desk.claude({pair["name"]: pair["value"] for pair in pairs})


def test_jetbrains(desk: Desk) -> None:
    settings: dict[str, Any] = json.loads(desk.code(JETBRAINS))
    assert list(settings) == ["env"]
    assert "`~/.jetbrains/acp.json`" in TEXT
    assert r"`C:\Users\%USERNAME%\AppData\Roaming\JetBrains\acp-agents\installed.json`" in TEXT
    assert "Hello from the pool" in desk.claude(settings["env"])


def test_cc_switch_writes_the_clients_settings(desk: Desk, kimi: ChatUpstream) -> None:
    (desk.home / ".claude").mkdir()
    (desk.home / ".claude/settings.json").write_text(desk.code(CC_SWITCH))
    assert "Hello from Kimi or Groq" in desk.run("claude")
    assert {request.model for request in kimi.chats} == {"kimi-k2.6"}


@pytest.mark.parametrize(
    ("alias", "model"), [("claude-kimi", "kimi-k2.6"), ("claude-groq", "openai/gpt-oss-120b")], ids=["kimi", "groq"]
)
def test_an_alias_has_its_model(desk: Desk, kimi: ChatUpstream, alias: str, model: str) -> None:
    # An alias holds from the line behind its own on, and in a script where that is asked for.
    script = f"shopt -s expand_aliases\n{desk.code(ALIASES)}{alias} -p hi\n"
    assert "Hello from Kimi or Groq" in desk.run("bash", "-c", script)
    assert {request.model for request in kimi.chats} == {model}


def found(shell: str) -> str:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"no {shell} here: apt install {shell}")
    return path
