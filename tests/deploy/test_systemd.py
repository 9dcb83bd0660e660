"""deploy/systemd: the unit, and what the gateway does when a manager stops it."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.settings.variables import Globals
from tests.gateway_process import ROOT

UNIT = ROOT / "deploy/systemd/keyturn.service"


@pytest.fixture(scope="module")
def unit() -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(UNIT.read_text())
    return read


def test_it_stops_later_than_the_gateway_drains(unit: configparser.ConfigParser) -> None:
    assert float(unit["Service"]["TimeoutStopSec"]) > Globals.model_fields["drain_timeout"].default


def test_a_wrong_configuration_is_not_started_again(
    unit: configparser.ConfigParser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PORT", "eighty")
    [_, *command] = shlex.split(unit["Service"]["ExecStart"])
    assert main(command) == int(unit["Service"]["RestartPreventExitStatus"])


def test_a_reload_reads_the_settings_anew(unit: configparser.ConfigParser) -> None:
    """What the signal does to one process is in test_reload_under_load.py, and in test_workers.py to many."""
    assert unit["Service"]["ExecReload"].split()[1:] == ["-HUP", "$MAINPID"]


def test_systemd_takes_it(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze here: apt install systemd")
    (tmp_path / UNIT.name).write_text(UNIT.read_text().replace("%h/.local/bin/keyturn", "/bin/true"))
    done = subprocess.run(
        [program, "--user", "--man=no", "verify", str(tmp_path / UNIT.name)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
