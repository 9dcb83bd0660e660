"""A gateway between scripted providers, with time in the test's hands, and what must be true after any fault."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from providers.keys import KeyPool
from providers.registry import Registry
from tests.gateway.voices import GOOD, OTHER, Voice
from tests.serving import TOKEN, Gateway, Json, ask, serving
from tests.upstream import Answer, Pause, Reply, Request, ScriptedServer, Signal
from tests.virtual_http import LoopMoments

BAD, SPARE = "sk-first", "sk-second"  # keys, in their order

Samples = list[tuple[str, dict[str, str], float]]


@dataclass
class Provider:
    """A scripted provider, and which key gets which answer."""

    voice: Voice
    server: ScriptedServer
    answers: dict[str, Answer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server.always(self._answer)

    def _answer(self, request: Request) -> Reply:
        return reply_of(self.answers.get(self.voice.key(request), self.voice.good()), request)

    @property
    def asked_with(self) -> list[str]:
        """The keys of all calls so far, in order."""
        return [self.voice.key(request) for request in self.server.requests]


@dataclass
class Rig:
    """A running gateway, its provider, and the fallback where there is one."""

    gateway: Gateway
    moments: LoopMoments
    primary: Provider
    fallback: Provider

    @property
    def registry(self) -> Registry:
        registry: Registry = self.gateway.app.state.registry
        return registry

    @property
    def pool(self) -> KeyPool:
        return self.registry.pools[self.primary.voice.provider]

    @property
    def now(self) -> float:
        """To the microsecond."""
        return round(self.moments.clock(), 6)

    @asynccontextmanager
    async def client(self, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """One that waits as long as it takes."""
        async with self.gateway.client(**headers) as client:
            client.timeout = httpx.Timeout(None)
            yield client

    async def post(
        self, streamed: bool = True, body: Json | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A call; ``x_name`` is the header x-name."""
        async with self.client(**(headers or {})) as client:
            return await client.post("/v1/messages", json={**ask(stream=streamed), **(body or {})})

    async def watch(self, seen: Signal, mark: str) -> tuple[httpx.Response, bytes]:
        """A streamed call; sets ``seen`` once ``mark`` has come. The reply, and all bytes of its body."""
        body = b""
        async with self.client() as client, client.stream("POST", "/v1/messages", json=ask(stream=True)) as reply:
            async for data in reply.aiter_raw():
                body += data
                if mark.encode() in body:
                    seen.set()
        return reply, body

    async def metrics(self) -> Samples:
        async with self.client() as client:
            exposition = (await client.get("/metrics")).text
        return [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(exposition)
            for sample in family.samples
        ]

    async def came_back(self) -> None:
        """Every key, slot, queue place and connection is free again."""
        await self.gateway.settled()
        for name, pool in self.registry.pools.items():
            assert [key.in_flight for key in (await pool.snapshot()).keys] == [0] * len(pool.keys), name
        for provider in (self.primary, self.fallback):
            gate = self.registry.get(provider.voice.provider).gate
            assert (gate.held, gate.waiting) == (0, 0)
            for request in provider.server.requests:
                await _over(request)

    async def serves_again(self) -> None:
        """With its keys awake, the provider takes a call at once. With one slot, this is that slot."""
        self.primary.answers.clear()
        await self.pool.wake_all()
        answered(await self.post(False), False)
        await self.came_back()


async def _over(request: Request) -> None:
    """The provider has said all that it had to say, or was left."""
    waits = [asyncio.ensure_future(each.wait()) for each in (request.answered, request.gone)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        assert request.answered.is_set() or request.gone.is_set(), "a connection that nobody closes"
    finally:
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


@asynccontextmanager
async def rigged(
    home: Path,
    voice: Voice,
    keys: Iterable[str] = (BAD, SPARE),
    fallback: bool = False,
    environ: Mapping[str, str] | None = None,
    moments: LoopMoments | None = None,
    **how: Any,
) -> AsyncIterator[Rig]:
    """A gateway whose MODEL is of this provider; the fallback speaks the other dialect and is well.

    ``how`` is for ``serving``.
    """
    other = OTHER[voice.provider]
    moments = moments or LoopMoments()
    async with voice.server() as first, other.server() as second:
        variables = {
            "ANTHROPIC_AUTH_TOKEN": TOKEN,
            "MODEL": f"{voice.provider}/{voice.model}",
            **voice.environ(first.url, keys),
            **other.environ(second.url, ["sk-fallback"]),
            **({"MODEL_FALLBACKS": f"{other.provider}/{other.model}"} if fallback else {}),
            **(environ or {}),
        }
        async with serving(home, variables, moments=moments, **how) as gateway:
            yield Rig(gateway, moments, Provider(voice, first), Provider(other, second))
        for _ in range(100):  # turns of the loop
            await asyncio.sleep(0)
        assert first.connections == second.connections == set(), "connections that outlive the gateway"


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum over the samples of this name that carry these labels; there must be one."""
    found = [value for each, own, value in samples if each == name and labels.items() <= own.items()]
    assert found, f"no sample {name} {labels}"
    return sum(found)


def late(answer: Answer, seconds: float) -> Callable[[Request], Reply]:
    """The same, after so many seconds."""

    return lambda request: Reply((Pause(seconds), *reply_of(answer, request).steps))


def by_model(answers: Mapping[str, Answer], otherwise: Answer) -> Callable[[Request], Reply]:
    """An answer for each model."""
    return lambda request: reply_of(answers.get(request.model, otherwise), request)


def reply_of(answer: Answer, request: Request) -> Reply:
    return answer if isinstance(answer, Reply) else answer(request)


def events(body: bytes) -> list[Json]:
    """The data of every event of a Messages stream, whose names must be their types."""
    found: list[Json] = []
    for frame in body.decode().split("\n\n")[:-1]:
        name, data = frame.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    assert body.endswith(b"\n\n")
    return found


def text_of(found: Iterable[Json]) -> str:
    return "".join(event["delta"].get("text", "") for event in found if event["type"] == "content_block_delta")


def of_type(found: Iterable[Json], kind: str) -> list[Json]:
    return [event for event in found if event["type"] == kind]


def one_start(found: list[Json]) -> None:
    """Exactly one message_start, before everything but pings."""
    assert len(of_type(found, "message_start")) == 1
    assert next(event["type"] for event in found if event["type"] != "ping") == "message_start"


def answered(reply: httpx.Response, streamed: bool, words: str = GOOD) -> None:
    """The client got this answer and nothing of any other."""
    assert reply.status_code == 200, reply.text
    if not streamed:
        assert [block["text"] for block in reply.json()["content"]] == [words]
        return
    found = events(reply.content)
    one_start(found)
    assert text_of(found) == words
    assert not of_type(found, "error")
    assert [event["type"] for event in found[-2:]] == ["message_delta", "message_stop"]
    assert len(of_type(found, "content_block_start")) == len(of_type(found, "content_block_stop")) == 1


def refused(reply: httpx.Response, status: int, kind: str) -> str:
    """The words of a whole reply that is an error in Anthropic's shape."""
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/json"), reply.text
    body: Any = reply.json()
    assert (body["type"], body["error"]["type"]) == ("error", kind), reply.text
    assert reply.headers["request-id"]
    words: str = body["error"]["message"]
    assert words
    for secret in (BAD, SPARE, TOKEN, "x-api-key"):
        assert secret not in reply.text
    return words


def broken(body: bytes, kind: str) -> list[Json]:
    """The events of a stream that ends with an error of this type, and with nothing after it."""
    found = events(body)
    one_start(found)
    assert [event["error"]["type"] for event in of_type(found, "error")] == [kind]
    assert found[-1]["type"] == "error"
    assert found[-1]["error"]["message"]
    assert not of_type(found, "message_stop")
    return found
