"""What models there are and how much they hold: the providers' own lists, looked at in the background, and the facts.

A list is read when the gateway starts, and again every hour; where that fails, the last one holds. What is asked of it
is answered from memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from weakref import WeakKeyDictionary

import structlog

from providers.facts import LazyFacts, ModelFacts, Price
from providers.learning.measures import Windows
from providers.listings import Listed
from providers.model_lists import NoList, fetched
from providers.ports import Time, Usage
from providers.provider import Provider
from providers.registry import Registry

SPREAD = 2.0  # seconds over which the first looks are spread
JITTER = 0.1  # of a wait, either way
RETRY = 60.0  # seconds after the first failure, doubling


class Inventory:
    """One per process. ``period`` in seconds between two looks at a list; None looks at none."""

    def __init__(self, time: Time, period: float | None) -> None:
        self.version = 0  # grows with every list that came
        self._time = time
        self._period = period
        self._facts = LazyFacts()
        self._lists: dict[str, dict[str, Listed]] = {}
        self._looking: dict[Provider, asyncio.Task[bool]] = {}
        self._due: WeakKeyDictionary[Provider, float] = WeakKeyDictionary()  # when its list is looked at again

    def lists(self) -> Mapping[str, Mapping[str, Listed]]:
        """The models of each provider whose list came, by their names."""
        return self._lists

    # -- what is known of one model

    def windows(self, provider: str) -> Windows:
        """Those of a provider's models."""
        return partial(self.window, provider)

    def window(self, provider: str, model: str, sure: bool = False) -> int | None:
        """Tokens of a prompt. See ``providers.learning.measures.Windows``."""
        listed, facts = self._listed(provider, model), self._known(provider, model)
        own = (listed and listed.window) or (facts and facts.window)
        return own or (None if sure else self._facts.table.window_elsewhere(model))

    def output(self, provider: str, model: str) -> int | None:
        """Tokens of the longest answer."""
        listed, facts = self._listed(provider, model), self._known(provider, model)
        return (listed and listed.output) or (facts and facts.output) or None

    def price(self, provider: str, model: str) -> Price | None:
        """Its provider's own word, else that of the table."""
        listed, facts = self._listed(provider, model), self._known(provider, model)
        return (listed and listed.price) or (facts and facts.price) or None

    def cost(self, provider: str, model: str, usage: Usage) -> float | None:
        """US dollars for these tokens; None where no price is known."""
        price = self.price(provider, model)
        return None if price is None else price.cost(usage)

    def _listed(self, provider: str, model: str) -> Listed | None:
        return self._lists.get(provider, {}).get(model)

    def _known(self, provider: str, model: str) -> ModelFacts | None:
        return self._facts.table.of(provider, model)

    # -- the lists

    def configured(self, period: float | None) -> None:
        """As in ``__init__``; it holds from the next ``run``."""
        self._period = period

    async def run(self, registry: Registry) -> None:
        """Looks at the lists of all configured providers until it is cancelled.

        A second run, of the providers that are configured by then, goes on where the first one was.
        """
        names = [config.id for config in registry.configs if config.chosen]
        self._forget(registry)
        if self._period is None:
            return
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(self._watch(registry.get(name), self._period))

    def _forget(self, registry: Registry) -> None:
        """What was there before and is not any more, or not as it was."""
        current = set(registry.live.values())
        for provider, task in self._looking.items():
            if provider not in current:
                task.cancel()
        gone = self._lists.keys() - {config.id for config in registry.configs}
        for name in gone:
            del self._lists[name]
        self.version += 1 if gone else 0

    async def refresh(self, providers: Iterable[Provider]) -> None:
        """Looks at these lists now; whoever asks while one is looked at waits for the same look."""
        await asyncio.gather(*(self._look(provider) for provider in providers))

    async def _watch(self, provider: Provider, period: float) -> None:
        due = self._due.get(provider)
        await self._time.sleep(SPREAD * self._time.chance() if due is None else max(0.0, due - self._time.clock()))
        failures = 0
        while True:
            failures = 0 if await self._look(provider) else failures + 1
            wait = min(period, RETRY * 2.0 ** min(failures - 1, 20)) if failures else period
            wait *= 1.0 + JITTER * (2.0 * self._time.chance() - 1.0)
            self._due[provider] = self._time.clock() + wait
            await self._time.sleep(wait)

    async def _look(self, provider: Provider) -> bool:
        if provider not in self._looking:
            task = asyncio.ensure_future(self._taken(provider))
            self._looking[provider] = task
            task.add_done_callback(lambda _: self._looking.pop(provider, None))
        return await asyncio.shield(self._looking[provider])

    async def _taken(self, provider: Provider) -> bool:
        try:
            models = await fetched(provider)
        except NoList as error:
            structlog.get_logger().debug("models_not_listed", provider=provider.config.id, reason=str(error))
            return False
        self.hold(provider.config.id, models)
        return True

    def hold(self, provider: str, models: Iterable[Listed]) -> None:
        """A provider's list came."""
        self._lists[provider] = {model.id: model for model in models}
        self.version += 1

    async def aclose(self) -> None:
        """Ends the looks that are under way."""
        for task in list(self._looking.values()):
            task.cancel()
        await asyncio.gather(*self._looking.values(), return_exceptions=True)
