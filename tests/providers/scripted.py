"""A provider on virtual time: its upstream is a script for each key, and nothing may be left open at the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.state.memory import MemoryStore
from providers.answer import StreamAnswer
from providers.call import Call, UpstreamRequest
from providers.errors import ErrorKind, UpstreamFailure
from providers.queue.fair_line import NOBODY, Caller
from providers.secret import Secret
from providers.spec import KeySource, Limits, ProviderConfig, Traffic
from providers.state import Admission, Ask, Candidate, RestOrder, Settlement
from providers.unwinding import ShieldedStack
from tests.providers.support import MODEL, UPSTREAM_MODEL, Rig, StoreFactory, call, config, rig
from tests.upstream import frames, text
from tests.virtual import VirtualMoments, now, turns

ANSWER = "Hello"
WHOLE = json.dumps({"type": "message", "model": UPSTREAM_MODEL, "content": [{"type": "text", "text": ANSWER}]}).encode()
STREAM = frames(UPSTREAM_MODEL, [text(ANSWER)])


@dataclass(frozen=True)
class Outcome:
    """What an upstream does to one attempt: after ``before`` seconds a status, then a body, then it may hang."""

    status: int = 200
    words: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    before: float = 0.0
    failure: ErrorKind | None = None  # in place of any answer
    parts: tuple[bytes, ...] | None = None  # None = a good answer, in as many parts as a stream has frames
    between: float = 0.0  # seconds before each part but the first
    hangs: bool = False  # after the last part

    def after(self, seconds: float) -> Outcome:
        return replace(self, before=seconds)


OK = Outcome()
SILENT = Outcome(before=1e9)


def status(code: int, words: str = "no", **headers: str) -> Outcome:
    return Outcome(code, words, tuple((name.replace("_", "-"), value) for name, value in headers.items()))


def good(**headers: str) -> Outcome:
    return replace(status(200, **headers), words="")


def broken(kind: ErrorKind) -> Outcome:
    return Outcome(failure=kind)


class ScriptedReply:
    """See providers.transport.UpstreamReply."""

    def __init__(self, outcome: Outcome, parts: Sequence[bytes], left: list[ScriptedReply]) -> None:
        self.status = outcome.status
        self.headers: Mapping[str, str] = dict(outcome.headers)
        self._outcome = outcome
        self._parts = list(parts)
        self._begun = False
        self._left = left
        left.append(self)

    async def read(self) -> bytes:
        if self._begun and self._parts and self._outcome.between:
            await asyncio.sleep(self._outcome.between)
        self._begun = True
        if not self._parts and self._outcome.hangs:
            await asyncio.sleep(SILENT.before)
        return self._parts.pop(0) if self._parts else b""

    async def aclose(self) -> None:
        self._left.remove(self)


@dataclass
class Sent:
    """One attempt as the upstream saw it."""

    at: float
    key: str


@dataclass
class Script:
    """See providers.transport.Transport. Each key's outcomes in turn; the last one stays."""

    outcomes: Mapping[str, Sequence[Outcome]]
    sent: list[Sent] = field(default_factory=list)
    open: list[ScriptedReply] = field(default_factory=list)
    closed: bool = False

    async def send(self, request: UpstreamRequest) -> ScriptedReply:
        key = dict(request.headers)["x-api-key"]
        number = sum(each.key == key for each in self.sent)
        self.sent.append(Sent(now(), key))
        outcome = self.outcomes[key][min(number, len(self.outcomes[key]) - 1)]
        await asyncio.sleep(outcome.before)
        if outcome.failure:
            raise UpstreamFailure(outcome.failure, "scripted")
        return ScriptedReply(outcome, _body(outcome, json.loads(request.body).get("stream") is True), self.open)

    async def aclose(self) -> None:
        self.closed = True

    @property
    def story(self) -> list[tuple[float, str]]:
        """When it was asked with which key."""
        return [(each.at, each.key) for each in self.sent]


