"""claude-pick in a real terminal: the real fzf, tmux and Claude Code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway.pick import fzf
from tests.e2e.claude import RUN_WITHIN, Claude
from tests.e2e.terminal import on_terminal, skip_first_run
from tests.gateway_process import ROOT, GatewayProcess
from tests.upstream import Upstream, message, text


@pytest.fixture
def programs(program: Path, tmp_path: Path) -> Path:
    """A folder with claude in it, and the fzf that came with the installation."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "claude").symlink_to(program)
    (folder / "fzf").symlink_to(fzf.find("/nowhere"))
    return folder


@pytest.fixture
def environ(claude: Claude, gateway: GatewayProcess, programs: Path, tmp_path: Path) -> Mapping[str, str]:
    settings = tmp_path / "picks.env"
    settings.write_text("ANTHROPIC_AUTH_TOKEN=freecc\n")
    own = {name: value for name, value in claude.environment("").items() if not name.startswith("ANTHROPIC")}
    return {
        **own,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CLAUDE_PICK_ENV_FILE": str(settings),
        "CLAUDE_PICK_PORT": str(gateway.port),
        "ANTHROPIC_API_KEY": "sk-ant-of-the-clients-own",
    }


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[list[str]]:
    """A terminal that answers what programs ask of it, as fzf does; what follows is run in it. Its server ends here."""
    found = shutil.which("tmux")
    if found is None:
        pytest.skip("no tmux here: apt install tmux")
    server = [found, "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    yield [*server, "new-session"]
    subprocess.run([*server, "kill-server"], capture_output=True, timeout=RUN_WITHIN)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gateway.cli", "pick", *arguments]


def test_a_model_is_chosen_and_claude_answers_with_it(
    upstream: Upstream, claude: Claude, environ: Mapping[str, str], tmux: list[str]
) -> None:
    upstream.always(message(text("Picked and answered")))
    inside = [*tmux, *command("-p", "Say hello", "--no-session-persistence")]
    with on_terminal(inside, claude.work, environ) as terminal:
        terminal.wait_for("Enter starts claude with it")
        terminal.wait_for("anthropic/claude-sonnet-5")
        terminal.press("anthropic/claude-sonnet\r")
        terminal.wait_for("Picked and answered")
    assert {request.model for request in upstream.posts("/v1/messages")} == {"claude-sonnet-5"}


def test_the_interactive_client_starts(
    upstream: Upstream, claude: Claude, environ: Mapping[str, str], tmux: list[str]
) -> None:
    upstream.always(message(text("Hello from the pool")))
    skip_first_run(claude)
    with on_terminal([*tmux, *command("--model", "anthropic/claude-x")], claude.work, environ) as terminal:
        terminal.wait_for("shortcuts")
        terminal.press("Say hello")
        terminal.wait_for("Say hello")
        terminal.press("\r")
        terminal.wait_for("Hello from the pool")
    assert {request.model for request in upstream.posts("/v1/messages")} == {"claude-x"}


def test_leaving_the_list_starts_nothing(
    upstream: Upstream, claude: Claude, environ: Mapping[str, str], tmux: list[str]
) -> None:
    told = [*tmux, "/bin/sh", "-c", '"$@"; echo "status $?"; read -r _', "sh", *command()]
    with on_terminal(told, claude.work, environ) as terminal:
        terminal.wait_for("Enter starts claude with it")
        terminal.press("\x1b")
        terminal.wait_for("status 130")
    assert upstream.requests == []
