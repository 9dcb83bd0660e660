"""``keyturn serve``: the gateway under uvicorn, from a bound socket to a drained stop."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from gateway.cli.admin_token import with_admin_token
from gateway.cli.banner import STYLES, banner
from gateway.cli.local_runtimes import find
from gateway.cli.out import say, show
from gateway.settings import Settings
from providers.secret import Secret

if TYPE_CHECKING:
    from fastapi import FastAPI

FORCED = 130  # the second Ctrl+C cut open streams off
# A port that is closed a moment before the client uses it again costs that client an error.
KEEP_ALIVE = 75
ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def serve(
    settings: Settings,
    workers: int = 1,
    options: Sequence[str] = (),
    again: Callable[[], Settings] | None = None,
) -> int:
    """Listen, serve until a signal, drain; returns the exit status. ``options``: those that the settings came with.

    ``again`` reads the settings anew for a reload.
    """
    if workers > 1:
        from gateway.cli.workers import refusal, supervise

        if problem := refusal(settings, workers):
            print(problem, file=sys.stderr)
            return 2
    try:
        sockets = bind(settings.host, settings.port)
    except OSError as error:
        print(not_bound(settings, error), file=sys.stderr)
        return 1
    if workers > 1:
        return supervise(settings, sockets, workers, options)
    # Imported late: a port in use is told at once, not after the web framework is loaded.
    from gateway.app import create_app
    from gateway.logs import configure_from

    with with_admin_token(settings, sockets[0].getsockname()[1]) as own:
        configure_from(own)
        made = None if settings.admin_token else own.admin_token
        server = Server(create_app(own, again=following(again, made) if again else None), own)
        server.run(sockets)
    return FORCED if server.force_exit else 0


def following(load: Callable[[], Settings], made: Secret | None = None) -> Callable[[], Settings]:
    """What a reload reads: the log follows it too. ``made`` is the admin token of this run where none is set."""

    def again() -> Settings:
        from gateway.logs import configure_from

        settings = load()
        settings = replace(settings, admin_token=settings.admin_token or made)
        configure_from(settings)
        return settings

    return again


class Server(uvicorn.Server):
    """Prints the banner once it listens, and leaves with status 0 where a signal asked it to stop."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        tls = settings.certificate
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            lifespan="on",
            ws="none",
            log_config=None,
            # Its news is in the banner.
            log_level=max(logging.WARNING, logging.getLevelNamesMapping()[settings.log_level]),
            access_log=False,
            server_header=False,
            # The peer's real address decides in protected mode, whatever a header claims that nobody vouches for.
            proxy_headers=bool(settings.believed_proxies),
            forwarded_allow_ips=list(settings.believed_proxies),
            ssl_certfile=tls.chain if tls else None,
            ssl_keyfile=tls.key if tls else None,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=math.ceil(settings.drain_timeout),
        )
        super().__init__(config)
        self._app = app
        self._settings = settings
        self._abort: Callable[[], object] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        self._abort = lambda: loop.call_soon_threadsafe(self._abort_connections)
        port = sockets[0].getsockname()[1] if sockets else self._settings.port
        await super().startup(sockets)
        _spare_the_collector()
        await self.announce(port)

    async def announce(self, port: int) -> None:
        """It listens on ``port``."""
        offers = await find(self._settings.providers, own_port=port)
        show(banner(self._settings, port, offers), STYLES)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if running := len(self.server_state.tasks):
            say(
                f"Stopping. {running} open request{'s' if running > 1 else ''} may take up to "
                f"{self._settings.drain_timeout:g} s to finish; Ctrl+C again stops at once."
            )
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """In place of uvicorn's, which raises the signal again at the end, so that the status is not 0."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what is cut short would log tracebacks
            self._abort()
        self.leave()

    def leave(self) -> None:
        """Takes nothing more on, and ends when what it has is finished."""
        self.should_exit = True
        self._app.state.draining = True

    def _abort_connections(self) -> None:
        """Python 3.12 and later wait for every connection, a forced exit or not."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _spare_the_collector() -> None:
    """What is there after the start stays. Requests leave no cycles, so the collector may look less often: with
    Python's own thresholds it took 15 % of the CPU of streams (make bench, 2026-11-20).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of ``host``. Raises OSError where there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            taken = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(_listen(family, (address[0], taken, *address[2:])))
            except OSError as error:
                # localhost may name an IPv6 address that this machine does not have.
                if error.errno not in ABSENT:
                    raise
                absent = error
        if absent and not sockets:
            raise absent
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets


def _listen(family: int, address: tuple[Any, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def not_bound(settings: Settings, error: OSError) -> str:
    """One line that names the setting to change."""
    host, port = settings.host, settings.port
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else port - 1
        return f"PORT: port {port} on {host} is in use. Stop the program that has it, or set PORT={other}."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"PORT: this user may not listen on port {port}. Set a port above 1023, such as PORT=8082."
    if error.errno in ABSENT or isinstance(error, socket.gaierror):
        return f"HOST: this machine has no address {host}. Set HOST=127.0.0.1, or HOST=0.0.0.0 for every address."
    return f"HOST, PORT: cannot listen on {host} port {port}: {error.strerror}."
