"""Processes as Linux shows them in /proc: CPU time, memory, cores; and child programs that talk in lines of JSON."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from tests.gateway_process import ROOT

PROC = Path("/proc")
_TICK = 0.1  # seconds between two looks at a process while a child works
_LOOK = 0.3  # seconds of quiet that are waited for
_QUIET = 0.1  # of a core at most, by anybody, is quiet

T = TypeVar("T")


class Silent(Exception):
    """A program of the harness did not say what it should have in time."""


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads, from schedstat (nanoseconds) where the kernel keeps it, else from stat."""
    nanoseconds = 0
    for thread in (PROC / str(pid) / "task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            nanoseconds += int((thread / "schedstat").read_text().split()[0])
    if nanoseconds:
        return nanoseconds / 1e9
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """Of all cores together, by anybody."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, (PROC / "stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def await_quiet(most: float) -> float:
    """Wait until other programs leave the machine alone, ``most`` seconds at most; the seconds that it took."""
    began = time.monotonic()
    waited, busy = 0.0, _LOOK
    while waited + _LOOK <= most and busy > _QUIET * _LOOK:
        before = busy_seconds()
        select.select([], [], [], _LOOK)
        busy = busy_seconds() - before
        waited = time.monotonic() - began
    return waited


def resident_mib(pid: int) -> float:
    pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cores() -> tuple[int, int] | None:
    """One core for the harness and one for the target; None where there are not two."""
    own = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (own[0], own[1]) if len(own) > 1 else None


def pin(pid: int, core: int) -> None:
    """Keep a process on a core. Its threads too; later ones follow the one that makes them."""
    for thread in (PROC / str(pid) / "task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


class Program:
    """A module of the harness, running as a program of its own."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._name = name
        self._process = process

    def say(self, what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(what) + b"\n")

    def hear(self, kind: type[T], within: float, meanwhile: Callable[[], object] = lambda: None) -> T:
        """The next line it prints. Raises Silent after ``within`` seconds, or where the program has ended."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if select.select([self._process.stdout], [], [], _TICK)[0]:
                line = self._process.stdout.readline()
                if not line:
                    break
                return msgspec.json.decode(line, type=kind)
            meanwhile()
        raise Silent(f"{self._name} said nothing within {within:g} s, or has ended")


@contextmanager
def program(module: str) -> Iterator[Program]:
    """``python -m module``, killed at the end."""
    command = [sys.executable, "-m", module]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            yield Program(module, process)
        finally:
            process.kill()
