"""The line to a Redis server: what is asked for while an answer is on its way goes out together, in order.

One connection is enough for a process, and what it wrote it reads. All that is asked here may be asked twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ConnectionError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)

from gateway.state.reasons import BROKEN, OUT_OF_MEMORY, READ_ONLY, REFUSED, SLOW, UNREACHABLE, StoreAway
from gateway.state.scripts import Script

Client = Redis | RedisCluster
DEADLINE = 0.05  # seconds; a server on the same network answers in less than one thousandth
LATE = 0.005  # seconds behind time at which it is this process that is slow
GRACE, GRACES = 0.02, 5  # seconds, then, for an answer that may have come long ago; how often
CLOSED = "the line was closed"
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, SLOW),
    (AuthenticationError, REFUSED),
    (AuthorizationError, REFUSED),
    (NoPermissionError, REFUSED),
    (ReadOnlyError, READ_ONLY),
    (OutOfMemoryError, OUT_OF_MEMORY),
    (ConnectionError, UNREACHABLE),
    (OSError, UNREACHABLE),
)
_RIGHTS = ("NOPERM", "has no permissions", "can't run this command", "can't access at least one of the keys")
_CODES = (
    ("READONLY", READ_ONLY),
    ("OOM ", OUT_OF_MEMORY),
    ("NOAUTH", REFUSED),
    *((words, REFUSED) for words in _RIGHTS),
)


@dataclass(frozen=True, slots=True)
class Job:
    """One script to run."""

    script: Script
    keys: tuple[str, ...]
    args: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Asked:
    job: Job
    by: float  # on the loop's clock
    answer: asyncio.Future[Any]


class Line:
    """Runs scripts."""

    def __init__(self, client: Client, deadline: float = DEADLINE) -> None:
        self._client = client
        self._deadline = deadline
        self._asked: list[_Asked] = []
        self._sending: asyncio.Task[None] | None = None

    async def run(self, job: Job, deadline: float | None = None) -> Any:
        """The script's reply. Raises StoreAway, at the latest ``deadline`` seconds from now."""
        loop = asyncio.get_running_loop()
        asked = _Asked(job, loop.time() + (deadline or self._deadline), loop.create_future())
        self._asked.append(asked)
        if self._sending is None:
            self._sending = loop.create_task(self._send_all())
        return await asked.answer

    async def hang_up(self) -> None:
        """The next job connects anew: names are looked up again, and a cluster's or a sentinel's servers."""
        if isinstance(self._client, Redis):
            await self._client.connection_pool.disconnect()
        else:
            await self._client.aclose()

    async def aclose(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        _fail(self._asked, StoreAway(UNREACHABLE, CLOSED))
        await self._client.aclose()
        pool = self._client.connection_pool if isinstance(self._client, Redis) else None
        if isinstance(pool, SentinelConnectionPool):
            await pool.sentinel_manager.aclose()

    async def _send_all(self) -> None:
        try:
            while self._asked:
                batch, self._asked = self._asked, []
                await self._answer(batch)
        finally:
            self._sending = None

    async def _answer(self, batch: list[_Asked]) -> None:
        jobs = [asked.job for asked in batch]
        try:
            replies = await within(min(asked.by for asked in batch), lambda: self._twice(jobs))
        except (RedisError, OSError, TimeoutError) as error:
            # Who came meanwhile has waited too, and would wait as long again.
            _fail(batch + self._asked, away(error))
            self._asked = []
            return
        except BaseException:
            _fail(batch, StoreAway(UNREACHABLE, CLOSED))
            raise
        for asked, reply in zip(batch, replies, strict=True):
            if asked.answer.done():
                continue
            if isinstance(reply, Exception):
                asked.answer.set_exception(away(reply))
            else:
                asked.answer.set_result(reply)

    async def _twice(self, jobs: Sequence[Job]) -> list[Any]:
        """A connection that the server closed while it was idle is found out by using it."""
        try:
            return await self._known(jobs)
        except (AuthenticationError, AuthorizationError):
            raise
        except (ConnectionError, OSError):
            # To who has no password, Redis 7 says so only where little is asked, and else breaks the connection.
            await self._client.execute_command("PING")
            return await self._known(jobs)

    async def _known(self, jobs: Sequence[Job]) -> list[Any]:
        """A server that was started anew has forgotten the scripts."""
        replies = await self._exchange(jobs, whole=False)
        forgotten = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if forgotten:
            again = await self._exchange([jobs[index] for index in forgotten], whole=True)
            for index, reply in zip(forgotten, again, strict=True):
                replies[index] = reply
        return replies

    async def _exchange(self, jobs: Sequence[Job], whole: bool) -> list[Any]:
        commands = [_command(job, whole) for job in jobs]
        if len(commands) == 1:
            try:
                return [await self._client.execute_command(*commands[0])]
            except (ConnectionError, OSError):
                raise
            except RedisError as error:
                return [error]
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return list(await pipeline.execute(raise_on_error=False))


def _command(job: Job, whole: bool) -> tuple[Any, ...]:
    name, script = ("EVAL", job.script.text) if whole else ("EVALSHA", job.script.sha)
    return (name, script, len(job.keys), *job.keys, *job.args)


def _fail(asked: Sequence[_Asked], error: StoreAway) -> None:
    for each in asked:
        if not each.answer.done():
            each.answer.set_exception(error)
            each.answer.exception()  # whoever asked may have left, and nobody would look


def away(error: BaseException) -> StoreAway:
    """What a failure of the server is called."""
    words = f"{type(error).__name__}: {error}"
    by_kind = (reason for kind, reason in _REASONS if isinstance(error, kind))
    # Before 7.0, what a script meets comes inside an error of the script's own.
    by_words = (reason for code, reason in _CODES if code in words)
    return StoreAway(next(by_kind, None) or next(by_words, BROKEN), words)


async def within(by: float, work: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
    """``asyncio.timeout_at``, but where the loop itself was late an answer that is there is still read."""
    watch = _Watch(by)
    try:
        return await work()
    except asyncio.CancelledError:
        if watch.fired and watch.task.uncancel() <= watch.before:
            raise TimeoutError from None
        raise
    finally:
        watch.timer.cancel()


class _Watch:
    def __init__(self, by: float) -> None:
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        self.task, self.before, self.fired = task, task.cancelling(), False
        self._graces = GRACES
        self.timer = self._loop.call_at(by, self._late, by)

    def _late(self, by: float) -> None:
        if self._graces and self._loop.time() - by > LATE:
            self._graces -= 1
            by = self._loop.time() + GRACE
            self.timer = self._loop.call_at(by, self._late, by)
            return
        self.fired = True
        self.task.cancel()
