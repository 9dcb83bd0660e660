"""Runtimes that are looked for, on real ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.local_runtimes import Offer, find
from providers.spec import ProviderConfig
from tests.gateway.place import Place, provider
from tests.upstream import blackhole, refusing

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OWN_PORT = 1
TWO = b'{"object":"list","data":[{"id":"nomic-embed-text:latest"},{"id":"llama3.2:3b"},{"id":"qwen3"}]}'


@asynccontextmanager
async def answering(answer: bytes, asked: list[bytes] | None = None) -> AsyncIterator[str]:
    """A server on a free port that sends these bytes to whoever asks, then closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(request)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
def runtimes(tmp_path: Path) -> dict[str, ProviderConfig]:
    settings = Place(tmp_path).load()
    return {name: provider(settings, name) for name in ("ollama", "lmstudio", "groq")}


def ok(body: bytes) -> bytes:
    return b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n" + body


async def test_a_runtime_that_answers_is_offered_with_a_model_that_chats(runtimes: dict[str, ProviderConfig]) -> None:
    asked: list[bytes] = []
    async with answering(ok(TWO), asked) as root:
        found = await find([replace(runtimes["ollama"], base_url=root)], OWN_PORT)
    address = root.removeprefix("http://")
    assert found == [Offer("ollama", "Ollama", address, "llama3.2:3b")]
    assert asked == [f"GET /v1/models HTTP/1.0\r\nhost: {address}\r\naccept: application/json\r\n\r\n".encode()]


async def test_a_base_url_with_v1_is_asked_under_its_root(runtimes: dict[str, ProviderConfig]) -> None:
    asked: list[bytes] = []
    async with answering(ok(TWO), asked) as root:
        found = await find([replace(runtimes["lmstudio"], base_url=f"{root}/v1")], OWN_PORT)
    assert [offer.title for offer in found] == ["LM Studio"]
    assert asked[0].startswith(b"GET /v1/models ")


async def test_a_runtime_without_a_model_is_offered_without_one(runtimes: dict[str, ProviderConfig]) -> None:
    async with answering(ok(b'{"data":[]}')) as root:
        found = await find([replace(runtimes["ollama"], base_url=root)], OWN_PORT)
    assert [offer.model for offer in found] == [""]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.0 404 Not Found\r\n\r\n" + TWO,
        b"HTTP/1.0 401 Unauthorized\r\n\r\n{}",
        ok(b"<html></html>"),
        ok(b'["data"]'),
        ok(b'{"data":{}}'),
        ok(b"\xff\xfe"),
        ok(b"[" * 100_000),
        ok(b'{"data":[' + b'{"id":"m"},' * 200_000),
    ],
    ids=["nothing", "ssh", "404", "401", "html", "list", "object", "bytes", "deep", "endless"],
)
async def test_what_is_no_runtime_is_not_offered(runtimes: dict[str, ProviderConfig], answer: bytes) -> None:
    async with answering(answer) as root:
        assert await find([replace(runtimes["ollama"], base_url=root)], OWN_PORT) == []


async def test_a_model_name_cannot_write_on_the_terminal(runtimes: dict[str, ProviderConfig]) -> None:
    names = b'{"data":[{"id":"\\u001b[2J"},{"id":"a b"},{"id":5},{"id":""},"x",{"id":"fine"}]}'
    async with answering(ok(names)) as root:
        found = await find([replace(runtimes["ollama"], base_url=root)], OWN_PORT)
    assert [offer.model for offer in found] == ["fine"]


async def test_silence_and_refusal_cost_less_than_half_a_second(runtimes: dict[str, ProviderConfig]) -> None:
    loop = asyncio.get_running_loop()
    with refusing() as closed, blackhole() as silent:
        asked = [
            replace(runtimes["ollama"], base_url=closed),
            replace(runtimes["lmstudio"], base_url=silent),
        ]
        began = loop.time()
        assert await find(asked, OWN_PORT) == []
        assert loop.time() - began < 0.5


async def test_only_local_providers_that_nobody_chose_are_asked(runtimes: dict[str, ProviderConfig]) -> None:
    asked: list[bytes] = []
    async with answering(ok(TWO), asked) as root:
        port = int(root.rpartition(":")[2])
        providers = [
            replace(runtimes["ollama"], base_url=root, chosen=True),
            replace(runtimes["groq"], base_url=root),
            replace(runtimes["lmstudio"], base_url=root.replace("http", "https")),
            replace(runtimes["lmstudio"], base_url=f"http://192.0.2.1:{port}"),
        ]
        assert await find(providers, OWN_PORT) == []
        assert await find([replace(runtimes["ollama"], base_url=root)], own_port=port) == []
    assert asked == []
