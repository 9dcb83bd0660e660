"""Fetches one page from a port of 127.0.0.1 and says what came of it, and by how much the process has grown."""

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


async def fetched(port: int, host: str, address: str, path: str) -> str:
    async def resolve(name: str, _: int) -> list[str]:
        return [address]

    fetcher = Fetcher(AiohttpWeb(lambda *_: ("127.0.0.1", port)), resolve, ChildExtractor(), Rules())
    try:
        page = await fetcher.fetch(fetcher.target(f"http://{host}/{path}"), anywhere)
    except ToolFailure as failure:
        return failure.code
    return f"{len(page.text)} characters"


async def main(port: int, host: str, address: str) -> None:
    before = peak()
    code = await fetched(port, host, address, "page")
    sys.stdout.write(json.dumps({"code": code, "grown": peak() - before}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
