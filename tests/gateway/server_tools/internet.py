"""An Internet on loopback: names with the answers that a test gives them, and one scripted server at every address."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.server_tools.extract import Extracted
from gateway.server_tools.fetch import Fetcher, Limits, Page
from gateway.server_tools.outbound import AiohttpWeb
from gateway.server_tools.urls import Rules, Target
from tests.upstream import Head, Reply, ScriptedServer, Send
from tests.upstream.reply import Headers

PUBLIC = "93.184.216.34"
OTHER = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
HOST = "docs.example.com"
URL = f"http://{HOST}/page"
MIB = 1024 * 1024


@dataclass
class Internet:
    """``zone`` has each name's answers, one after the other; the last one stays."""

    server: ScriptedServer
    zone: dict[str, list[Sequence[str]]] = field(default_factory=lambda: {HOST: [[PUBLIC]]})
    asked: list[str] = field(default_factory=list)  # names
    connected: list[tuple[str, int]] = field(default_factory=list)

    async def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answers = self.zone.get(host)
        if not answers:
            raise OSError("no such name")
        return list(answers.pop(0) if len(answers) > 1 else answers[0])

    def route(self, address: str, port: int) -> tuple[str, int]:
        self.connected.append((address, port))
        return "127.0.0.1", self.server.port

    def fetcher(self, rules: Rules | None = None, limits: Limits | None = None) -> Fetcher:
        """With the text of a page just as it came."""
        return Fetcher(AiohttpWeb(self.route), self.resolve, as_it_came, rules or Rules(), limits)

    async def fetch(self, url: str = URL, limits: Limits | None = None) -> Page:
        fetcher = self.fetcher(limits=limits)
        return await fetcher.fetch(fetcher.target(url), anywhere)


def anywhere(_: Target) -> str:
    return ""


async def as_it_came(html: str, url: str, most: int) -> Extracted:
    return Extracted("", html[:most])


def page(
    body: bytes | str = "All is well", kind: str = "text/plain; charset=utf-8", *headers: tuple[str, str]
) -> Reply:
    data = body.encode() if isinstance(body, str) else body
    length = ("content-length", str(len(data)))
    return Reply((Head(200, (("content-type", kind), length, *headers)), Send(data)))


def redirect(location: str, status: int = 302, *headers: tuple[str, str]) -> Reply:
    return Reply((Head(status, (("location", location), ("content-length", "0"), *headers)),))


def streamed(headers: Headers, *pieces: bytes) -> Reply:
    """A chunked body, whose length nobody is told."""
    return Reply((Head(200, headers), *(Send(piece) for piece in pieces)))


def bomb(size: int, wbits: int = 31) -> bytes:
    """``size`` bytes of nothing, packed, whatever that takes; a multiple of a mebibyte, and its end is missing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    nothing = bytes(MIB)
    first = packer.compress(nothing) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(nothing) + packer.flush(zlib.Z_FULL_FLUSH)  # the same each time: nothing is looked back on
    return first + again * (size // MIB - 1)
