"""A new configuration for a gateway that runs: read and checked first, swapped in whole, or left alone.

Files are watched by looking at their times, not by the system's notices: those do not come from NFS, from a bind mount
of one file, nor from the links that Kubernetes swaps under a ConfigMap, and a look at ten files takes 30 us.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import structlog
from structlog.typing import FilteringBoundLogger

from gateway.settings import Settings
from gateway.settings.refs import DEMO
from providers.errors import ConfigError

EVERY = 1.0  # seconds between two looks at the files
APPLIED, REFUSED = "applied", "refused"
RESULTS = (APPLIED, REFUSED)
# What is fixed when the process starts, by the variables that set it.
FIXED = {
    "host": "HOST",
    "port": "PORT",
    "certificate": "SSL_CERTFILE",
    "believed_proxies": "FORWARDED_ALLOW_IPS",
    "drain_timeout": "DRAIN_TIMEOUT",
    "redis": "REDIS_URL",
    "redis_prefix": "KEYTURN_REDIS_PREFIX",
    "processes": "KEYTURN_PROCESSES",
    "state_file": "KEYTURN_STATE_FILE",
    "metrics_folder": "PROMETHEUS_MULTIPROC_DIR",
    "traces": "OTEL_EXPORTER_OTLP_ENDPOINT",
}

Stamp = tuple[int, int, int]


class Watched:
    """Files that were read, and whether they are others by now."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._stamps = {path: _stamp(path) for path in paths}
        self._seen = dict(self._stamps)

    def changed(self) -> bool:
        """Whether a file changed and was the same in two looks, so that none is read while it is being written.

        A file that is gone counts as unchanged: who replaces a file may remove it first.
        """
        now = {path: _stamp(path) or self._stamps[path] for path in self._stamps}
        settled = now == self._seen
        self._seen = now
        if not settled or now == self._stamps:
            return False
        self._stamps = now
        return True


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Reloader:
    """Reads the configuration again when it is told to, or when one of its files changed."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        swap: Callable[[Settings], Awaitable[None]],
        count: Callable[[str], None],
        every: float = EVERY,
    ) -> None:
        """``load`` raises ConfigError; ``count`` gets one of RESULTS. ``every`` is in seconds."""
        self._settings = settings
        self._load = load
        self._swap = swap
        self._count = count
        self._every = every
        self._watched = Watched(settings.sources)
        self._lock = asyncio.Lock()
        self._log: FilteringBoundLogger = structlog.get_logger("keyturn")

    async def reload(self) -> bool:
        """Whether the new configuration is in use; else the old one still is, and the log says why."""
        async with self._lock:
            watched = Watched(self._settings.sources)  # what changes while it is read is read again
            try:
                settings = await asyncio.to_thread(self._load)
            except ConfigError as error:
                self._refuse(error)
                return False
            await self._apply(settings, watched)
            return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Meanwhile SIGHUP and changed files reload."""
        watching = asyncio.create_task(self._watch())
        try:
            with self._signal():
                yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    def _refuse(self, error: ConfigError) -> None:
        for problem in error.problems:
            self._log.error("configuration problem", problem=str(problem))
        self._log.error(
            "configuration not reloaded: the one before stays in use; `keyturn check` shows what to correct",
            problems=len(error.problems),
        )
        self._count(REFUSED)

    async def _apply(self, settings: Settings, watched: Watched) -> None:
        before = self._settings
        running = {name: getattr(before, name) for name in FIXED}
        fixed = [variable for name, variable in FIXED.items() if running[name] != getattr(settings, name)]
        # A file that was gone for a moment is looked for ever after.
        sources = tuple(dict.fromkeys((*before.sources, *settings.sources)))
        self._settings = settings = replace(settings, sources=sources, **running)
        await self._swap(settings)
        self._watched = watched if settings.sources == before.sources else Watched(settings.sources)
        for warning in settings.warnings:
            if warning not in before.warnings:
                self._log.warning("configuration warning", warning=warning)
        self._warn_of_loss(before, settings)
        if fixed:
            self._log.warning("some settings need a restart of Keyturn", settings=fixed)
        self._log.info("configuration reloaded", files=settings.files)
        self._count(APPLIED)

    def _warn_of_loss(self, before: Settings, settings: Settings) -> None:
        """What is valid may still not be meant: a file that was emptied, or is one no more."""
        if gone := [file for file in before.files if file not in settings.files]:
            self._log.warning("files of the configuration are no longer there", files=gone)
        if settings.routing.default.provider == DEMO != before.routing.default.provider:
            self._log.warning("no provider is configured any more: the built-in demo answers")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            watched = self._watched
            if await asyncio.to_thread(watched.changed) and watched is self._watched:
                self._log.info("a file of the configuration changed")
                await self.reload()

    @contextmanager
    def _signal(self) -> Iterator[None]:
        """Only the main thread may, and not on Windows."""
        number = getattr(signal, "SIGHUP", None)
        if number is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[bool]] = set()

        def reload() -> None:
            task = loop.create_task(self.reload())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        loop.add_signal_handler(number, reload)
        try:
            yield
        finally:
            loop.remove_signal_handler(number)
