"""The text of an HTML page, taken out of it by ``extract_child`` in a process that can be ended."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.server_tools.failures import ToolFailure
from providers.json_object import NotJson, decode
from providers.unwinding import to_the_end

AT_ONCE = 2  # processes: together they take a gigabyte at most
SECONDS = 8.0  # for one page; the process itself may use five of the processor's

_CHILD = Path(__file__).with_name("extract_child.py")


@dataclass(frozen=True, slots=True)
class Extracted:
    title: str
    text: str


Extract = Callable[[str, str, int], Awaitable[Extracted]]
"""HTML, its URL and the most characters, to its text. Raises ToolFailure (unavailable)."""


class ChildExtractor:
    """See Extract. The process gets no environment: there are keys in it."""

    def __init__(self, program: Path = _CHILD, seconds: float = SECONDS) -> None:
        self._program = program
        self._seconds = seconds
        self._places = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, html: str, url: str, most: int) -> Extracted:
        async with self._places:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(self._program), url, str(most)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={} if os.name == "posix" else None,  # Windows cannot start a program without some of it
            )
            try:
                async with asyncio.timeout(self._seconds):
                    said = await _said(process, html.encode("utf-8", "replace"), 16 * most + 4096)
                    await process.wait()
            except TimeoutError:
                raise ToolFailure("unavailable", "its text could not be taken out in time") from None
            finally:
                await to_the_end(_ended(process))
        return _read(said, most)


async def _said(process: asyncio.subprocess.Process, data: bytes, most: int) -> bytes:
    """What the process answers."""
    reading, writing = _pipes(process)
    with suppress(ConnectionError):  # it may end before it has read all
        writing.write(data)
        await writing.drain()
    writing.close()
    parts: list[bytes] = []
    while part := await reading.read(65536):
        parts.append(part)
        most -= len(part)
        if most < 0:
            raise ToolFailure("unavailable", "its text could not be taken out")
    return b"".join(parts)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """asyncio calls a process ended once all that it said was read."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    reading, writing = _pipes(process)
    writing.close()
    while await reading.read(65536):
        pass
    await process.wait()


def _pipes(process: asyncio.subprocess.Process) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process has no pipes")
    return process.stdout, process.stdin


def _read(said: bytes, most: int) -> Extracted:
    try:
        match decode(said):
            case {"title": str() as title, "text": str() as text}:
                return Extracted(title, text[:most])
    except NotJson:
        pass
    raise ToolFailure("unavailable", "its text could not be taken out")
