"""Addresses on 127.0.0.1 where no HTTP is spoken: free, refusing, or silent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with closing(_bound()) as holder:
        return _port(holder)


@contextmanager
def refusing() -> Iterator[str]:
    """A base URL whose connections are refused: the port is held but nobody listens."""
    with closing(_bound()) as holder:
        yield f"http://127.0.0.1:{_port(holder)}"


@contextmanager
def blackhole() -> Iterator[str]:
    """A base URL whose connections are never completed: the accept queue is full and nobody accepts (Linux)."""
    with ExitStack() as stack:
        listener = stack.enter_context(closing(_bound()))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(closing(socket.socket()))
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{_port(listener)}"


def _bound() -> socket.socket:
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    return holder


def _port(holder: socket.socket) -> int:
    port: int = holder.getsockname()[1]
    return port
