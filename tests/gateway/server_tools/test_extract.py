"""Text out of HTML, and a process that can be ended while it looks for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.server_tools.extract import AT_ONCE, ChildExtractor, Extracted
from gateway.server_tools.extract_child import extract
from gateway.server_tools.failures import ToolFailure
from gateway.server_tools.fetch import Fetcher
from gateway.server_tools.outbound import AiohttpWeb
from gateway.server_tools.urls import Rules
from tests.gateway.server_tools.internet import URL, Internet, anywhere, page
from tests.gateway_process import ROOT
from tests.serving import AT_ONCE as SOON
from tests.upstream import ScriptedServer
from tests.upstream.bare_client import BOUND

ARTICLE = """<!doctype html><html><head><title> How
 to turn a key </title><style>p { color: red }</style><script>alert("no")</script></head><body>
<nav><a href="/">Home</a><a href="/about">About us</a></nav>
<article><h1>Keys</h1><p>A key is turned to the right until it stops, and then it is taken out of the lock again.</p>
<h2>Locks</h2><p>See <a href="/locks?a=1">the page on locks</a>, which says more than there is room for here.</p>
<pre><code>turn(key)</code></pre><table><tr><th>Lock</th><th>Turns</th></tr><tr><td>Door</td><td>2</td></tr></table></article>
<footer>All rights reserved</footer></body></html>"""
CROWDED = "<p " + " ".join(f"a{number}=1" for number in range(230_000)) + ">x"  # a square of its attributes' number


def test_the_main_content_as_markdown() -> None:
    title, text = extract(ARTICLE, "https://example.com/keys", 10_000)
    assert title == "How to turn a key"
    for part in ("# Keys", "## Locks", "until it stops", "](https://example.com/locks?a=1)", "turn(key)", "Door"):
        assert part in text
    for part in ("alert", "color: red", "<p", "rights reserved"):
        assert part not in text


@pytest.mark.parametrize("html", ["", "   ", "no markup at all", "<", "<html></html>", "\x00<p>x", "<p>short</p>"])
def test_pages_with_little_on_them(html: str) -> None:
    title, text = extract(html, "https://example.com/", 100)
    assert title == ""
    assert "<" not in text.replace("<", "", 1)


def test_a_page_without_main_content_gives_all_its_text() -> None:
    rows = "".join(f"<div><a href='/{n}'>entry {n}</a></div>" for n in range(5))
    assert "entry 4" in extract(f"<html><body>{rows}</body></html>", "https://example.com/", 1000)[1]


async def test_it_is_done_in_another_process() -> None:
    async with ScriptedServer() as server:
        server.script(page(ARTICLE, "text/html; charset=utf-8"))
        internet = Internet(server)
        fetcher = Fetcher(AiohttpWeb(internet.route), internet.resolve, ChildExtractor(), Rules())
        found = await fetcher.fetch(fetcher.target(URL), anywhere)
    assert (found.title, "until it stops" in found.text) == ("How to turn a key", True)


async def test_a_page_that_takes_too_long_is_given_up() -> None:
    began = time.monotonic()
    with pytest.raises(ToolFailure, match="in time") as failure:
        await ChildExtractor(seconds=0.5)(CROWDED, URL, 100)
    assert failure.value.code == "unavailable"
    assert time.monotonic() - began < 0.5 + 2 * SOON


def program(folder: Path, code: str) -> Path:
    path = folder / "program.py"
    path.write_text(code)
    return path


ANSWER = """sys.stdout.write('{"title": "t", "text": "' + "x" * 500 + '"}')"""


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(1)",
        "import os; os.kill(os.getpid(), 11)",
        "print('not JSON')",
        "print('[]')",
        """print('{"title": 1, "text": "x"}')""",
        "import sys; sys.stdin.read()\nwhile True: sys.stdout.write('x' * 65536)",
    ],
)
async def test_a_process_that_breaks_down(tmp_path: Path, code: str) -> None:
    with pytest.raises(ToolFailure) as failure:
        await ChildExtractor(program(tmp_path, code))("x" * 3_000_000, URL, 100)
    assert failure.value.code == "unavailable"


async def test_what_it_says_is_cut(tmp_path: Path) -> None:
    extractor = ChildExtractor(program(tmp_path, f"import sys; sys.stdin.read(); {ANSWER}"))
    assert await extractor("page", URL, 100) == Extracted("t", "x" * 100)


async def test_it_is_told_nothing_but_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk-1")
    code = "import json, os, sys\nsys.stdout.write(json.dumps({'title': '', 'text': ' '.join(os.environ)}))"
    told = await ChildExtractor(program(tmp_path, code))("page", URL, 1000)
    assert set(told.text.split()) <= {"LC_CTYPE"}


async def visited(server: asyncio.Server, tmp_path: Path) -> Path:
    """A program that calls this server and stays until it is hung up on."""
    port = server.sockets[0].getsockname()[1]
    code = f"import socket, sys\nsocket.create_connection(('127.0.0.1', {port})).recv(1)\n{ANSWER}"
    return program(tmp_path, code)


async def test_few_at_once(tmp_path: Path) -> None:
    callers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    async with await asyncio.start_server(lambda _, writer: callers.put_nowait(writer), "127.0.0.1", 0) as server:
        extractor = ChildExtractor(await visited(server, tmp_path))
        tasks = [asyncio.ensure_future(extractor("", URL, 10)) for _ in range(AT_ONCE + 1)]
        async with asyncio.timeout(BOUND):
            there = [await callers.get() for _ in range(AT_ONCE)]
            there.pop().close()
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)  # only then is there a place
            there.append(await callers.get())
            for writer in there:
                writer.close()
            assert await asyncio.gather(*tasks) == [Extracted("t", "x" * 10)] * (AT_ONCE + 1)


async def test_whoever_gives_up_ends_the_process(tmp_path: Path) -> None:
    callers: asyncio.Queue[asyncio.StreamReader] = asyncio.Queue()
    writers = []

    def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        callers.put_nowait(reader)

    async with await asyncio.start_server(called, "127.0.0.1", 0) as server:
        task = asyncio.ensure_future(ChildExtractor(await visited(server, tmp_path))("", URL, 10))
        async with asyncio.timeout(BOUND):
            reader = await callers.get()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await reader.read() == b""  # its connection ended with it
        writers[0].close()


@pytest.mark.skipif(sys.platform != "linux", reason="Windows has no such bounds, macOS none on memory")
@pytest.mark.parametrize(
    ("code", "words"),
    [("bytearray(2**30)", "MemoryError"), ("open('/dev/shm/x', 'w').write('x' * 9999)", "")],
    ids=["memory", "files"],
)
def test_its_bounds_are_the_kernels(code: str, words: str) -> None:
    done = in_bounds(f"bound(); {code}")
    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bounds")
def test_tighter_bounds_stay() -> None:
    done = in_bounds(
        "import resource as r; r.setrlimit(r.RLIMIT_CPU, (4, 4)); bound(); print(r.getrlimit(r.RLIMIT_CPU))"
    )
    assert (done.returncode, done.stdout) == (0, "(4, 4)\n"), done.stderr


def in_bounds(code: str) -> subprocess.CompletedProcess[str]:
    program = f"from gateway.server_tools.extract_child import bound; {code}"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30)


def test_no_library_that_reads_pages_is_in_the_gateway(tmp_path: Path) -> None:
    """They take a third of a second and 100 MB, whether the web tools are on or off."""
    code = "import sys, gateway.app, gateway.server_tools.extract; print({'trafilatura', 'lxml'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr
