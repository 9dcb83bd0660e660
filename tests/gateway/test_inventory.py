"""The lists of models that are kept in memory: when they are looked at, and what holds where that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from dataclasses import field as member
from pathlib import Path

from gateway.inventory import JITTER, RETRY, SPREAD, Inventory
from gateway.settings import load
from gateway.state.memory import MemoryStore
from providers.dialects import discover
from providers.facts import Price
from providers.registry import Registry
from providers.transport import http_transport
from tests.providers.support import Watcher
from tests.serving import serving
from tests.upstream import Answer, ChatUpstream, Hang, Head, Reply, Request, ScriptedServer, Signal, json_reply
from tests.virtual_http import BEGIN, LoopMoments, in_virtual_time

PERIOD = 1000.0
PATH = "/v1/models"
A = json_reply({"data": [{"id": "a"}]})
B = json_reply({"data": [{"id": "b", "context_length": 64_000}]})
NO = json_reply({"error": {"message": "no"}}, 500)


class Pauses(LoopMoments):
    """Tells when so many pauses have begun."""

    def __init__(self, chance: float) -> None:
        super().__init__(chance=chance)
        self._count = 0
        self._begun = asyncio.Condition()

    async def sleep(self, seconds: float) -> None:
        async with self._begun:
            self._count += 1
            self._begun.notify_all()
        await super().sleep(seconds)

    async def begun(self, count: int) -> None:
        async with self._begun:
            await self._begun.wait_for(lambda: self._count >= count)


@dataclass
class Watched:
    """An inventory that looks at one provider's list, and when it did."""

    inventory: Inventory
    registry: Registry
    moments: Pauses
    arrived: Signal  # the first look
    asked: list[float] = member(default_factory=list)

    @property
    def names(self) -> list[str]:
        return list(self.inventory.lists().get("groq", {}))

    async def until(self, looks: int) -> None:
        """So many looks are over: there is a pause before each, and one after the last."""
        await self.moments.begun(looks + 1)


@asynccontextmanager
async def watched(
    home: Path, *answers: Answer, chance: float = 0.5, period: float | None = PERIOD
) -> AsyncIterator[Watched]:
    """The answers in their order, the last one for ever."""
    left = list(answers)

    def answer(request: Request) -> Reply:
        seen.asked.append(asyncio.get_running_loop().time() - BEGIN)
        following = left.pop(0) if len(left) > 1 else left[0]
        return following if isinstance(following, Reply) else following(request)

    async with ChatUpstream() as upstream:
        upstream.on(PATH, answer)
        arrived = upstream.arrival(1)
        settings = load({"GROQ_API_KEY": "gk-1", "GROQ_BASE_URL": upstream.base_url}, home, home)
        moments = Pauses(chance)
        inventory = Inventory(moments.time(), period)
        store = MemoryStore(moments.clock, moments.wall)
        ways = {"http": http_transport, "https": http_transport}
        registry = Registry(settings.providers, discover(), ways, store, Watcher(), moments.time())
        seen = Watched(inventory, registry, moments, arrived)
        running = asyncio.ensure_future(inventory.run(registry))
        try:
            yield seen
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await inventory.aclose()
            await registry.aclose()


@in_virtual_time
async def test_a_list_is_looked_at_soon_and_then_every_period(tmp_path: Path) -> None:
    async with watched(tmp_path, A, B) as seen:
        assert seen.names == []
        await seen.until(1)
        assert seen.names == ["a"]
        await seen.until(2)
        assert seen.names == ["b"]
    first, second = seen.asked
    assert first <= SPREAD
    assert abs(second - first - PERIOD) < 3
    assert seen.inventory.version == 2


@in_virtual_time
async def test_not_all_look_at_one_moment(tmp_path: Path) -> None:
    gaps = []
    for number, chance in enumerate((0.0, 1.0)):
        home = tmp_path / str(number)
        home.mkdir()
        async with watched(home, A, chance=chance) as seen:
            await seen.until(2)
        gaps.append((seen.moments.slept[0], seen.moments.slept[1]))
    assert gaps == [(0.0, PERIOD * (1 - JITTER)), (SPREAD, PERIOD * (1 + JITTER))]


