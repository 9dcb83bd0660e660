"""The commands, as a shell calls them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import main
from providers.version import VERSION
from tests.gateway_process import ROOT


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", ["check", "check-config"])
def test_check_of_a_good_configuration(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("valid      read: no file; the environment\n")
    assert "models     default  demo/demo, thinking on\n" in out
    assert err == ""


def test_check_of_a_named_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.toml").write_text("model = 'ollama/m'\n")
    assert main(["check", "--config", "other.toml"]) == 0
    assert "models     default  ollama/m, thinking on\n" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["check"], ["serve"], []])
def test_a_bad_configuration_is_status_2_with_every_problem_on_stderr(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "eight")
    monkeypatch.setenv("GROQ_API_KEY", "gsk-two words")
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "Keyturn cannot start: the configuration has 2 problems.\n"
        "  PORT (from the environment): 'eight' is not a whole number from 0 to 65535. Write for example PORT=8082.\n"
        "  GROQ_API_KEY (from the environment): the key holds whitespace. "
        "Copy it again, without quotes or line breaks.\n"
    )


@pytest.mark.parametrize("command", [["serve", "--port", "eight"], ["--port", "eight"], ["--port=eight"]])
def test_serve_is_what_keyturn_alone_does(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 2
    assert capsys.readouterr().err.splitlines() == [
        "Keyturn cannot start: --port (from the command line): 'eight' is not a whole number from 0 to 65535. "
        "Write for example --port 8082.",
    ]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"keyturn {VERSION}\n"


@pytest.mark.parametrize(("arguments", "status"), [(["--version"], 0), (["--help"], 0), (["-h"], 0)])
def test_questions_about_the_command_are_status_0(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == status
    assert "keyturn" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["fly"], ["check", "--port", "1"], ["version", "x"], ["serve", "--nope"], ["-x"]]
)
def test_wrong_usage_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: keyturn" in capsys.readouterr().err


def test_python_m_runs_the_command_line_of_the_shell(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PATH": os.defpath}
    ended = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "check", "--config", "gone.toml"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--config (from the command line): there is no file gone.toml. " in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
