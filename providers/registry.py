"""Live providers by id. Pools are made at the start, transports on first use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from providers.call import Dialect
from providers.credentials import NO_LOGINS, Logins
from providers.errors import KeyturnError
from providers.keys import KeyPool
from providers.measures import Measures, Windows, nobody_knows
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
    ) -> None:
        """``transports`` by the scheme of a base URL; ``windows`` are those of a provider's models."""
        self._configs = {config.id: config for config in configs if config.usable}
        self._pools = {name: KeyPool(config, store, observer, time, logins) for name, config in self._configs.items()}
        self._dialects = dialects
        self._transports = transports
        self._time = time
        self._measures = {name: Measures(windows(name)) for name in self._configs}
        self._live: dict[str, Provider] = {}
        self._facts: dict[str, Mapping[str, Mapping[str, Any]]] = {}

    def get(self, provider: str) -> Provider:
        """Raises UnknownProvider."""
        if provider not in self._live:
            if provider not in self._configs:
                raise UnknownProvider(f"no provider {provider!r}; there are {', '.join(sorted(self._configs))}")
            self._live[provider] = self._make(self._configs[provider])
        return self._live[provider]

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

    async def aclose(self) -> None:
        for provider in self._live.values():
            await provider.aclose()

    def _make(self, config: ProviderConfig) -> Provider:
        scheme = config.base_url.partition(":")[0]
        transport = self._transports[scheme](config)
        pool, measures = self._pools[config.id], self._measures[config.id]
        provider = Provider(config, self._dialects, transport, pool, self._time, measures)
        provider.remember(self._facts.get(config.id, {}))
        return provider
