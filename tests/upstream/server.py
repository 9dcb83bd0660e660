"""The core of the scripted upstream: records requests, chooses replies, knows no dialect."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Self

from tests.upstream.connection import Connection
from tests.upstream.reply import Answer, Head, Reply, json_reply
from tests.upstream.request import Request
from tests.upstream.signals import Signal


class ScriptedServer:
    """A server on 127.0.0.1 that answers each request from: its path's answer, the queue, the standing answer.

    HEAD and OPTIONS get an empty 200 unless their path has an answer. A request with no answer left gets a 500, and
    leaving the context then raises, as it does for a script that raised and for a request that was not HTTP.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.unscripted: list[Request] = []
        self.failures: list[BaseException] = []
        self.connections: set[Connection] = set()
        self.accepted = 0
        self.port = 0
        self._queue: deque[Answer] = deque()
        self._paths: dict[str, Answer] = {}
        self._standing: Answer | None = None
        self._arrivals: dict[int, Signal] = {}
        self._thread = ExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def script(self, *answers: Answer) -> None:
        """Append answers, one per request, in order of arrival."""
        self._queue.extend(answers)

    def on(self, path: str, answer: Answer) -> None:
        """Answer every request to ``path`` (without query) in this way, past the queue."""
        self._paths[path] = answer

    def always(self, answer: Answer) -> None:
        """Answer in this way whenever the queue is empty."""
        self._standing = answer

    def forget(self) -> None:
        """Make ready for another test: what the last one left is gone, and an error if it was left undone."""
        left = self.failures, self.unscripted, list(self._queue)
        self.requests, self.failures, self.unscripted = [], [], []
        self._queue.clear()
        self._arrivals.clear()
        self._standing = None
        assert left == ([], [], []), left

    def posts(self, path: str) -> list[Request]:
        """The POSTs to ``path`` so far."""
        return [request for request in self.requests if request.method == "POST" and request.path == path]

    def hang_up(self, reset: bool = False) -> None:
        """Close every connection, by FIN or by RST, whatever is going on there (in an async test)."""
        for connection in list(self.connections):
            connection.hang_up(reset)

    def arrival(self, count: int) -> Signal:
        """Set once ``count`` requests have arrived."""
        signal = self._arrivals.setdefault(count, Signal())
        self._announce()
        return signal

    async def request(self, number: int = 0) -> Request:
        """The request of that number, from 0, waiting for it if need be."""
        await self.arrival(number + 1).wait()
        return self.requests[number]

    def reply_to(self, request: Request) -> Reply:
        """Record a request and take its reply from the script."""
        self.requests.append(request)
        self._announce()
        answer = self._answer_for(request)
        return answer if isinstance(answer, Reply) else answer(request)

    def _answer_for(self, request: Request) -> Answer:
        if request.path in self._paths:
            return self._paths[request.path]
        if request.method in ("HEAD", "OPTIONS"):
            return Reply((Head(200, (("content-length", "0"),)),))
        if self._queue:
            return self._queue.popleft()
        if self._standing is not None:
            return self._standing
        self.unscripted.append(request)
        words = f"the test scripted no answer to {request.method} {request.target}"
        return json_reply({"error": {"message": words}}, 500, [("x-should-retry", "false")])

    def _announce(self) -> None:
        for count, signal in list(self._arrivals.items()):
            if len(self.requests) >= count:
                signal.set()

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        # A full backlog drops connections, and the kernel tries again only after a second.
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for connection in list(self.connections):
            connection.abort()
        for _ in range(100):  # turns of the loop; an aborted transport closes its socket in the next one
            if not self.connections:
                break
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await self._server.wait_closed()

    def _complain(self) -> None:
        if self.failures:
            raise self.failures[0]
        lines = [f"{request.method} {request.target}: {request.body[-600:]!r}" for request in self.unscripted]
        if lines:
            raise AssertionError("requests without a scripted answer:\n" + "\n".join(lines))

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._stop()
        if kind is None:
            self._complain()

    def __enter__(self) -> Self:
        self._thread.enter_context(self._on_a_thread())
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._thread.close()
        if kind is None:
            self._complain()

    async def _serve(self, started: Signal, stop: Signal) -> None:
        await self._start()
        started.set()
        await stop.wait(None)
        await self._stop()

    @contextmanager
    def _on_a_thread(self) -> Iterator[None]:
        started, stop = Signal(), Signal()
        with ThreadPoolExecutor(1, "scripted-upstream") as pool:
            served = pool.submit(asyncio.run, self._serve(started, stop))
            try:
                started.wait_in_thread()
                yield
            finally:
                stop.set()
                served.result(10)
