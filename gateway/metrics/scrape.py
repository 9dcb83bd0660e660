"""What is looked up when Prometheus asks: the state of keys, queues and budgets as of that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.metrics import Metrics
from providers.keys import KeyPool
from providers.ports import Time
from providers.provider import Provider
from providers.registry import Registry
from providers.spec import ProviderConfig


async def scrape(metrics: Metrics, registry: Registry, time: Time) -> None:
    """Sets every gauge of the pools."""
    for config in registry.configs:
        await _pool(metrics, config, registry.pools[config.id], time.wall())
    tell(metrics, registry, time)


async def keep_telling(metrics: Metrics, registry: Callable[[], Registry], time: Time) -> None:
    """In one of several workers, of which another may be asked for the metrics of all. ``registry``: that of now."""
    while True:
        tell(metrics, registry(), time)
        await asyncio.sleep(1.0)


def tell(metrics: Metrics, registry: Registry, time: Time) -> None:
    """What this process alone knows of its providers."""
    for config in registry.configs:
        live = registry.live.get(config.id)
        if live is None:
            metrics.provider_state(config.id, 0, 1.0)
        else:
            _provider(metrics, live, time.clock())


async def _pool(metrics: Metrics, config: ProviderConfig, pool: KeyPool, now: float) -> None:
    seen = await pool.snapshot()
    standings = {key.label: pool.standing(key, seen) for key in seen.keys}
    metrics.key_states(config.id, {label: standing.state for label, standing in standings.items()})
    most = config.rotation.usage_limit
    for key in seen.keys:
        rest = standings[key.label].decisive
        reset = now + rest.seconds if rest and rest.seconds is not None else None
        metrics.key_limits(config.id, key.label, reset, max(0.0, 1 - key.used / most) if most else None)


def _provider(metrics: Metrics, live: Provider, now: float) -> None:
    metrics.provider_state(live.config.id, live.gate.waiting, live.budget.left(now))
    for model, found in live.pupil.known.items():
        if found.cap is not None:
            metrics.learned(live.config.id, model, "output_tokens", found.cap)
