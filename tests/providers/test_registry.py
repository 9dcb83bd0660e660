"""Live providers by id: pools at the start, transports on first use, closed at the end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from gateway.state.memory import MemoryStore
from providers.answer import StreamAnswer
from providers.catalog import CATALOG
from providers.demo import DemoTransport
from providers.dialects import discover
from providers.errand import Terms
from providers.errors import KeyturnError
from providers.registry import Registry, UnknownProvider
from providers.secret import Secret
from providers.spec import KeySource, ProviderConfig
from providers.transport import Transport, TransportFactory, http_transport
from providers.visit import Visit
from tests.moments import Moments
from tests.providers.support import SPEC, Watcher, call, config

TRANSPORTS: dict[str, TransportFactory] = {"http": http_transport, "https": http_transport, "demo": DemoTransport}
KEYLESS = replace(SPEC, id="here", local=True)


def registry(*configs: ProviderConfig, transports: Mapping[str, TransportFactory] = TRANSPORTS) -> Registry:
    moments = Moments()
    store = MemoryStore(moments.clock, moments.wall)
    return Registry(configs, discover(), transports, store, Watcher(), moments.time())


def test_the_dialects_are_found_by_looking() -> None:
    found = discover()
    assert found["anthropic"].name == "anthropic"
    assert all(name == dialect.name for name, dialect in found.items())


async def test_a_provider_is_made_once() -> None:
    providers = registry(config("http://127.0.0.1:9"))
    live = providers.get("acme")
    assert providers.get("acme") is live
    assert live.pool is providers.pools["acme"]
    assert live.config is providers.configs[0]
    await providers.aclose()


def test_an_unknown_name_lists_the_known_ones() -> None:
    providers = registry(config("http://127.0.0.1:9"), ProviderConfig(KEYLESS, "http://127.0.0.1:9"))
    with pytest.raises(UnknownProvider, match="no provider 'amce'; there are acme, here") as raised:
        providers.get("amce")
    assert isinstance(raised.value, KeyturnError)
    assert isinstance(raised.value, LookupError)


def test_what_lacks_its_key_is_not_there() -> None:
    providers = registry(config("http://127.0.0.1:9", keys=()), ProviderConfig(KEYLESS, "http://127.0.0.1:9"))
    assert list(providers.pools) == [one.id for one in providers.configs] == ["here"]


async def test_pools_are_there_before_the_first_call() -> None:
    keys = tuple(KeySource(Secret(value), "ACME_API_KEYS") for value in ("a", "b"))
    providers = registry(config("http://127.0.0.1:9", keys=keys))
    assert [key.label for key in providers.pools["acme"].keys] == ["acme-01", "acme-02"]
    assert await providers.pools["acme"].states() == {"acme-01": "ready", "acme-02": "ready"}


async def test_a_transport_is_made_on_first_use_by_scheme_and_closed_at_the_end() -> None:
    made: list[str] = []
    closed: list[str] = []

    class Counting(DemoTransport):
        def __init__(self, one: ProviderConfig) -> None:
            super().__init__(one)
            self.id = one.id

        async def aclose(self) -> None:
            closed.append(self.id)

    def factory(one: ProviderConfig) -> Transport:
        made.append(one.id)
        return Counting(one)

    configs = [replace(config("demo:"), spec=replace(SPEC, id=name)) for name in ("a", "b", "c")]
    providers = registry(*configs, transports={"demo": factory})
    assert made == []
    for name in ("a", "a", "b"):
        providers.get(name)
    assert made == ["a", "b"]
    await providers.aclose()
    assert closed == ["a", "b"]


async def test_every_row_of_the_catalog_can_be_made() -> None:
    keys = (KeySource(Secret("k"), "V"),)
    providers = registry(*(ProviderConfig(row, row.base_url, keys) for row in CATALOG))
    for row in CATALOG:
        assert providers.get(row.id).config.spec is row
    await providers.aclose()


async def test_the_demo_answers_through_it() -> None:
    [row] = [row for row in CATALOG if row.id == "demo"]
    providers = registry(ProviderConfig(row, row.base_url))
    async with AsyncExitStack() as stack:
        terms = Terms(deadline=float("inf"))
        answer = await Visit(providers.get("demo"), call(), "demo", True, terms, stack).run()
        assert isinstance(answer, StreamAnswer)
        assert answer.reader.begun
    await providers.aclose()
