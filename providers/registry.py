"""Live providers by id. Pools are made at the start, transports on first use.

After a reload a new registry takes over what did not change from the one before; calls that are under way keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from providers.call import Dialect
from providers.errors import KeyturnError
from providers.keys import KeyPool
from providers.learning.measures import Measures, Windows, nobody_knows
from providers.logins.credentials import NO_LOGINS, Logins
from providers.ports import Observer, Time
from providers.provider import Provider
from providers.spec import ProviderConfig
from providers.state import StateStore
from providers.transport import TransportFactory


class UnknownProvider(KeyturnError, LookupError):
    """Lists the known ones."""


class Registry:
    """Every provider that can be called."""

    def __init__(
        self,
        configs: Iterable[ProviderConfig],
        dialects: Mapping[str, Dialect],
        transports: Mapping[str, TransportFactory],
        store: StateStore,
        observer: Observer,
        time: Time,
        logins: Logins = NO_LOGINS,
        windows: Callable[[str], Windows] = lambda provider: nobody_knows,
        before: Registry | None = None,
    ) -> None:
        """``transports`` by the scheme of a base URL; ``windows`` are those of a provider's models.

        What is configured as in ``before`` is the same object here.
        """
        self._configs = {config.id: config for config in configs if config.usable}
        known = before.pools if before else {}
        self._pools = {
            name: pool
            if (pool := known.get(name)) and pool.config == config
            else KeyPool(config, store, observer, time, logins, pool)
            for name, config in self._configs.items()
        }
        self._dialects = dialects
        self._transports = transports
        self._time = time
        self._measures = {
            name: (before and before._measured(config)) or Measures(windows(name))
            for name, config in self._configs.items()
        }
        live = before.live if before else {}
        self._live = {name: each for name, each in live.items() if self._configs.get(name) == each.config}
        self._replaced = {name: each for name, each in live.items() if name not in self._live}
        self._facts: dict[str, Mapping[str, Mapping[str, Any]]] = dict(before._facts) if before else {}
        self._after: Registry | None = None
        if before:
            before._after = self

    def get(self, provider: str) -> Provider:
        """Raises UnknownProvider."""
        if provider not in self._live:
            if provider not in self._configs:
                raise UnknownProvider(f"no provider {provider!r}; there are {', '.join(sorted(self._configs))}")
            self._live[provider] = self._found_later(provider) or self._make(self._configs[provider])
        return self._live[provider]

    def _found_later(self, provider: str) -> Provider | None:
        """For a call that began before a reload: what is configured alike since then."""
        later = self._after
        if later is None:
            return None
        return later.get(provider) if later._configs.get(provider) == self._configs[provider] else None

    @property
    def configs(self) -> tuple[ProviderConfig, ...]:
        return tuple(self._configs.values())

    @property
    def live(self) -> Mapping[str, Provider]:
        """Those that were called so far."""
        return self._live

    @property
    def pools(self) -> Mapping[str, KeyPool]:
        return self._pools

    @property
    def measures(self) -> Mapping[str, Measures]:
        """What is found out of each provider's models, by provider."""
        return self._measures

    def facts(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What was found out about models: by provider, kind and model, as JSON."""
        return {name: provider.facts() for name, provider in self._live.items()}

    def remember(self, facts: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        """The same from before, or from others; those that are not live learn it when they are."""
        self._facts |= facts
        for name, provider in self._live.items():
            provider.remember(facts.get(name, {}))

    def hold(self, names: Iterable[str], stack: AsyncExitStack) -> None:
        """Keeps these providers open until ``stack`` is unwound. Raises UnknownProvider."""
        held = [self.get(name) for name in dict.fromkeys(names)]
        for provider in held:
            provider.users += 1
        stack.push_async_callback(_let_go, held)

    async def close_replaced(self) -> None:
        """Closes what was live before and is not here: at once, or after its last call."""
        for provider in self._replaced.values():
            await provider.retire()

    async def aclose(self) -> None:
        for provider in self._live.values():
            await provider.aclose()

    def _measured(self, config: ProviderConfig) -> Measures | None:
        """What was found out here of the models of what is configured so, which may have other keys by now."""
        own = self._configs.get(config.id)
        return self._measures[config.id] if own and own.base_url == config.base_url else None

    def _make(self, config: ProviderConfig) -> Provider:
        scheme = config.base_url.partition(":")[0]
        transport = self._transports[scheme](config)
        pool, measures = self._pools[config.id], self._measures[config.id]
        before = self._replaced.get(config.id)
        made = Provider(config, self._dialects, transport, pool, self._time, measures, before)
        made.remember(self._facts.get(config.id, {}))
        if before and before.config.base_url == config.base_url:
            made.remember(before.facts())
        made.retired = self._after is not None
        return made


async def _let_go(held: Iterable[Provider]) -> None:
    for provider in held:
        await provider.let_go()
