"""A one-shot event that any thread and any event loop can set and wait for."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future


class Signal:
    """Set once, seen by all. Every wait is bounded (10 s unless told) and raises ``TimeoutError``."""

    def __init__(self) -> None:
        self._done: Future[None] = Future()
        self._lock = threading.Lock()

    def set(self) -> None:
        with self._lock:
            if not self._done.done():
                self._done.set_result(None)

    def is_set(self) -> bool:
        return self._done.done()

    async def wait(self, timeout: float | None = 10) -> None:  # noqa: ASYNC109 - one bound for both kinds of wait
        # shield: a waiter that gives up must not cancel the signal for the others
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._done)), timeout)

    def wait_in_thread(self, timeout: float = 10) -> None:
        self._done.result(timeout)
