"""What the shared store's comings and goings are in /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.state.reasons import REASONS

WAITS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)  # seconds


class StoreMetrics:
    """A StoreObserver."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waits = Histogram(
            "keyturn_redis_seconds",
            "Waits for Redis: for an admission, or for it to be away; for a settlement, which no client waits for",
            ("op",),
            registry=registry,
            buckets=WAITS,
        )
        self._admitted, self._settled = self._waits.labels("admit"), self._waits.labels("settle")
        self._degraded = Gauge(
            "keyturn_redis_degraded",
            "1 while Redis is away and this process keeps to its part of all limits",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._lost = Counter(
            "keyturn_redis_lost",
            "Times that Redis went away or answered late, by why",
            ("reason",),
            registry=registry,
        )
        for reason in REASONS:
            self._lost.labels(reason)

    def store_waited(self, seconds: float) -> None:
        self._admitted.observe(seconds)

    def store_settled(self, seconds: float) -> None:
        self._settled.observe(seconds)

    def store_lost(self, reason: str) -> None:
        self._degraded.set(1)
        self._lost.labels(reason).inc()

    def store_away(self, reason: str, words: str) -> None:
        return

    def store_returned(self, seconds: float) -> None:
        self._degraded.set(0)
