"""Shell completion as the README sets it up: real shells on a terminal, and Tab."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.cli.completion import SHELLS, script
from tests.checkout import made_in
from tests.e2e.terminal import Terminal, on_terminal
from tests.gateway_process import ROOT
from tests.readme import blocks
from tests.upstream import free_port

PLACE = "/path/to/keyturn"
# Without a prompt and a greeting of its own; zsh and fish read the lines where a person has them.
START = {"bash": ["--noprofile", "--rcfile"], "zsh": ["-d", "-i"], "fish": ["--no-config", "-i", "-C"]}
TAB = "\t"


def lines(shell: str) -> str:
    """What the README has a person add to the shell's start-up file."""
    (block,) = blocks("claude-pick", shell)
    return block.code


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here: apt install {name}")
    return name


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return made_in(tmp_path)


@contextmanager
def at_the_prompt(shell: str, checkout: Path, home: Path) -> Iterator[Terminal]:
    """The shell with the README's lines read, the programs not on its PATH."""
    read = lines(shell).replace(PLACE, str(checkout))
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PS1": "ready> ",
        "PYTHONPATH": str(ROOT),
        "CLAUDE_PICK_PORT": str(free_port()),
        "MODEL": "groq/openai/gpt-oss-120b",
        "GROQ_API_KEY": "gsk-1",
    }
    start = home / (".zshrc" if shell == "zsh" else "start")
    start.write_text(read + "echo all-read\n")
    arguments = {"bash": [str(start)], "zsh": [], "fish": [start.read_text()]}[shell]
    with on_terminal([shell, *START[shell], *arguments], home, environ) as terminal:
        terminal.wait_for("all-read")
        yield terminal


def test_tab_completes_options_commands_and_models(shell: str, checkout: Path, tmp_path: Path) -> None:
    with at_the_prompt(shell, checkout, tmp_path) as terminal:
        terminal.press(f"claude-pick --mod{TAB}")
        terminal.wait_for("claude-pick --model")
        terminal.press(f"groq{TAB}")
        terminal.wait_for("groq/openai/gpt-oss-120b")


@pytest.mark.parametrize("shell", SHELLS)
def test_an_installed_program_is_asked_by_its_path_and_else_by_its_name(shell: str, checkout: Path) -> None:
    beside = str(checkout / ".venv/bin/claude-pick")
    assert beside in script(shell, str(checkout / ".venv/bin/keyturn"))
    assert str(checkout) not in script(shell, str(checkout / "elsewhere.py"))
