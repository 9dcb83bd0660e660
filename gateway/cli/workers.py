"""``keyturn serve --workers N``: one process that listens and watches over those that serve.

SIGTERM lets every worker finish its streams; SIGHUP has each read its settings again, and none of its streams notices.
A worker that dies has a successor.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.multiprocess import mark_process_dead

from gateway.cli.admin_token import with_admin_token
from gateway.cli.banner import STYLES, banner
from gateway.cli.local_runtimes import find
from gateway.cli.out import say, show
from gateway.settings import Settings
from gateway.settings.load import METRICS_FOLDER
from gateway.settings.worker_environment import worker_environment

FORCED = 130  # the second Ctrl+C cut open streams off
AGAIN = 1.0  # seconds until a worker that died has a successor
SPARE = 10.0  # seconds beyond DRAIN_TIMEOUT that a worker may take to end
SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGCHLD")


def refusal(settings: Settings, workers: int) -> str:
    """Why these settings cannot be served by so many, and what to do; "" where they can."""
    if os.name != "posix":
        return f"--workers {workers}: several workers need Linux or macOS. Leave --workers out."
    if settings.redis is None:
        return (
            f"--workers {workers} needs REDIS_URL: without it each worker would keep limits and rests of its own, and "
            f"keys would be asked {workers} times as much as they may. Set REDIS_URL=redis://<host>:6379/0, or leave "
            "--workers out: one process serves hundreds of streams at once."
        )
    return ""


def supervise(settings: Settings, sockets: Sequence[socket.socket], workers: int, options: Sequence[str]) -> int:
    """Serves until a signal; returns the exit status. ``options`` are those that the settings were read with."""
    port = sockets[0].getsockname()[1]
    with with_admin_token(settings, port) as own, TemporaryDirectory(prefix="keyturn-metrics-") as metrics:
        environment = worker_environment(Path(metrics), None if settings.admin_token else own.admin_token)
        command = [sys.executable, "-m", "gateway.cli", "worker", *options, "--workers", str(workers)]
        listeners = [each.fileno() for each in sockets]
        crew = Crew(command, environment, listeners, workers, own.drain_timeout)

        def ready() -> None:
            offers = asyncio.run(find(own.providers, own_port=port))
            show(banner(replace(own, processes=max(own.processes, workers)), port, offers), STYLES)

        return crew.run(ready)


@dataclass(eq=False)
class Worker:
    """A process that serves. It says that it is ready on one pipe, and ends when the other is closed."""

    process: subprocess.Popen[bytes]
    says: int
    alive: int
    ready: bool = False
    outdated: bool = False  # it may have read its settings before they changed
    since: float = field(default_factory=time.monotonic)
    leaving: float = float("inf")  # by when it has to be gone

    def begun(self) -> None:
        """It serves, and knows what SIGHUP means."""
        self.ready = True
        if self.outdated:
            self.reload()

    def reload(self) -> None:
        self.outdated = not self.ready
        if self.ready:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGHUP)

    def leave(self, within: float) -> None:
        if self.leaving == float("inf"):
            self.leaving = time.monotonic() + within
            with suppress(ProcessLookupError):
                self.process.terminate()


class Crew:
    """All workers: at first they are about to serve, and where one does not come the others leave."""

    def __init__(
        self,
        command: Sequence[str],
        environment: dict[str, str],
        listeners: Sequence[int],
        count: int,
        drain: float,
    ) -> None:
        self._command = [*command, "--listeners", ",".join(map(str, listeners))]
        self._environment = environment
        self._listeners = listeners
        self._count = count
        self._drain = drain + SPARE
        self._serving: list[Worker] = []
        self._coming: list[Worker] = []
        self._leaving: list[Worker] = []
        self._vacant: list[float] = []  # when workers that died are replaced
        self._selector = selectors.DefaultSelector()
        self._stopping = 0
        self._status = 0

    def run(self, ready: Callable[[], None]) -> int:
        with self._signals() as wakes:
            self._selector.register(wakes, selectors.EVENT_READ)
            self._coming = [self._start() for _ in range(self._count)]
            while self._serving or self._coming or self._leaving:
                for key, _ in self._selector.select(self._patience()):
                    self._heard(key.fd, wakes)
                self._look_after(ready)
        return FORCED if self._stopping > 1 else self._status

    # -- what happens

    def _heard(self, descriptor: int, wakes: int) -> None:
        said = os.read(descriptor, 64)
        if descriptor == wakes:
            for number in said:
                self._signalled(number)
            return
        worker = next(each for each in self._all() if each.says == descriptor)
        self._selector.unregister(descriptor)
        if said:
            worker.begun()

    def _signalled(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stop(number)
        elif number == signal.SIGHUP and not self._stopping:
            for worker in self._all():
                worker.reload()

    def _stop(self, number: int) -> None:
        self._stopping += 1 if number == signal.SIGINT or not self._stopping else 0
        for worker in self._all():
            if self._stopping > 1:
                worker.process.kill()
            worker.leave(self._drain)
        self._vacant.clear()

    def _look_after(self, ready: Callable[[], None]) -> None:
        for worker in [each for each in self._all() if each.process.poll() is not None]:
            self._gone(worker)
        if self._coming and all(worker.ready for worker in self._coming):
            self._serving, self._coming = self._coming, []
            ready()
        now = time.monotonic()
        for due in [each for each in self._vacant if each <= now]:
            self._vacant.remove(due)
            self._serving.append(self._start())
        for worker in self._all():
            if worker.leaving <= now:
                worker.process.kill()

    def _gone(self, worker: Worker) -> None:
        self._forget(worker)
        status = worker.process.returncode
        if worker in self._coming:
            self._coming.remove(worker)
            self._did_not_come(status)
        elif worker in self._leaving:
            self._leaving.remove(worker)
        else:
            self._serving.remove(worker)
            if not self._stopping:
                say(f"A worker ended with status {status}; another one takes its place.")
                self._vacant.append(time.monotonic() + AGAIN)

    def _did_not_come(self, status: int) -> None:
        """At the start, and it has said why: that is the end."""
        for worker in self._coming:
            worker.leave(self._drain)
        self._leaving += self._coming
        self._coming = []
        if not self._stopping:
            self._status = status if status > 0 else 1

    # -- processes

    def _start(self) -> Worker:
        says, told = os.pipe()
        watched, alive = os.pipe()
        command = [*self._command, "--says", str(told), "--watched", str(watched)]
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            env=self._environment,
            pass_fds=(*self._listeners, told, watched),
            # Ctrl+C reaches all of a terminal's programs; what it means is said by this one.
            start_new_session=True,
        )
        os.close(told)
        os.close(watched)
        self._selector.register(says, selectors.EVENT_READ)
        return Worker(process, says, alive)

    def _forget(self, worker: Worker) -> None:
        with suppress(KeyError):
            self._selector.unregister(worker.says)
        os.close(worker.says)
        os.close(worker.alive)
        mark_process_dead(worker.process.pid, self._environment[METRICS_FOLDER])  # type: ignore[no-untyped-call]

    def _all(self) -> list[Worker]:
        return [*self._serving, *self._coming, *self._leaving]

    def _patience(self) -> float | None:
        """Seconds until there is something to do unasked."""
        due = min([*self._vacant, *(worker.leaving for worker in self._all())], default=float("inf"))
        return None if due == float("inf") else max(0.0, due - time.monotonic())

    @contextmanager
    def _signals(self) -> Iterator[int]:
        """A descriptor on which the numbers of signals are to be read."""
        wakes, writes = os.pipe()
        os.set_blocking(writes, False)
        numbers = [getattr(signal, name) for name in SIGNALS]
        before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        earlier = signal.set_wakeup_fd(writes)
        try:
            yield wakes
        finally:
            signal.set_wakeup_fd(earlier)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            os.close(wakes)
            os.close(writes)
