"""LOG_FILE: a copy of the log that is added to, rotated and its owner's alone."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from gateway.log_file import LogFileHandler
from gateway.settings.model import LogFile
from providers.errors import ConfigError
from tests.gateway.place import Place, only
from tests.gateway_process import ROOT
from tests.serving import captured_log
from tests.users import no_root, open_folder


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def test_it_is_json_whatever_stderr_is_and_has_a_level_of_its_own(place: Place) -> None:
    settings = place.load({"LOG_FILE": "k.log", "LOG_FILE_LEVEL": "DEBUG"})
    with captured_log("WARNING", "console", settings) as log:
        structlog.get_logger("keyturn").debug("quiet", number=1)
        structlog.get_logger("keyturn").warning("loud")
        logging.getLogger("some.library").info("from a library")
    assert events(place.cwd / "k.log") == ["quiet", "loud", "from a library"]
    assert "loud" in log.text
    assert "quiet" not in log.text
    assert "library" not in log.text


def test_it_may_tell_less_than_stderr(place: Place) -> None:
    with captured_log("DEBUG", "json", place.load({"LOG_FILE": "k.log", "LOG_FILE_LEVEL": "error"})) as log:
        structlog.get_logger("keyturn").debug("quiet")
        structlog.get_logger("keyturn").error("loud")
    assert events(place.cwd / "k.log") == ["loud"]
    assert [line["event"] for line in map(json.loads, log.text.splitlines())] == ["quiet", "loud"]


def test_a_start_adds_to_it(place: Place) -> None:
    for number in range(3):
        with captured_log("INFO", "json", place.load({"LOG_FILE": "k.log"})):
            structlog.get_logger("keyturn").info(f"start {number}")
    assert events(place.cwd / "k.log") == ["start 0", "start 1", "start 2"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_only_its_owner_reads_it_and_those_put_aside(place: Place) -> None:
    settings = place.load({"LOG_FILE": "k.log"})
    assert settings.log_file
    small = replace(settings, log_file=replace(settings.log_file, size=300, kept=2))
    with captured_log("INFO", "json", small):
        for number in range(20):
            structlog.get_logger("keyturn").info(f"line {number}", padding="x" * 50)
    files = sorted(place.cwd.glob("k.log*"))
    assert [file.name for file in files] == ["k.log", "k.log.1", "k.log.2"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert all(file.stat().st_size <= 300 for file in files)
    kept = [event for file in reversed(files) for event in events(file)]
    assert kept == [f"line {number}" for number in range(20 - len(kept), 20)]


def test_the_size_and_the_number_are_settings(place: Place) -> None:
    settings = place.load({"LOG_FILE": "k.log", "LOG_FILE_MAX_MB": "0.5", "LOG_FILE_KEEP": "9"})
    assert settings.log_file == LogFile(place.cwd / "k.log", "INFO", 512 * 1024, 9)
    assert place.load({}).log_file is None
    assert place.load({"LOG_FILE": " "}).log_file is None


@pytest.mark.parametrize(
    ("ours", "earlier", "text"),
    [
        ("LOG_LEVEL", "CONSOLE_LOG_LEVEL", "error"),
        ("LOG_FILE", "LOG_FILE_PATH", "log.jsonl"),
        ("LOG_RAW_API_PAYLOADS", "LOG_REQUEST_BODY", "true"),
        ("LOG_RAW_SSE_EVENTS", "LOG_RESPONSE_BODY", "true"),
    ],
)
def test_the_names_of_earlier_systems_mean_the_same(place: Place, ours: str, earlier: str, text: str) -> None:
    meant, written = place.load({ours: text}), place.load({earlier: text})
    assert meant != place.load({})
    assert replace(written, warnings=(), moved=()) == replace(meant, warnings=(), moved=())
    both = place.load({ours: text, earlier: "" if text == "true" else "critical"})
    assert replace(both, warnings=(), moved=()) == replace(meant, warnings=(), moved=())


def test_a_level_under_an_earlier_name_is_checked_too(place: Place) -> None:
    assert only(place.problems({"FILE_LOG_LEVEL": "loud", "LOG_FILE": "k.log"})).name == "FILE_LOG_LEVEL"
    settings = place.load({"FILE_LOG_LEVEL": "debug", "LOG_FILE": "~/k.log"})
    assert settings.log_file == LogFile(place.home / "k.log", "DEBUG")


@pytest.mark.parametrize(
    ("path", "problem"),
    [(".", "is a folder"), ("nowhere/k.log", "there is no folder"), ("shut/k.log", "cannot be written")],
)
def test_a_file_that_cannot_be_is_a_problem_that_names_the_variable(path: str, problem: str) -> None:
    with open_folder() as folder:
        place = Place(folder)
        place.load({})
        (place.cwd / "shut").mkdir(0o500)
        with no_root():
            found = only(place.problems({"LOG_FILE": path}))
            assert (found.name, problem in found.problem) == ("LOG_FILE", True)
            assert only(place.problems({"LOG_FILE_PATH": path})).name == "LOG_FILE_PATH"


def test_a_disk_that_refuses_at_the_start_is_one_sentence(place: Place) -> None:
    with pytest.raises(ConfigError) as refused:
        LogFileHandler(LogFile(place.cwd / "gone" / "k.log"))
    assert str(refused.value).startswith(f"LOG_FILE: {place.cwd}/gone/k.log cannot be written: No such file")
    assert "leave LOG_FILE blank" in str(refused.value)


def test_the_command_says_so_and_ends_with_2(place: Place) -> None:
    """/proc takes no file of anybody's, root's neither."""
    run = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "serve", "--port", "0"],
        cwd=place.cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(place.home), "PYTHONPATH": str(ROOT), "LOG_FILE": "/proc/k.log"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 2
    assert "LOG_FILE" in run.stderr
    assert "/proc/k.log cannot be written" in run.stderr
    assert "Traceback" not in run.stderr


class _Full(LogFileHandler):
    """On a disk that has run full."""

    full = True

    def flush(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().flush()


def test_a_disk_that_fills_up_is_told_once(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    handler = _Full(LogFile(place.cwd / "k.log"))
    for _ in range(3):
        handler.handle(logging.LogRecord("keyturn", logging.INFO, "", 0, "a line", (), None))
    err = capsys.readouterr().err
    assert err == f"LOG_FILE: {place.cwd}/k.log cannot be written any more: No space left on device.\n"
    handler.full = False
    handler.close()
