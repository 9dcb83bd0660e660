"""What a scripted reply is made of: steps, each one exact act on the TCP connection, performed in order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.upstream.signals import Signal

if TYPE_CHECKING:
    from tests.upstream.request import Request

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and headers. Without ``content-length`` the body is chunked, or ends with the connection."""

    status: int = 200
    headers: Headers = ()
    chunked: bool = True


@dataclass(frozen=True, slots=True)
class Send:
    """A piece of the body: one chunk, one TCP write."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Drip:
    """A piece of the body, one byte per chunk and TCP write."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they are, outside of any HTTP framing."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing more until the test sets the signal, or for so many seconds."""

    until: Signal | float


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing more until the test sets ``request.release``, or the client leaves."""


@dataclass(frozen=True, slots=True)
class Cut:
    """FIN here and now: no final chunk, no missing bytes of a ``content-length``."""


@dataclass(frozen=True, slots=True)
class Reset:
    """RST here and now: what was sent has arrived, the next read is ECONNRESET."""


Step = Head | Send | Drip | Raw | Pause | Hang | Cut | Reset


@dataclass(frozen=True, slots=True)
class Reply:
    """Steps in order; a body that is not cut is finished properly. ``write_size`` bounds each TCP write."""

    steps: tuple[Step, ...]
    write_size: int | None = None

    def split_every(self, size: int) -> Reply:
        """The same bytes, head and framing included, in TCP writes of ``size`` bytes."""
        return replace(self, write_size=size)


Answer = Reply | Callable[["Request"], Reply]


def json_reply(value: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """A whole JSON body with its ``content-length``."""
    body = json.dumps(value, ensure_ascii=False).encode()
    kept = (*headers, ("content-type", "application/json"), ("content-length", str(len(body))))
    return Reply((Head(status, kept), Send(body)))
