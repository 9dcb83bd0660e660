"""Fetches a page from a port of 127.0.0.1, so many times at once; says what came of it, and how the process grew."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

from gateway.server_tools.extract import ChildExtractor
from gateway.server_tools.failures import ToolFailure
from gateway.server_tools.fetch import Fetcher
from gateway.server_tools.outbound import AiohttpWeb
from gateway.server_tools.urls import Rules
from tests.gateway.server_tools.internet import anywhere


def peak() -> int:
    """The most memory that was in use, in bytes. (``ru_maxrss`` begins with what the parent had.)"""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


async def fetched(fetcher: Fetcher, url: str) -> str:
    try:
        page = await fetcher.fetch(fetcher.target(url), anywhere)
    except ToolFailure as failure:
        return failure.code
    return f"{len(page.text)} characters"


async def main(port: int, host: str, address: str, times: int) -> None:
    async def resolve(name: str, _: int) -> list[str]:
        return [address]

    fetcher = Fetcher(AiohttpWeb(lambda *_: ("127.0.0.1", port)), resolve, ChildExtractor(), Rules())
    before = peak()
    codes = await asyncio.gather(*(fetched(fetcher, f"http://{host}/page") for _ in range(times)))
    sys.stdout.write(json.dumps({"codes": codes, "grown": peak() - before}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