def _body(outcome: Outcome, streamed: bool) -> Sequence[bytes]:
    if outcome.status != 200:
        return [json.dumps({"error": {"type": "scripted", "message": outcome.words}}).encode()]
    if outcome.parts is not None:
        return outcome.parts
    if streamed:
        return STREAM
    size = -(-len(WHOLE) // len(STREAM))
    return [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]


class DistantStore(MemoryStore):
    """A store behind a network: each verb takes a way there and a way back, in which others run."""

    async def admit(self, ask: Ask) -> Admission:
        await asyncio.sleep(0)
        admission = await super().admit(ask)
        await asyncio.sleep(0)
        return admission

    async def proved(self, provider: str, lease: str) -> None:
        await asyncio.sleep(0)
        await super().proved(provider, lease)
        await asyncio.sleep(0)

    async def settle(self, provider: str, lease: str, settlement: Settlement) -> None:
        await asyncio.sleep(0)
        await super().settle(provider, lease, settlement)
        await asyncio.sleep(0)

    async def rest(self, provider: str, candidate: Candidate | None, model: str, order: RestOrder) -> None:
        await asyncio.sleep(0)
        await super().rest(provider, candidate, model, order)
        await asyncio.sleep(0)


class CommonStore(DistantStore):
    """One that keeps the providers' own limits too, for many processes."""

    keeps_traffic = True


@dataclass
class Stage:
    """A live provider and its upstream."""

    live: Rig
    script: Script

    async def ask(
        self,
        session: str = "",
        stream: bool = True,
        deadline: float = 240.0,
        caller: Caller = NOBODY,
        **terms: Any,
    ) -> str:
        """The answer's text, read to its end. ``terms`` as for ``Rig.open``. Raises UpstreamFailure."""
        asked = _call(session, stream, caller)
        async with ShieldedStack() as stack:
            answer = await self.live.open(asked, stack, **{"once": False, **terms}, deadline=deadline)
            if not isinstance(answer, StreamAnswer):
                return str(json.loads(answer.body)["content"][0]["text"])
            sent = answer.held
            while not answer.reader.ended:
                if answer.failure:
                    raise answer.failure
                sent += await answer.more()
        return b"".join(_texts(sent)).decode()

    async def failure(self, **terms: Any) -> UpstreamFailure:
        """What a call ends with that must fail."""
        with pytest.raises(UpstreamFailure) as raised:
            await self.ask(**terms)
        return raised.value

    @property
    def story(self) -> list[tuple[float, str]]:
        return self.script.story


def _call(session: str, stream: bool, caller: Caller) -> Call:
    return replace(call(stream=stream), session=session, caller=caller)


def _texts(sent: bytes) -> list[bytes]:
    """The text of every text delta."""
    events = [json.loads(line[6:]) for line in sent.split(b"\n") if line.startswith(b"data: ")]
    assert events[0]["message"]["model"] == MODEL
    assert [each["type"] for each in events].count("message_start") == 1
    return [each["delta"]["text"].encode() for each in events if each["type"] == "content_block_delta"]


def scripted(keys: Sequence[str], accounts: Mapping[str, str] | None = None, **changes: Any) -> ProviderConfig:
    """A provider with these keys; ``changes`` are members of ProviderConfig, ``limits`` are those of each key."""
    limits: Limits = changes.pop("limits", Limits())
    sources = tuple(
        KeySource(Secret(key), f"ACME_{key.upper()}", key, account=(accounts or {}).get(key, ""), limits=limits)
        for key in keys
    )
    return config("http://acme.example", keys=sources, **changes)


@asynccontextmanager
async def stage(
    outcomes: Mapping[str, Sequence[Outcome]],
    chance: float = 0.0,
    stores: StoreFactory = MemoryStore,
    moments: VirtualMoments | None = None,
    **changes: Any,
) -> AsyncIterator[Stage]:
    """The keys are those of ``outcomes``. On the way out all leases, slots, places and answers are back."""
    script = Script(outcomes)
    moments = moments or VirtualMoments(chance=chance)
    async with rig(scripted(list(outcomes), **changes), moments, lambda _: script, stores) as live:
        made = Stage(live, script)
        yield made
        await turns()
        await _intact(made)
    assert script.closed


async def _intact(made: Stage) -> None:
    gate = made.live.provider.gate
    assert made.script.open == []
    assert (gate.waiting, gate.held) == (0, 0)
    seen = await made.live.pool.snapshot()
    assert [key.in_flight for key in seen.keys] == [0] * len(seen.keys)
    assert {attempt.outcome for attempt in made.live.trail.attempts} <= {"ok", "failed", "abandoned"}
    traffic: Traffic = gate.traffic
    async with AsyncExitStack() as held, asyncio.timeout(2 * traffic.window):
        for _ in range(traffic.concurrency or 1):
            async with gate.turn():
                await gate.enter(held)
