"""Where made tokens are kept: each test that asks for a ``book`` runs with each of the places."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import fakeredis
import pytest
from redis.asyncio import Redis

from gateway.clients.book import Book
from gateway.clients.file_book import FileBook
from gateway.clients.redis_book import RedisBook
from gateway.state.line import Client, Line
from gateway.state.redis_text import Names
from gateway.state.state_file import StateFile
from tests.gateway.state.conftest import unique_prefix
from tests.redis_server import RedisServer

Opened = Callable[[], Book]


@pytest.fixture(params=["file", "fakeredis", "redis"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    """The same book, as one more process has it."""
    if request.param == "file":
        yield lambda: FileBook(StateFile(tmp_path / "state.json"))
        return
    prefix, lines = unique_prefix(), list[Line]()
    server = fakeredis.FakeServer()

    def one_more() -> Book:
        client: Client = fakeredis.FakeAsyncRedis(server=server)
        if request.param == "redis":
            found: RedisServer = request.getfixturevalue("one_redis")
            client = Redis(port=found.port)
        lines.append(Line(client, deadline=10.0))
        return RedisBook(lines[-1], Names(prefix))

    yield one_more
    for line in lines:
        await line.aclose()
