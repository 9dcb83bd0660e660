"""The real gateway on a free loopback port inside the test's own event loop, and what a test asks it.

``serving`` builds settings, the application and uvicorn as ``keyturn serve`` does; only the process is missing.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, redirect_stderr
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import structlog
import uvicorn
from fastapi import FastAPI
from opentelemetry.sdk.trace.export import SpanExporter
from prometheus_client.parser import text_string_to_metric_families

from gateway import logs
from gateway.app import create_app
from gateway.cli.admin_token import with_admin_token
from gateway.cli.serve import bind
from gateway.settings import Settings, load
from tests.moments import Moments
from tests.upstream.bare_client import BOUND

TOKEN = "freecc"
KEY = "sk-upstream-key"
AT_ONCE = 1.0  # seconds; ten times what the gateway may take to let go of an upstream, or to notice something
_TLS = ssl.create_default_context()  # made once: it reads every root certificate of this machine
NO_LISTS = {"CATALOG_REFRESH": "off"}  # a scripted upstream is asked for what the test asks, and for nothing else
_LINGER_ZERO = struct.pack("ii", 1, 0)

Json = dict[str, Any]


@dataclass(frozen=True)
class Logged:
    """What the gateway and its libraries wrote to stderr."""

    stream: io.StringIO = field(default_factory=io.StringIO)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def events(self, name: str) -> list[Json]:
        """The JSON lines of this event, in order."""
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["event"] == name]


@dataclass(frozen=True, repr=False)
class Gateway:
    """A gateway that answers."""

    app: FastAPI
    settings: Settings
    server: uvicorn.Server
    port: int
    log: Logged
    moments: Moments

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def client(self, token: str | None = TOKEN, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """An HTTP client of this gateway; every call is bounded by ten seconds."""
        own = {**({"x-api-key": token} if token else {}), **{name.replace("_", "-"): v for name, v in headers.items()}}
        async with httpx.AsyncClient(
            base_url=self.url, headers=own, trust_env=False, timeout=BOUND, verify=_TLS
        ) as client:
            yield client

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client with the admin token."""
        token = self.settings.admin_token
        async with self.client(token.reveal() if token else None) as client:
            yield client

    async def metric(self, name: str, **labels: str) -> float | None:
        """The sum over the samples of this name that carry these labels; None where there is none."""
        async with self.client() as client:
            exposition = (await client.get("/metrics")).text
        values = [
            sample.value
            for family in text_string_to_metric_families(exposition)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(values) if values else None

    async def settled(self) -> None:
        """Returns once no request is being served; a task that stays is an error."""
        while tasks := set(self.server.server_state.tasks):
            _, pending = await asyncio.wait(tasks, timeout=BOUND)
            assert not pending, f"requests that do not end: {pending}"


@asynccontextmanager
async def serving(
    home: Path,
    environ: Mapping[str, str],
    level: str = "INFO",
    moments: Moments | None = None,
    style: str = "json",
    exporter: SpanExporter | None = None,
    reloads: bool = False,
) -> AsyncIterator[Gateway]:
    """A gateway configured by these variables alone; leaving it shuts it down and sees that nothing stays open.

    Its pauses pass at once, its timers are ``moments``'s, and it looks at no provider's list of models unless told to.
    With ``reloads`` it can read its settings again.
    """
    read = partial(load, {**NO_LISTS, **environ}, home, home)
    settings, moments = read(), moments or Moments()
    sockets = bind("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    with with_admin_token(settings, port) as own, captured_log(level, style, own) as log:
        app = create_app(own, moments.time(), exporter, read if reloads else None)
        config = uvicorn.Config(
            app,
            lifespan="on",
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets)
        gateway = Gateway(app, own, server, port, log, moments)
        try:
            yield gateway
        finally:
            await _stop(gateway)


async def _stop(gateway: Gateway) -> None:
    """What ``uvicorn.Server.shutdown`` does, without its sleep."""
    server = gateway.server
    for listener in server.servers:
        listener.close()
    try:
        await gateway.settled()
    finally:
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await server.lifespan.shutdown()


@contextmanager
def captured_log(level: str = "INFO", style: str = "json", settings: Settings | None = None) -> Iterator[Logged]:
    """Logs as ``keyturn serve`` configures them, kept; afterwards logging is what it was."""
    logged, root = Logged(), logging.getLogger()
    before = root.level, root.handlers[:]
    with redirect_stderr(logged.stream):
        if settings is None:
            logs.configure(level, style)
        else:
            logs.configure_from(replace(settings, log_level=level, log_format=style))
    try:
        yield logged
    finally:
        root.setLevel(before[0])
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = before[1]
        structlog.reset_defaults()


def ask(text: str = "Say hello", model: str = "claude-opus-4-8", **more: Any) -> Json:
    """The smallest Messages request."""
    return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": text}], **more}


def post(body: bytes, path: str = "/v1/messages", **headers: str) -> bytes:
    """A POST as bytes for a bare connection, with the client's token."""
    lines = [f"POST {path} HTTP/1.1", "Host: gateway", f"x-api-key: {TOKEN}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def refusal(reply: httpx.Response, status: int = 400) -> str:
    """The words of an error in Anthropic's shape, with this status."""
    assert reply.status_code == status, reply.text[:300]
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    assert body["type"] == "error"
    assert body["error"]["type"]
    assert body["request_id"] == reply.headers["request-id"]
    assert "Traceback" not in reply.text
    return str(body["error"]["message"])


def well_shaped(reply: httpx.Response, streamed: bool) -> None:
    """The reply is an answer, or a refusal that a client can read; a failure of the gateway is neither."""
    if reply.status_code != 200:
        assert reply.status_code == 503 or 400 <= reply.status_code < 500, reply.text[:300]
        refusal(reply, reply.status_code)
    elif streamed:
        assert reply.content.startswith(b"event: message_start\n")
        assert reply.content.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    else:
        assert reply.json().keys() & {"content", "input_tokens"}


def leave(writer: asyncio.StreamWriter, reset: bool = False) -> None:
    """Close a connection at once: by FIN, or by RST."""
    if reset:
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        writer.transport.abort()
    else:
        writer.close()


@dataclass
class Wire:
    """The server's end of an ASGI call: what the application reads, and all that it sends."""

    incoming: list[Json] = field(default_factory=list)
    sent: list[Json] = field(default_factory=list)

    async def receive(self) -> Json:
        """The next message; waits for ever where there is none left, as a server does for a client that stays."""
        if self.incoming:
            return self.incoming.pop(0)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


def http_scope(path: str = "/v1/messages", method: str = "POST", client: str = "127.0.0.1", **headers: str) -> Json:
    """An ASGI scope; ``x_api_key=`` is the header x-api-key."""
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "method": method, "path": path, "headers": pairs, "client": (client, 50000)}
