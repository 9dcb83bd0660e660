"""One call on its way: what the client asked, and what goes out to one upstream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from providers.chat.ports import EventReader, EventWriter
from providers.chat.request import ChatRequest
from providers.errors import Fault, UpstreamFailure
from providers.hosting import Hosting, Hosts
from providers.json_object import JsonObject
from providers.ports import Usage
from providers.queue.fair_line import NOBODY, Caller
from providers.quirks import Quirks
from providers.spec import ProviderConfig, Timeouts


class Operation(StrEnum):
    """What a client can ask of a model."""

    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"


class Estimate(Protocol):
    """How many tokens a request's input may be, where nobody has counted it."""

    def __call__(self, model: str = "") -> int:
        """For this model; for the one that the client named where none is given."""

    @property
    def media(self) -> int:
        """Those of its images and documents, which are rougher guesses than those of its text."""


class Uncounted:
    """See Estimate."""

    media = 0

    def __call__(self, model: str = "") -> int:
        return 0


UNCOUNTED: Estimate = Uncounted()


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
    received: int = 0  # Unix time
    estimate: Estimate = UNCOUNTED  # of the input's tokens, for upstreams that do not say
    session: str = ""  # whose prompt cache this call may find warm; "" where the client names none
    hosting: Hosting | None = None  # server tools that the gateway runs where the upstream has none such
    caller: Caller = NOBODY  # between whom the queues are fair

    def estimated_by(self, estimate: Estimate) -> Call:
        """The same call with another estimate. ``dataclasses.replace`` would take 18 us, this takes one."""
        head = self.request_id, self.dialect, self.operation, self.body, self.model, self.stream
        return Call(*head, self.headers, self.received, estimate, self.session, self.hosting, self.caller)


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request, ready for a transport. ``lost`` names what of one that passed straight through was taken out."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timeouts: Timeouts
    lost: tuple[str, ...] = ()
    method: str = "POST"


class StreamReader(Protocol):
    """One upstream's answer in, bytes for the client out: a machine without I/O.

    ``begun`` turns true with the first event that carries content, ``ended`` with the last of a whole answer,
    ``failure`` is set where the upstream said that it failed or broke the grammar; bytes are then no longer taken.
    """

    @property
    def begun(self) -> bool: ...

    @property
    def ended(self) -> bool: ...

    @property
    def failure(self) -> UpstreamFailure | None: ...

    @property
    def usage(self) -> Usage: ...

    @property
    def closing(self) -> bool:
        """The reason to stop has come: nothing that a client waits for can follow."""

    def feed(self, data: bytes) -> bytes:
        """What the client may be sent now: whole events only, or a whole body once it has ended."""

    def finish(self) -> bytes:
        """The upstream has closed: the last bytes, with ``ended`` or ``failure`` set."""

    def take_whole(self, body: bytes) -> bytes:
        """The upstream's answer came as one body: all bytes for the client, with ``ended`` or ``failure`` set."""

    def failed(self, fault: Fault) -> bytes:
        """What tells a client whose stream has begun that it cannot go on. Nothing follows it."""


class StraightLine(Protocol):
    """What a dialect does where client and upstream both speak it: the bytes pass through."""

    def fits(self, quirks: Quirks, model: str, thinking: bool) -> bool:
        """Whether it knows all that this model needs, whose ``quirks`` these are; else the call is translated."""

    def request(self, call: Call, model: str, thinking: bool, config: ProviderConfig, key: str) -> UpstreamRequest:
        """The call as this dialect's upstream wants it. ``key`` is "" where none is sent."""

    def reader(self, call: Call) -> StreamReader:
        """A reader that gives the answer the model name that the client asked for."""

    def guarded(self, call: Call, token: str) -> tuple[StreamReader, Mapping[str, int]] | None:
        """The same with calls looked for in text and repaired, and the count of repairs, which grows.

        ``token`` makes ids. None where only a translation can do that.
        """


@dataclass(frozen=True, slots=True)
class Translated:
    """A neutral request in an upstream's dialect, the reader of its answer, and what could not be said.

    ``names`` gives those tools their own names back that the upstream was told under others.
    """

    request: UpstreamRequest
    reader: EventReader
    lost: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hints:
    """What a translation needs besides the request: material for unique ids, and an estimate of the input's tokens."""

    token: str
    estimate: int


class Waiting(Protocol):
    """What the client of a stream is sent while no upstream has begun to answer. A machine without I/O."""

    def ping(self) -> bytes:
        """Keeps the connection alive; the answer may still be anything."""

    def hold(self) -> bytes:
        """Keeps a client alive that counts only events of an answer: its beginning at first, then empty pieces."""

    def join(self, data: bytes) -> bytes:
        """Whole events of the answer, made to continue what ``hold`` began; as they are where it was never called."""


class Dialect(Protocol):
    """One wire format, as upstreams speak it. A file or folder of ``providers/dialects`` has one as ``DIALECT``."""

    @property
    def name(self) -> str: ...

    @property
    def straight(self) -> StraightLine | None: ...

    def write_request(self, request: ChatRequest, config: ProviderConfig, key: str, hints: Hints) -> Translated:
        """The request for an upstream of this dialect, streamed whatever the client wants."""


@runtime_checkable
class ClientDialect(Dialect, Protocol):
    """One that clients speak too."""

    @property
    def hosts(self) -> Hosts | None:
        """Its server tools, where the gateway can run them."""

    def check(self, body: JsonObject) -> None:
        """Raises Fault (400) naming the first field that is wrong."""

    def read_request(self, body: JsonObject, model: str, thinking: bool) -> ChatRequest:
        """A checked body in the neutral language. ``thinking`` False switches thinking off."""

    def writer(self, call: Call) -> EventWriter:
        """A writer for the client that made ``call``."""

    def waiting(self, call: Call) -> Waiting:
        """What the client that made ``call`` is sent before there is an answer."""