@in_virtual_time
async def test_where_a_look_fails_the_last_list_holds_and_the_next_look_is_sooner(tmp_path: Path) -> None:
    async with watched(tmp_path, A, NO, NO, B) as seen:
        await seen.until(3)
        assert seen.names == ["a"]
        await seen.until(4)
        assert seen.names == ["b"]
        await seen.until(5)
    assert seen.moments.slept[1:5] == [PERIOD, RETRY, 2 * RETRY, PERIOD]


@in_virtual_time
async def test_what_fails_for_long_is_asked_no_more_than_once_a_period(tmp_path: Path) -> None:
    async with watched(tmp_path, NO) as seen:
        await seen.until(8)
    assert seen.moments.slept[4:8] == [480.0, 960.0, PERIOD, PERIOD]
    assert seen.names == []


@in_virtual_time
async def test_two_who_look_at_once_look_together(tmp_path: Path) -> None:
    def slow(request: Request) -> Reply:
        return Reply((Head(200), Hang()))

    async with watched(tmp_path, slow, period=None) as seen:
        provider = seen.registry.get("groq")
        looks = [asyncio.ensure_future(seen.inventory.refresh([provider])) for _ in range(3)]
        await seen.arrived.wait()
        looks[0].cancel()
        await asyncio.gather(*looks, return_exceptions=True)
        assert len(seen.asked) == 1
        await seen.inventory.refresh([provider])
        assert len(seen.asked) == 2


@in_virtual_time
async def test_with_no_period_nothing_is_looked_at(tmp_path: Path) -> None:
    async with watched(tmp_path, A, period=None) as seen:
        await asyncio.sleep(10_000)
    assert seen.asked == []


@in_virtual_time
async def test_an_end_comes_while_a_list_is_on_its_way(tmp_path: Path) -> None:
    async with watched(tmp_path, Reply((Head(200), Hang()))) as seen:
        await seen.arrived.wait()
    assert seen.names == []


async def test_providers_that_nobody_configured_are_not_asked(tmp_path: Path) -> None:
    """Local ones could be used without a key; their ports are none of ours unless somebody says so."""
    async with ScriptedServer() as upstream:
        upstream.always(A)
        environ = {"OLLAMA_BASE_URL": upstream.url, "MODEL": "ollama/x", "CATALOG_REFRESH": "3600"}
        async with serving(tmp_path, environ, moments=LoopMoments()) as gateway:
            await upstream.request()
            assert set(gateway.app.state.registry.live) == {"ollama"}
    assert {request.target for request in upstream.requests} == {"/v1/models"}


async def test_a_gateway_is_ready_before_any_list_has_come(tmp_path: Path) -> None:
    async with ScriptedServer() as upstream:
        upstream.on(PATH, Reply((Hang(),)))
        environ = {"GROQ_API_KEY": "gk-1", "GROQ_BASE_URL": f"{upstream.url}/v1", "CATALOG_REFRESH": "3600"}
        moments = LoopMoments()
        async with serving(tmp_path, environ, moments=moments) as gateway, gateway.client(token=None) as client:
            assert (await client.get("/readyz")).status_code == 200
            assert (await client.get("/v1/models")).status_code == 200
            request = await upstream.request()
        await request.gone.wait()


@in_virtual_time
async def test_what_a_list_says_comes_before_what_is_known_of_a_model(tmp_path: Path) -> None:
    priced = {"id": "openai/gpt-oss-120b", "context_window": 65_000, "pricing": {"input": 7, "output": 8}}
    async with watched(tmp_path, json_reply({"data": [priced, {"id": "openai/gpt-oss-20b"}]})) as seen:
        model, other = "openai/gpt-oss-120b", "openai/gpt-oss-20b"
        inventory = seen.inventory
        assert inventory.window("groq", model) == 131_072
        await seen.until(1)
        assert (inventory.window("groq", model), inventory.output("groq", model)) == (65_000, 65_536)
        assert inventory.price("groq", model) == Price(7, 8)
        assert inventory.price("groq", other) == Price(0.075, 0.3, 0.0375)
        assert inventory.window("groq", "glm-4.7") == 202_752
        assert inventory.window("groq", "glm-4.7", sure=True) is None
        assert inventory.window("nobody", "nothing") is inventory.output("nobody", "nothing") is None
