"""Make .venv match the lock files: `scripts/setup.py run|dev`, called by make through setup.sh.

Uses uv when it is on PATH, else the venv module and pip. Needs nothing but the standard library. A stamp inside
.venv holds a digest of everything the installation came from, so a second run does nothing.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".keyturn-setup.json"
# The development lock holds every pin of the other one, so installing it makes both true.
COVERS = {"run": ["run"], "dev": ["dev", "run"]}
QUIET = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
SHOW_VERSION = "import sys; print(sys.version if sys.version_info >= (3, 11) else '')"


def say(text: str) -> None:
    print(f"keyturn setup: {text}", file=sys.stderr, flush=True)


def run(step: str, command: Sequence[str]) -> None:
    """Run one quiet step. On failure, show what it printed and stop with one line that says which step failed."""
    say(step)
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | QUIET, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        sys.exit(f"keyturn setup: failed while {step}; the lines above say why. Put that right and run make again.")


def ask_venv(code: str) -> str:
    """What .venv's Python prints for the code; nothing where there is no working one."""
    try:
        return subprocess.run([VENV_PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def require_venv_module() -> None:
    if all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    sys.exit(
        f"keyturn setup: {sys.executable} has no working venv module; install {package} "
        f"(Debian, Ubuntu: apt install {package}), then run make again."
    )


def base_python() -> str:
    """The interpreter itself, where the one running is that of a virtual environment: .venv may be about to go."""
    named = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    return str(named) if named.exists() else sys.executable


def create_venv(uv: str | None) -> None:
    if uv is None:
        require_venv_module()
    if VENV.exists():
        shutil.rmtree(VENV)
    python = base_python()
    maker = [uv, "venv", "--quiet", "--python", python, ".venv"] if uv else [python, "-m", "venv", ".venv"]
    run(f"creating .venv with Python {sys.version.split()[0]} and {'uv' if uv else 'venv'}", maker)


def install(lock: str, uv: str | None) -> None:
    python = str(VENV_PYTHON)
    installer = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    requirements = f"requirements/{lock}.txt"
    run(f"installing the packages of {requirements}", [*installer, "-q", "--require-hashes", "-r", requirements])
    run("installing keyturn itself", [*installer, "-q", "--no-deps", "--no-build-isolation", "-e", "."])


def digest(lock: str, version: str) -> str:
    """Of everything that an installation came from."""
    inputs = (ROOT / name for name in (f"requirements/{lock}.txt", "pyproject.toml", "scripts/setup.py"))
    return hashlib.sha256(b"\0".join([version.encode(), *(path.read_bytes() for path in inputs)])).hexdigest()


def stamped() -> dict[str, str]:
    try:
        return dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError):
        return {}


def ensure(lock: str, this_python: bool) -> None:
    """Create .venv where it is missing, broken or not of the Python asked for; install where the stamp is stale."""
    version = ask_venv(SHOW_VERSION)
    stamp = stamped()
    # The scripts in .venv carry its path, so a checkout that was moved or copied needs a new one.
    usable = stamp.get("root", str(ROOT)) == str(ROOT) and (version == sys.version if this_python else bool(version))
    if usable and stamp.get(lock) == digest(lock, version):
        return
    uv = shutil.which("uv")
    if not usable or not (uv or ask_venv("import pip; print(1)")):
        create_venv(uv)
    STAMP.unlink(missing_ok=True)
    install(lock, uv)
    version = ask_venv(SHOW_VERSION)
    STAMP.write_text(json.dumps({"root": str(ROOT)} | {name: digest(name, version) for name in COVERS[lock]}))


def main() -> None:
    lock, this_python = sys.argv[1], "--this-python" in sys.argv
    # Two makes at once take turns.
    with open(__file__, "rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        try:
            ensure(lock, this_python)
        except KeyboardInterrupt:
            sys.exit(130)


if __name__ == "__main__":
    main()
