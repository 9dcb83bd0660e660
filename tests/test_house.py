"""The house itself: its prescribed rooms and packages, its rules that no linter knows, and the wheel it ships in."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.demo import INTRODUCTION
from providers.version import VERSION
from tests.gateway_process import ROOT
from tests.serving import ask

ROOMS = ("gateway", "middleware", "providers")
LINES = 400  # of a source file
TEST_LINES = 560
WITHIN = 60

PROJECT: Any = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def sources(*rooms: str) -> Iterator[Path]:
    return (path for room in rooms for path in sorted((ROOT / room).rglob("*.py")))


@pytest.mark.parametrize(
    "name",
    [
        "pyproject.toml",
        "gateway/",
        "providers/",
        "middleware/",
        "tests/",
        "deploy/",
        "grafana/",
        ".env.example",
        "README.md",
        "Makefile",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "server.py",
        "requirements/",
        ".ci/run",
    ],
)
def test_the_prescribed_top_level(name: str) -> None:
    path = ROOT / name
    assert path.is_dir() if name.endswith("/") else path.is_file()
    assert not path.is_dir() or any(path.iterdir())


@pytest.mark.parametrize(
    "package",
    ["fastapi", "uvicorn", "httpx", "tenacity", "aiolimiter", "redis", "prometheus-client", "pydantic-settings"],
)
def test_the_prescribed_packages_are_needed_to_run(package: str) -> None:
    assert package in {_name(each) for each in PROJECT["dependencies"]}


@pytest.mark.parametrize("package", ["pytest", "fakeredis"])
def test_the_prescribed_packages_are_needed_to_work_on_it(package: str) -> None:
    assert package in {_name(each) for each in PROJECT["optional-dependencies"]["dev"]}


def _name(requirement: str) -> str:
    return requirement.partition(";")[0].partition("[")[0].partition(">")[0].strip()


def test_there_is_one_version() -> None:
    assert PROJECT["version"] == VERSION


def _uses(tree: ast.AST) -> set[str]:
    """The names that a module calls as functions, and the ``os`` members that it touches."""
    used = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                used.add(name)
            case ast.Attribute(value=ast.Name(id="os"), attr=name):
                used.add(f"os.{name}")
            case ast.ImportFrom(module="os", names=names):
                used |= {f"os.{each.name}" for each in names}
    return used


READS = {"os.environ", "os.environb", "os.getenv", "os.getenvb"}


@pytest.mark.parametrize("path", [*sources(*ROOMS), ROOT / "server.py"], ids=lambda path: str(path.relative_to(ROOT)))
def test_the_rules_that_no_linter_knows(path: Path) -> None:
    used = _uses(ast.parse(path.read_text()))
    where = path.relative_to(ROOT).parts[:2]
    assert where == ("gateway", "settings") or not used & READS, "only the settings read the environment"
    assert where == ("gateway", "cli") or "print" not in used, "only the command line prints"


@pytest.mark.parametrize(("rooms", "most"), [((*ROOMS, "scripts"), LINES), (("tests",), TEST_LINES)])
def test_files_keep_to_their_budget(rooms: tuple[str, ...], most: int) -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources(*rooms)}
    assert {path: length for path, length in lengths.items() if length > most} == {}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the checkout, with the build backend that is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=WITHIN)
    assert built.returncode == 0, built.stdout + built.stderr
    [made] = folder.glob("*.whl")
    return made


def test_the_wheel_holds_every_room_and_all_their_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    there = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    own = {name for name in held if ".dist-info/" not in name}
    assert own == there | {"server.py"}
    assert f"keyturn-{VERSION}.dist-info/licenses/LICENSE" in held


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has this wheel and the packages it needs, and nothing of the checkout.

    The packages are those of this environment, put on the new one's path: nothing is downloaded.
    """
    place = tmp_path_factory.mktemp("a place with spaces") / "env"
    venv.create(place, with_pip=True)
    programs = place / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, cwd=place, env=_plain(place), check=True, timeout=WITHIN)
    library = sysconfig.get_path("purelib", "venv", {"base": str(place), "platbase": str(place)})
    Path(library, "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


def _plain(home: Path) -> dict[str, str]:
    """The environment of a user who has set nothing."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def test_the_installed_program_is_the_wheels(installed: Path, tmp_path: Path) -> None:
    code = "import gateway.cli, middleware, providers.catalog, server; print(gateway.__file__, server.__file__)"
    python = [str(installed / "python"), "-c", code]
    done = subprocess.run(python, cwd=tmp_path, env=_plain(tmp_path), capture_output=True, text=True, timeout=WITHIN)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(str(installed.parent)) == 2
    keyturn = [str(installed / "keyturn"), "version"]
    done = subprocess.run(keyturn, cwd=tmp_path, env=_plain(tmp_path), capture_output=True, text=True, timeout=WITHIN)
    assert (done.returncode, done.stdout) == (0, f"keyturn {VERSION}\n"), done.stderr


def test_the_installed_program_gives_an_answer(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "keyturn"), "serve", "--port", "0"]
    env = _plain(tmp_path) | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        watchdog = threading.Timer(WITHIN, process.kill)
        watchdog.start()
        try:
            url = _address(process)
            reply = httpx.post(f"{url}/v1/messages", json=ask("hi"), trust_env=False, timeout=WITHIN)
            process.send_signal(signal.SIGTERM)
            assert process.wait(WITHIN) == 0
        finally:
            process.kill()
            watchdog.cancel()
    assert reply.json()["content"][0]["text"] == INTRODUCTION


def _address(process: subprocess.Popen[str]) -> str:
    """From the line of the banner that starts the client."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if "ANTHROPIC_BASE_URL=" in line:
            return line.partition("ANTHROPIC_BASE_URL=")[2].split()[0]
    raise AssertionError("the gateway ended:\n" + "".join(seen))
