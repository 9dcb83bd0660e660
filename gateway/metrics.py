"""Every instrument and label. Children are made at the start, so that a rate sees the first failure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise, product
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from gateway.reload import RESULTS
from middleware.context import RequestContext
from providers.chat.guardian import Repair
from providers.keys import STATES
from providers.policy import CONSEQUENCES
from providers.ports import Attempt
from providers.version import VERSION

OUTCOMES = ("ok", "error", "cut", "client_gone")
OTHER = "other"  # a model that no setting names; a field that no API has
STAGES = ("before_headers", "before_content")
_ROTATE = tuple(kind.value for kind, rule in CONSEQUENCES.items() if rule.other_key or rule.again)
FIELDS = frozenset(
    {
        "betas",
        "container",
        "context_management",
        "effort",
        "mcp_servers",
        "messages",
        "output_config",
        "response_format",
        "service_tier",
        "speed",
        "stop_sequences",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
    }
)


Instrument = TypeVar("Instrument", Counter, Gauge)


class Children(dict[tuple[str, ...], Instrument]):
    """An instrument's children by their labels; finding one anew each time takes longer than counting."""

    def __init__(self, instrument: Instrument) -> None:
        super().__init__()
        self._instrument: Instrument = instrument

    def __missing__(self, labels: tuple[str, ...]) -> Instrument:
        self[labels] = self._instrument.labels(*labels)
        return self[labels]


class Metrics:
    """The registry, and the observer of attempts, keys and requests."""

    def __init__(
        self,
        models: Iterable[tuple[str, str]],
        routes: Iterable[str],
        failovers: Iterable[tuple[str, str]] = (),
        rotating: Iterable[str] = (),
    ) -> None:
        """``models`` are the (provider, model) pairs that the configuration names: the only models that are labels.
        ``failovers`` are the pairs of providers of which one takes over from the other, ``rotating`` are those with
        several keys.
        """
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._requests = Counter(
            "keyturn_requests",
            "Requests by route, provider, model and outcome",
            ("route", "provider", "model", "outcome"),
            registry=self.registry,
        )
        self._attempts = Counter(
            "keyturn_attempts",
            "Attempts at upstreams by provider, key, outcome and reason",
            ("provider", "key", "outcome", "reason"),
            registry=self.registry,
        )
        self._key_state = Gauge(
            "keyturn_key_state", "1 for the state a key is in", ("provider", "key", "state"), registry=self.registry
        )
        self._inflight = Gauge(
            "keyturn_inflight", "Attempts that are open", ("provider", "key"), registry=self.registry
        )
        self._repairs = Counter(
            "keyturn_tool_repairs",
            "Tool calls that a model wrote as text or wrong, and that were repaired, by kind",
            ("kind",),
            registry=self.registry,
        )
        self._lost = Counter(
            "keyturn_lost",
            "Parts of requests that translation could not carry, by provider and field",
            ("provider", "field"),
            registry=self.registry,
        )
        self._failovers = Counter(
            "keyturn_failover",
            "Moves of a call to its next target, by how far the reply had come",
            ("from_provider", "to_provider", "stage"),
            registry=self.registry,
        )
        self._rotations = Counter(
            "keyturn_key_rotations",
            "Moves of a call to another key of a provider, by what the one before met",
            ("provider", "reason"),
            registry=self.registry,
        )
        self._queue = Gauge(
            "keyturn_queue_depth", "Calls that wait for a provider", ("provider",), registry=self.registry
        )
        self._budget = Gauge(
            "keyturn_retry_budget_remaining_ratio",
            "Share of a provider's repeats that is left",
            ("provider",),
            registry=self.registry,
        )
        self._reloads = Counter(
            "keyturn_config_reload",
            "Reloads of the configuration: applied, or refused for what is wrong with it",
            ("result",),
            registry=self.registry,
        )
        for result in RESULTS:
            self._reloads.labels(result)
        for kind in Repair:
            self._repairs.labels(kind.value)
        build = Gauge("keyturn_build_info", "Always 1", ("version",), registry=self.registry)
        build.labels(VERSION).set(1)
        self._asked, self._tried = Children(self._requests), Children(self._attempts)
        self._open = Children(self._inflight)
        self._routes = tuple(routes)
        self._keys: set[tuple[str, str]] = set()
        self.configured(models, failovers, rotating)

    def configured(
        self,
        models: Iterable[tuple[str, str]],
        failovers: Iterable[tuple[str, str]] = (),
        rotating: Iterable[str] = (),
        keys: Collection[tuple[str, str]] = (),
    ) -> None:
        """What a configuration names, as in ``__init__``; ``keys`` are all (provider, key): others have no state."""
        self._models = frozenset(models)
        for gone in self._keys.difference(keys):
            for state in STATES:
                self._key_state.remove(*gone, state)
        self._keys.intersection_update(keys)
        for route in self._routes:
            for provider, model in self._models:
                for outcome in OUTCOMES:
                    self._requests.labels(route, provider, model, outcome)
        for (one, other), stage in product(failovers, STAGES):
            self._failovers.labels(one, other, stage)
        for provider, reason in product(rotating, _ROTATE):
            self._rotations.labels(provider, reason)

    def attempt_began(self, attempt: Attempt) -> None:
        self._open[attempt.provider, attempt.key].inc()

    def attempt_ended(self, attempt: Attempt) -> None:
        self._open[attempt.provider, attempt.key].dec()
        self._tried[attempt.provider, attempt.key, attempt.outcome, attempt.reason].inc()
        for name in attempt.lost:
            self._lost.labels(attempt.provider, _field(name)).inc()
        for kind, count in attempt.repairs.items():
            self._repairs.labels(str(kind)).inc(count)

    def key_states(self, provider: str, states: Mapping[str, str]) -> None:
        """The state of each key by its label, as of now; the first time, its children are made."""
        for key, state in states.items():
            self._keys.add((provider, key))
            for each in STATES:
                self._key_state.labels(provider, key, each).set(each == state)
            self._attempts.labels(provider, key, "ok", "")
            self._inflight.labels(provider, key)

    def provider_state(self, provider: str, waiting: int, budget: float) -> None:
        """The queue of a provider and the share of its retry budget that is left, as of now."""
        self._queue.labels(provider).set(waiting)
        self._budget.labels(provider).set(budget)

    def request_ended(self, context: RequestContext) -> None:
        provider, model = context.target
        if provider and (provider, model) not in self._models:
            model = OTHER
        self._asked[context.route, provider, model, context.outcome].inc()
        for step in context.trail.steps:
            if step.what == "moved":
                self._failovers.labels(step.provider, step.to, step.stage).inc()
        for before, after in pairwise(context.attempts):
            if before.provider == after.provider and before.key != after.key:
                self._rotations.labels(before.provider, before.reason).inc()

    def reloaded(self, result: str) -> None:
        """A reload of the configuration ended so."""
        self._reloads.labels(result).inc()

    def exposition(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self.registry)


def _field(name: str) -> str:
    """The member that a lost part is of. Clients may write any name, so only known ones are labels."""
    member = re.split(r"[.\[]", name, maxsplit=1)[0]
    return member if member in FIELDS else OTHER
