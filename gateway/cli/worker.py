"""One of the processes of ``keyturn serve --workers N``. Only ``workers.py`` starts it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.cli.serve import Server, following
from gateway.settings import Settings


@dataclass(frozen=True)
class Post:
    """What a worker is given: descriptors, and how many there are like it."""

    listeners: Sequence[int]
    says: int  # where to say that it is ready
    watched: int  # closed when nobody watches over it any more
    workers: int


def work(load: Callable[[], Settings], post: Post) -> int:
    """Serves until a signal, or until nobody watches over it; returns the exit status. Raises ConfigError."""
    from gateway.app import create_app

    def again() -> Settings:
        settings = load()
        return replace(settings, processes=max(settings.processes, post.workers))

    read = following(again)
    own = read()
    server = WorkerServer(create_app(own, again=read), own)
    server.post = post
    server.run([socket.socket(fileno=each) for each in post.listeners])
    return 0


class WorkerServer(Server):
    """Says that it is ready to who started it, and to nobody else."""

    post: Post

    async def announce(self, port: int) -> None:
        os.write(self.post.says, b"1")
        asyncio.get_running_loop().add_reader(self.post.watched, self._alone)

    def _alone(self) -> None:
        asyncio.get_running_loop().remove_reader(self.post.watched)
        self.leave()
