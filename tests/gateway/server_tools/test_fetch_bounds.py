"""What a hostile server can take of us: a bounded time, a bounded number of bytes, a bounded memory."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from gateway.server_tools.failures import ToolFailure
from gateway.server_tools.fetch import Limits
from tests.gateway.server_tools.internet import (
    HOST,
    MIB,
    PUBLIC,
    URL,
    Internet,
    anywhere,
    bomb,
    page,
    redirect,
    streamed,
)
from tests.gateway_process import ROOT
from tests.upstream import Drip, Hang, Head, Pause, Raw, Reply, ScriptedServer, Send
from tests.virtual_http import in_virtual_time

LIMITS = Limits()
TEXT = ("content-type", "text/plain")
LEAST = 8 * MIB  # what a page of two mebibytes may take: its pieces, the whole, and its text
ENDLESS = [b"x" * 65536] * 1000
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
FIELDS = b"".join(b"x%d: y\r\n" % number for number in range(4000))

# A gibibyte that comes as a mebibyte, and its like.
BOMBS: dict[str, Callable[[], Reply]] = {
    "gzip": lambda: streamed((TEXT, ("content-encoding", "gzip")), bomb(1024 * MIB)),
    "deflate": lambda: streamed((TEXT, ("content-encoding", "deflate")), bomb(1024 * MIB, 15)),
    "raw deflate": lambda: streamed((TEXT, ("content-encoding", "deflate")), bomb(1024 * MIB, -15)),
    "gzip of html": lambda: streamed((("content-type", "text/html"), ("content-encoding", "gzip")), bomb(1024 * MIB)),
    "many gzip files": lambda: streamed(
        (TEXT, ("content-encoding", "gzip")), *([zlib.compress(bytes(MIB), 9, 31)] * 1024)
    ),
    "endless": lambda: streamed((TEXT,), *ENDLESS),
    "endless, said to be short": lambda: Reply(
        (Head(200, (TEXT, ("content-length", "5"))), *(Send(each) for each in ENDLESS))
    ),
    "endless, to its connection's end": lambda: Reply(
        (Raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n"), *(Raw(each) for each in ENDLESS))
    ),
    "said to be large": lambda: Reply((Head(200, (TEXT, ("content-length", str(1024 * MIB)))), Send(b"x"), Hang())),
    "said to be larger than numbers are": lambda: Reply(
        (Head(200, (TEXT, ("content-length", "9" * 5000))), Send(b"x"), Hang())
    ),
    "a header without an end": lambda: Reply((Raw(b"HTTP/1.1 200 OK\r\nx: "), *(Raw(each) for each in ENDLESS))),
    "headers without an end": lambda: Reply((Raw(b"HTTP/1.1 200 OK\r\n"), *(Raw(FIELDS) for _ in range(200)))),
    "trailers without an end": lambda: Reply((Raw(CHUNKED + b"1\r\nx\r\n0\r\n"), *(Raw(FIELDS) for _ in range(200)))),
    "a trailer without an end": lambda: Reply((Raw(CHUNKED + b"1\r\nx\r\n0\r\nx: "), *(Raw(each) for each in ENDLESS))),
    "a gzip file without content, again and again": lambda: Reply(
        (
            Raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\n\r\n"),
            *(Raw(zlib.compress(b"", 9, 31) * 3000) for _ in range(200)),
        )
    ),
    "a status line without an end": lambda: Reply(tuple(Raw(each) for each in (b"HTTP/1.1 200 ", *ENDLESS))),
    "a redirect with a body": lambda: Reply(
        (Head(302, (("location", "http://127.0.0.1/"),)), *(Send(each) for each in ENDLESS))
    ),
}
CODES = ("content_too_large", "url_not_accessible", "url_not_allowed")


async def outcome(internet: Internet) -> str:
    """The code of the failure, or the text."""
    try:
        return (await internet.fetch()).text
    except ToolFailure as failure:
        return failure.code


@pytest.mark.parametrize("case", BOMBS)
async def test_what_never_fits(case: str) -> None:
    async with ScriptedServer() as server:
        server.always(BOMBS[case]())
        tracemalloc.start()
        try:
            got = await outcome(Internet(server))
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert got in CODES or (got, case) == ("xxxxx", "endless, said to be short")
    assert most < LEAST


async def test_a_page_of_just_the_size_is_read() -> None:
    async with ScriptedServer() as server:
        server.script(page(b"x" * LIMITS.wire), page(b"x" * (LIMITS.wire + 1)))
        assert len((await Internet(server).fetch()).text) > LIMITS.characters
        with pytest.raises(ToolFailure, match="content_too_large"):
            await Internet(server).fetch()


SLOW: dict[str, tuple[Reply, ...]] = {
    "no head": (Reply((Hang(),)),),
    "half a head": (Reply((Raw(b"HTTP/1.1 200 OK\r\ncontent-type: text"), Hang())),),
    "a head by the byte": (
        Reply(tuple(step for byte in b"HTTP/1.1 200 OK\r\n" for step in (Raw(bytes([byte])), Pause(5)))),
    ),
    "no body": (Reply((Head(200, (TEXT, ("content-length", "9"))), Hang())),),
    "a body by the byte": (Reply((Head(200, (TEXT,)), *(step for _ in range(60) for step in (Send(b"x"), Pause(1))))),),
    "chunk extensions without an end": (
        Reply(
            (Head(200, (TEXT, ("transfer-encoding", "chunked"))), Raw(b"1;"), *(Raw(each) for each in ENDLESS), Hang())
        ),
    ),
    "a chunk's size without an end": (Reply((Raw(CHUNKED), *(Raw(b"0" * 65536) for _ in range(500)), Hang())),),
    "heads that are no answer": (Reply((*(Raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000) for _ in range(50)), Hang())),),
    "redirects": tuple(Reply((Pause(3), *redirect(f"/{number}").steps)) for number in range(10)),
}


@pytest.mark.parametrize("case", SLOW)
def test_what_takes_too_long(case: str) -> None:
    slowly(case)


@in_virtual_time
async def slowly(case: str) -> None:
    async with ScriptedServer() as server:
        server.script(*SLOW[case])
        loop = asyncio.get_running_loop()
        began = loop.time()
        tracemalloc.start()
        try:
            with pytest.raises(ToolFailure, match="longer than 20 seconds") as failure:
                await Internet(server).fetch()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < LEAST
        assert failure.value.code == "url_not_accessible"
        assert loop.time() - began == pytest.approx(LIMITS.seconds, abs=0.5)
        server.unscripted.clear()
    assert not server.connections


@in_virtual_time
async def test_a_resolver_that_takes_too_long() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with ScriptedServer() as server:
        internet = Internet(server)
        internet.resolve = never  # type: ignore[method-assign]
        with pytest.raises(ToolFailure, match="longer than 20 seconds"):
            await internet.fetch()
        assert server.requests == []


async def test_few_pages_at_once() -> None:
    """Each takes up to some megabytes: all that clients can ask for at once would be too many."""
    async with ScriptedServer() as server:
        server.always(Reply((Head(200, (TEXT,)), Hang())))
        internet = Internet(server)
        fetcher = internet.fetcher(limits=Limits(at_once=2))
        tasks = [asyncio.ensure_future(fetcher.fetch(fetcher.target(URL), anywhere)) for _ in range(3)]
        first, _ = [await server.request() for _ in range(2)]
        assert len(internet.asked) == 2
        tasks[0].cancel()
        await asyncio.wait([tasks[0]])
        await first.gone.wait()
        await server.request()
        assert len(internet.asked) == 3
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_whoever_gives_up_closes_the_connection() -> None:
    async with ScriptedServer() as server:
        server.script(Reply((Head(200, (TEXT,)), Drip(b"xx"), Hang())))
        task = asyncio.ensure_future(Internet(server).fetch())
        request = await server.request()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await request.gone.wait()


MEASURED = ("gzip", "gzip of html", "many gzip files", "endless", "a header without an end", "headers without an end")


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
@pytest.mark.parametrize("case", MEASURED)
def test_the_memory_of_the_whole_process(case: str) -> None:
    """As the kernel counts it, in a program that does nothing else."""
    assert grown(case, 1) < 16 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_the_memory_of_many_at_once() -> None:
    """However many clients fetch: a few are read, the others wait."""
    assert grown("gzip", 60) < LIMITS.at_once * LEAST


def grown(case: str, times: int) -> int:
    """By how many bytes a process grows that fetches it so many times at once."""
    with ScriptedServer() as server:
        server.always(BOMBS[case]())
        program = [sys.executable, "-m", "tests.gateway.server_tools.measured", str(server.port), HOST, PUBLIC]
        done = subprocess.run([*program, str(times)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["codes"]) == times
    assert set(told["codes"]) <= {*CODES}
    return int(told["grown"])
