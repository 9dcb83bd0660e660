"""The models that a gateway would list, asked of the providers where no gateway runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from gateway.app import TIME
from gateway.endpoints.models import ModelList
from gateway.inventory import Inventory
from gateway.lasting import LOGINS, TRANSPORTS
from gateway.observers import Observers
from gateway.settings import Settings
from gateway.state.memory import MemoryStore
from providers.dialects import discover
from providers.model_lists import NoList, fetched
from providers.provider import Provider
from providers.registry import Registry

WITHIN = 10.0  # seconds for all lists; what has come by then is shown


def listed(settings: Settings) -> list[Any]:
    """The items of GET /v1/models. A provider that does not answer adds the models that settings name, and no more."""
    return asyncio.run(_listed(settings))


async def _listed(settings: Settings) -> list[Any]:
    store = MemoryStore(TIME.clock, TIME.wall)
    registry = Registry(settings.providers, discover(), TRANSPORTS, store, Observers(), TIME, LOGINS)
    inventory = Inventory(TIME, None)
    asked = [registry.get(config.id) for config in settings.providers if config.chosen and config.usable]
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(WITHIN):
                await asyncio.gather(*(_look(inventory, provider) for provider in asked))
        items: list[Any] = ModelList(settings.routing, inventory, {}).page({})["data"]
        return items
    finally:
        await registry.aclose()


async def _look(inventory: Inventory, provider: Provider) -> None:
    with suppress(NoList):
        inventory.hold(provider.config.id, await fetched(provider))
