"""What `make` says on a machine where it cannot set the project up: one line that names what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway_process import ROOT

WITHOUT_ENSUREPIP = (
    "import runpy, sys; sys.modules['ensurepip'] = None; sys.argv = ['setup.py', 'run']; "
    "runpy.run_path('scripts/setup.py', run_name='__main__')"
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that the setup needs, in a path with a space."""
    place = tmp_path / "a checkout"
    place.mkdir()
    for name in ("scripts", "requirements"):
        shutil.copytree(ROOT / name, place / name)
    shutil.copy(ROOT / "pyproject.toml", place)
    return place


def said(command: list[str], checkout: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=checkout, env={"PATH": "/nowhere", **environ}, capture_output=True, text=True, timeout=60
    )


def test_without_the_venv_module_one_line_names_the_package(checkout: Path) -> None:
    done = said([sys.executable, "-c", WITHOUT_ENSUREPIP], checkout)
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert f"python{sys.version_info.major}.{sys.version_info.minor}-venv" in line
    assert not (checkout / ".venv").exists()


def test_a_python_that_does_not_run_is_named_in_one_line(checkout: Path) -> None:
    done = said(["/bin/sh", "scripts/setup.sh", "run"], checkout, PATH="/usr/bin:/bin", PYTHON="/nowhere/python3")
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "PYTHON=/nowhere/python3" in line
    assert "3.11" in line


def test_without_any_python_one_line_says_which_to_install(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "dirname").symlink_to(shutil.which("dirname") or "/usr/bin/dirname")
    done = said(["/bin/sh", "scripts/setup.sh", "run"], checkout, PATH=str(tools))
    assert done.returncode != 0
    assert "no Python 3.11 or newer" in done.stderr.splitlines()[-1]
