"""What the tests of the providers share: a provider on a scripted upstream, and someone who watches it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings

from providers.call import Call, Operation
from providers.demo import DemoTransport
from providers.dialects import discover
from providers.json_object import JsonObject
from providers.keys import KeyPool
from providers.ports import Attempt
from providers.provider import Provider, WholeAnswer
from providers.registry import Registry
from providers.secret import Secret
from providers.spec import Auth, KeySource, ProviderConfig, ProviderSpec, Timeouts
from providers.transport import http_transport

BOUND = 10.0  # seconds; every wait of these tests ends by then
KEY = "sk-upstream-0123456789"
MODEL = "claude-asked/for:free"
SPEC = ProviderSpec(
    id="acme",
    title="Acme",
    prefixes=("ACME",),
    dialect="anthropic",
    base_url="http://127.0.0.1:9",
    auth=Auth.X_API_KEY,
)

# The same examples at every run; no clock, for a busy machine is slow at times.
property_test = settings(max_examples=100, deadline=None, derandomize=True)


@dataclass
class Watcher:
    """An observer that writes down what it is told."""

    told: list[tuple[str, ...]] = field(default_factory=list)

    def attempt_began(self, attempt: Attempt) -> None:
        self.told.append(("began", attempt.provider, attempt.key))

    def attempt_ended(self, attempt: Attempt) -> None:
        self.told.append(("ended", attempt.key, attempt.outcome, attempt.reason))

    def key_state(self, provider: str, key: str, state: str) -> None:
        self.told.append(("state", provider, key, state))


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


def attempt(model: str = "upstream-model") -> Attempt:
    return Attempt("req_1", "acme", model, "", time.monotonic())


@dataclass
class Rig:
    """A live provider, its pool, and who watches them."""

    provider: Provider
    pool: KeyPool
    watcher: Watcher

    async def ask(self, asked: Call | None = None, record: Attempt | None = None) -> bytes:
        """All that a client would be sent. Raises UpstreamFailure; everything held is released then."""
        async with asyncio.timeout(BOUND), AsyncExitStack() as stack:
            answer = await self.provider.open(asked or call(), record or attempt(), True, stack)
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
async def rig(configured: ProviderConfig) -> AsyncIterator[Rig]:
    """A provider as the registry makes it; closed on the way out, when nothing may be in flight."""
    watcher = Watcher()
    transports = {"http": http_transport, "demo": DemoTransport}
    registry = Registry([configured], discover(), transports, watcher, time.monotonic)
    made = Rig(registry.get(configured.id), registry.pools[configured.id], watcher)
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
