"""What the page on moving from ferryllm shows is true, and its commands work as they stand there."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from gateway.settings import load
from tests.deploy.image import WITHIN
from tests.gateway.ferryllm import ALIAS, EXAMPLE, KEY, SETTINGS
from tests.gateway_process import ROOT
from tests.moving.pages import CLAUDE, PAGES
from tests.test_moving_pages import ENV, started
from tests.upstream import free_port

PAGE = PAGES["ferryllm"]
EXPORT, CHECK, SERVE, *CLAUDES = PAGE.lines(".")
KEYTURN = [sys.executable, "-m", "gateway.cli"]


def test_its_example_is_the_documents() -> None:
    assert PAGE.blocks("toml") == [EXAMPLE + ALIAS]


def test_its_settings_are_the_documents_at_the_address_of_its_example(tmp_path: Path) -> None:
    [block] = PAGE.blocks("json")
    (tmp_path / "keyturn.toml").write_text(EXAMPLE)
    port = load(KEY, tmp_path, tmp_path).port
    assert json.loads(block) == {"env": {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}", **SETTINGS}}
    assert CLAUDES
    assert all(f"http://127.0.0.1:{port}" in line and re.search(CLAUDE, line.split(" --")[0]) for line in CLAUDES)


def test_its_commands_check_and_serve_it(tmp_path: Path) -> None:
    port = free_port()
    [name, value] = shlex.split(EXPORT)[1].split("=")
    assert {name: value} == KEY
    own = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **KEY}
    (tmp_path / "codexapis.toml").write_text(PAGE.blocks("toml")[0].replace("0.0.0.0:3000", f"127.0.0.1:{port}"))
    command = [*KEYTURN, *shlex.split(CHECK)[1:]]
    done = subprocess.run(command, cwd=tmp_path, env=own | ENV, capture_output=True, text=True, timeout=WITHIN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "configuration of ferryllm, told by [server]: docs/moving/ferryllm.md" in done.stdout
    assert "warning" not in done.stdout
    with started(tmp_path, [*KEYTURN, *shlex.split(SERVE)[1:]], port, KEY) as process:
        process.send_signal(signal.SIGTERM)
        process.wait(WITHIN)


def test_the_overview_names_it() -> None:
    overview = (ROOT / "docs/moving.md").read_text()
    assert "| ferryllm | " in overview
    assert "(moving/ferryllm.md)" in overview
