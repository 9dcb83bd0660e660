"""What the tests of the providers share: a provider on a scripted upstream, and someone who watches it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings

from gateway.state.memory import MemoryStore
from providers.answer import Answer, WholeAnswer
from providers.call import Call, Operation
from providers.demo import DemoTransport
from providers.dialects import discover
from providers.errand import Terms
from providers.json_object import JsonObject
from providers.keys import KeyPool
from providers.logins.credentials import NO_LOGINS, Logins
from providers.ports import Attempt, Clock, Trail
from providers.provider import Provider
from providers.registry import Registry
from providers.secret import Secret
from providers.spec import Auth, KeySource, ProviderConfig, ProviderSpec, Timeouts
from providers.state import StateStore
from providers.transport import TransportFactory, http_transport
from providers.visit import Visit
from tests.moments import Moments

BOUND = 10.0  # seconds; every wait of these tests ends by then
KEY = "sk-upstream-0123456789"
UPSTREAM_MODEL = "upstream-model"
MODEL = "claude-asked/for:free"
SPEC = ProviderSpec(
    id="acme",
    title="Acme",
    prefixes=("ACME",),
    dialect="anthropic",
    base_url="http://127.0.0.1:9",
    auth=Auth.X_API_KEY,
)

StoreFactory = Callable[[Clock, Clock], StateStore]
"""Takes the monotonic clock and the time since 1970."""

# The same examples at every run; no clock, for a busy machine is slow at times.
property_test = settings(max_examples=100, deadline=None, derandomize=True)


@dataclass(frozen=True)
class Counted:
    """An estimate that is known. See ``providers.call.Estimate``."""

    tokens: int
    media: int = 0

    def __call__(self, model: str = "") -> int:
        return self.tokens


@dataclass
class Watcher:
    """An observer that writes down what it is told."""

    told: list[tuple[str, ...]] = field(default_factory=list)

    def attempt_began(self, attempt: Attempt) -> None:
        self.told.append(("began", attempt.provider, attempt.key))

    def attempt_ended(self, attempt: Attempt) -> None:
        self.told.append(("ended", attempt.key, attempt.outcome, attempt.reason))


def config(base_url: str, **changes: Any) -> ProviderConfig:
    """One provider with one key; ``changes`` are members of ProviderConfig."""
    made: dict[str, Any] = {"spec": SPEC, "keys": (KeySource(Secret(KEY), "ACME_API_KEY"),)} | changes
    return ProviderConfig(base_url=base_url, **made)


def call(
    body: bytes | Mapping[str, Any] | None = None,
    *,
    stream: bool = True,
    operation: Operation = Operation.MESSAGES,
    headers: tuple[tuple[str, str], ...] = (),
    dialect: str = "anthropic",
) -> Call:
    """A checked call; without a body, a small one for MODEL."""
    if body is None:
        body = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    parsed = JsonObject(body if isinstance(body, bytes) else json.dumps(body).encode())
    return Call("req_1", dialect, operation, parsed, parsed.get("model"), stream, headers)


@dataclass
class Rig:
    """A live provider, its pool, who watches them, and the story of the calls so far."""

    provider: Provider
    pool: KeyPool
    watcher: Watcher
    moments: Moments
    trail: Trail = field(default_factory=Trail)

    @property
    def record(self) -> Attempt:
        """The last attempt."""
        return self.trail.attempts[-1]

    async def open(
        self,
        asked: Call,
        stack: AsyncExitStack,
        *,
        thinking: bool = True,
        once: bool = True,
        last: bool = True,
        deadline: float = 240.0,
    ) -> Answer:
        """One attempt, or with ``once`` False as many as it takes."""
        terms = Terms(self.moments.clock() + deadline, last, once, self.trail)
        return await Visit(self.provider, asked, UPSTREAM_MODEL, thinking, terms, stack).run()

    async def ask(self, asked: Call | None = None, **terms: Any) -> bytes:
        """All that a client would be sent. Raises UpstreamFailure; everything held is released then."""
        async with asyncio.timeout(BOUND), AsyncExitStack() as stack:
            answer = await self.open(asked or call(), stack, **terms)
            if isinstance(answer, WholeAnswer):
                return answer.body
            sent = answer.held
            while not answer.reader.ended:
                if answer.failure:
                    raise answer.failure
                sent += await answer.more()
            await answer.linger(BOUND)
            return sent

    @property
    def in_flight(self) -> int:
        return sum(key.in_flight for key in self.pool.keys)


@asynccontextmanager
async def rig(
    configured: ProviderConfig,
    moments: Moments | None = None,
    transport: TransportFactory = http_transport,
    stores: StoreFactory = MemoryStore,
    logins: Logins = NO_LOGINS,
) -> AsyncIterator[Rig]:
    """A provider as the registry makes it; closed on the way out, when nothing may be in flight."""
    watcher, moments = Watcher(), moments or Moments()
    transports: dict[str, TransportFactory] = {"http": transport, "demo": DemoTransport}
    store = stores(moments.clock, moments.wall)
    registry = Registry([configured], discover(), transports, store, watcher, moments.time(), logins)
    made = Rig(registry.get(configured.id), registry.pools[configured.id], watcher, moments)
    try:
        yield made
    finally:
        await registry.aclose()
    assert made.in_flight == 0


def by_the_book(stream: bytes) -> list[tuple[bytes, bytes]]:
    """The whole events of a stream, (name, data), read line by line as the standard says; no name is b""."""
    events: list[tuple[bytes, bytes]] = []
    name, data = b"", list[bytes]()
    for line in re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))[:-1]:
        kind, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if kind == b"event":
            name = value
        elif kind == b"data":
            data.append(value)
        elif not line:
            events += [(name, b"\n".join(data))] if data else []
            name, data = b"", []
    return events


def quick(**seconds: Any) -> Timeouts:
    """Patience for tests: a long one for all that the test does not name."""
    patience: dict[str, Any] = {"connect": BOUND, "write": BOUND, "read": BOUND, "first_token": BOUND} | seconds
    return Timeouts(**patience)
