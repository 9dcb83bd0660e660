"""What deploy/Dockerfile says of the process that an image starts, and that process, started without an image."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.gateway_process import ROOT

WITHIN = 30.0
# The root is a copy that cannot be written to; only /tmp can. The interpreter and the source stand where nothing hides
# them, and the one capability lets the user read them wherever this machine keeps them.
_CONFINED = """
set -eu
mount --make-rprivate /
mount --rbind / /mnt
mount --bind "$SOURCE" /mnt/srv
mount --bind "$PREFIX" /mnt/opt
mount -o remount,ro,bind /mnt
mount -o remount,ro,bind /mnt/srv
mount -o remount,ro,bind /mnt/opt
mount -t tmpfs -o "$TMP_OPTIONS" tmpfs /mnt/tmp
exec chroot /mnt setpriv --reuid "$USER_ID" --regid "$GROUP_ID" --clear-groups --no-new-privs \\
    --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search \\
    env -i -C /tmp "$@"
"""


@dataclass(frozen=True)
class Image:
    """The last stage of the Dockerfile."""

    environ: Mapping[str, str]
    user: str
    command: tuple[str, ...]
    healthcheck: tuple[str, ...]


@cache
def image() -> Image:
    text = (ROOT / "deploy/Dockerfile").read_text().replace("\\\n", " ")
    last = text[text.rindex("\nFROM ") :].splitlines()
    said = {line.split(" ", 1)[0]: line.split(" ", 1)[1].strip() for line in last if re.match(r"[A-Z]+ ", line)}
    environ = dict(part.split("=", 1) for part in shlex.split(said["ENV"]))
    check = json.loads(re.search(r"CMD (\[.*\])", said["HEALTHCHECK"])[1])  # type: ignore[index]
    return Image(environ, said["USER"], (*json.loads(said["ENTRYPOINT"]), *json.loads(said["CMD"])), tuple(check))


def healthy(**environ: str) -> int:
    """The status with which the image's health check ends."""
    program, script = image().healthcheck
    [copied] = re.findall(rf"^COPY (\S+) {script}$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert program == "python"
    command = [sys.executable, str(ROOT / copied)]
    return subprocess.run(command, env={**image().environ, **environ}, timeout=WITHIN).returncode


@cache
def _can_confine() -> bool:
    tools = ("unshare", "setpriv", "chroot", "mount")
    if not all(shutil.which(tool) for tool in tools):
        return False
    trial = ["unshare", "--mount", "sh", "-c", "mount --make-rprivate / && mount --rbind / /mnt"]
    return subprocess.run(trial, capture_output=True, timeout=WITHIN).returncode == 0


@contextmanager
def container(
    output: Path, user: str = "", tmp: str = "mode=1777", **environ: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The image's process: its command, environment and user, a read-only root, /tmp in memory.

    ``user`` takes the place of the image's (uid:gid), ``tmp`` has more options of the mount.
    """
    if not _can_confine():
        pytest.skip("needs root and util-linux (unshare, setpriv): apt install util-linux, and run as root")
    spec = image()
    uid, _, gid = (user or spec.user).partition(":")
    program, *arguments = spec.command
    assert program == "keyturn"
    env = {**spec.environ, "PATH": "/opt/bin:/usr/bin:/bin", "PYTHONPATH": "/srv", **environ}
    told = [*(f"{name}={value}" for name, value in env.items()), "/opt/bin/python", "-m", "gateway.cli", *arguments]
    own = {"SOURCE": str(ROOT), "PREFIX": sys.prefix, "USER_ID": uid, "GROUP_ID": gid, "TMP_OPTIONS": f"size=64m,{tmp}"}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "sh",
                "-c",
                _CONFINED,
                "sh",
                *told,
            ],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **own},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(WITHIN)
