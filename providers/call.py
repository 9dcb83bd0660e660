"""One call on its way: what the client asked, and what goes out to one upstream."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from providers.errors import UpstreamFailure
from providers.json_object import JsonObject
from providers.ports import Usage
from providers.spec import ProviderConfig, Timeouts


class Operation(StrEnum):
    """What a client can ask of a model."""

    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that its dialect has checked. ``headers`` are the client's, names in lower case."""

    request_id: str
    dialect: str
    operation: Operation
    body: JsonObject
    model: str  # as the client wrote it; every reply names it again
    stream: bool
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A POST, ready for a transport."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timeouts: Timeouts


class StreamReader(Protocol):
    """One upstream's stream in, bytes for the client out: a machine without I/O.

    ``begun`` turns true with the first event that carries content, ``ended`` with the last of a whole answer,
    ``failure`` is set where the upstream said that it failed or broke the grammar; bytes are then no longer taken.
    """

    begun: bool
    ended: bool
    failure: UpstreamFailure | None
    usage: Usage

    def feed(self, data: bytes) -> bytes:
        """What the client may be sent now: whole events only."""

    def finish(self) -> bytes:
        """The upstream has closed: the last bytes, with ``ended`` or ``failure`` set."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole (not streamed) answer for the client."""

    body: bytes
    usage: Usage


class Dialect(Protocol):
    """One wire format. A file or folder of ``providers/dialects`` has one as ``DIALECT``."""

    @property
    def name(self) -> str: ...

    def check(self, body: JsonObject) -> None:
        """Raises Fault (400) naming the first field that is wrong."""

    def request(self, call: Call, model: str, thinking: bool, config: ProviderConfig, key: str) -> UpstreamRequest:
        """The call as this dialect's upstream wants it. ``key`` is "" where none is sent."""

    def stream(self, echo: str) -> StreamReader:
        """A reader that gives the answer the model name ``echo``."""

    def whole(self, body: bytes, echo: str) -> Whole:
        """Raises UpstreamFailure where ``body`` is an error, or no answer at all."""
