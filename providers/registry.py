"""Live providers by id. Pools are made at the start, transports on first use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from providers.call import Dialect
from providers.credentials import NO_LOGINS, Logins
from providers.errors import KeyturnError
from providers.keys import KeyPool
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
    ) -> None:
        """``transports`` by the scheme of a base URL."""
        self._configs = {config.id: config for config in configs if config.usable}
        self._pools = {name: KeyPool(config, store, observer, time, logins) for name, config in self._configs.items()}
        self._dialects = dialects
        self._transports = transports
        self._time = time
        self._live: dict[str, Provider] = {}

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

    async def aclose(self) -> None:
        for provider in self._live.values():
            await provider.aclose()

    def _make(self, config: ProviderConfig) -> Provider:
        scheme = config.base_url.partition(":")[0]
        transport = self._transports[scheme](config)
        return Provider(config, self._dialects, transport, self._pools[config.id], self._time)
