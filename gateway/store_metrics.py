"""What the shared store's comings and goings are in /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.state.reasons import REASONS

WAITS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)  # seconds


class StoreMetrics:
    """A StoreObserver."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waits = Histogram(
            "keyturn_store_wait_seconds",
            "Waits to be admitted by the store of the shared state",
            registry=registry,
            buckets=WAITS,
        )
        self._up = Gauge(
            "keyturn_store_up",
            "0 while the store of the shared state is away",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._up.set(1)
        self._lost = Counter(
            "keyturn_store_lost",
            "Times that the store of the shared state went away or answered late, by why",
            ("reason",),
            registry=registry,
        )
        for reason in REASONS:
            self._lost.labels(reason)

    def store_waited(self, seconds: float) -> None:
        self._waits.observe(seconds)

    def store_lost(self, reason: str) -> None:
        self._up.set(0)
        self._lost.labels(reason).inc()

    def store_away(self, reason: str, words: str) -> None:
        return

    def store_returned(self, seconds: float) -> None:
        self._up.set(1)
