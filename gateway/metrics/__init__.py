"""Every instrument and label. Children are made at the start, so that a rate sees the first failure."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.local_answers import Probe
from gateway.metrics.calls import CallMetrics, Price
from gateway.metrics.children import Children
from gateway.metrics.clients import OTHER, ClientMetrics
from gateway.reload import RESULTS
from gateway.server_tools.failures import Code
from middleware.context import RequestContext
from providers.chat.guardian import Repair
from providers.hosting import Family
from providers.keys import STATES
from providers.policy import CONSEQUENCES
from providers.ports import Attempt, Clock
from providers.version import VERSION

OUTCOMES = ("ok", "error", "cut", "client_gone")
STAGES = ("before_headers", "before_content")
_ROTATE = tuple(kind.value for kind, rule in CONSEQUENCES.items() if rule.other_key or rule.again)
FIELDS = frozenset(
    {
        "answer",
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


Mode = Literal["livemostrecent", "livesum", "livemin", "livemax"]


class Metrics:
    """The registry, and the observer of attempts, keys and requests."""

    def __init__(
        self,
        models: Iterable[tuple[str, str]],
        routes: Iterable[str],
        failovers: Iterable[tuple[str, str]] = (),
        rotating: Iterable[str] = (),
        clients: Iterable[str] = (),
        price: Price = lambda *_: None,
        clock: Clock = time.monotonic,
        folder: Path | None = None,
    ) -> None:
        """``models`` are the (provider, model) pairs that the configuration names: the only models that are labels.
        ``failovers`` are the pairs of providers of which one takes over from the other, ``rotating`` are those with
        several keys, ``clients`` the names of the client tokens. ``folder``: where several workers keep what they
        count.
        """
        self.registry = CollectorRegistry()
        self._folder = folder
        for collector in () if folder else (ProcessCollector, PlatformCollector, GCCollector):
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
        # How several workers' values make one is told last: a key's state is what the last scrape had from the store.
        self._key_state = self._gauge(
            "keyturn_key_state", "1 for the state a key is in", ("provider", "key", "state"), "livemostrecent"
        )
        self._inflight = self._gauge("keyturn_inflight", "Attempts that are open", ("provider", "key"), "livesum")
        self._repairs = Counter(
            "keyturn_tool_repairs",
            "Tool calls that a model wrote as text or wrong, and that were repaired, by kind",
            ("kind",),
            registry=self.registry,
        )
        self._lost = Counter(
            "keyturn_lost",
            "Parts of requests and answers that translation could not carry, by provider and field",
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
        self._queue = self._gauge("keyturn_queue_depth", "Calls that wait for a provider", ("provider",), "livesum")
        self._budget = self._gauge(
            "keyturn_retry_budget_remaining_ratio",
            "Share of a provider's repeats that is left",
            ("provider",),
            "livemin",
        )
        self._reset = self._gauge(
            "keyturn_key_reset_timestamp_seconds",
            "When a key's rest ends, in seconds since 1970; 0 where it does not rest, or nobody knows",
            ("provider", "key"),
            "livemostrecent",
        )
        self._quota = self._gauge(
            "keyturn_key_quota_remaining_ratio",
            "Share of a key's usage limit that is left",
            ("provider", "key"),
            "livemostrecent",
        )
        self._learned = self._gauge(
            "keyturn_learned_limit",
            "What a model's refusals taught of its limits",
            ("provider", "model", "axis"),
            "livemostrecent",
        )
        self.clients = ClientMetrics(self.registry)
        self.calls = CallMetrics(self.registry, (), (), price, self.clients.label)
        self._clock = clock
        self._routes = frozenset(routes)
        self._local = Counter(
            "keyturn_local_answers",
            "Probes of a client's that were answered here, by kind",
            ("kind",),
            registry=self.registry,
        )
        self._web_tools = Counter(
            "keyturn_web_tool_uses",
            "Uses of web_search and web_fetch that ran here, by what came of them",
            ("tool", "outcome"),
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
        for probe in Probe:
            self._local.labels(probe.kind)
        for tool, outcome in product(get_args(Family), ("ok", *get_args(Code))):
            self._web_tools.labels(tool, outcome)
        build = self._gauge("keyturn_build_info", "Always 1", ("version",), "livemax")
        build.labels(VERSION).set(1)
        self._asked, self._tried = Children(self._requests), Children(self._attempts)
        self._open = Children(self._inflight)
        self._keys: set[tuple[str, str]] = set()
        self.configured(models, failovers, rotating, clients)

    def configured(
        self,
        models: Iterable[tuple[str, str]],
        failovers: Iterable[tuple[str, str]] = (),
        rotating: Iterable[str] = (),
        clients: Iterable[str] = (),
        keys: Collection[tuple[str, str]] = (),
    ) -> None:
        """What a configuration names, as in ``__init__``; ``keys`` are all (provider, key): others have no state."""
        self._models = frozenset(models)
        names = tuple(clients)
        self.clients.configured(names)
        self.calls.configured(self._models, names)
        for gone in self._keys.difference(keys):
            self._forget(*gone)
        self._keys.intersection_update(keys)
        for route in self._routes:
            for provider, model in self._models:
                for outcome in OUTCOMES:
                    self._requests.labels(route, provider, model, outcome)
        for (one, other), stage in product(failovers, STAGES):
            self._failovers.labels(one, other, stage)
        for provider, reason in product(rotating, _ROTATE):
            self._rotations.labels(provider, reason)

    def _forget(self, provider: str, key: str) -> None:
        """A key that is not configured any more."""
        for state in STATES:
            if self.shared:  # where no child can be removed
                self._key_state.labels(provider, key, state).set(0)
            else:
                self._key_state.remove(provider, key, state)
        if not self.shared:
            for gauge in (self._reset, self._quota):
                gauge.remove(provider, key)

    def _gauge(self, name: str, words: str, labels: Sequence[str], mode: Mode) -> Gauge:
        return Gauge(name, words, labels, registry=self.registry, multiprocess_mode=mode)

    @property
    def shared(self) -> bool:
        """Whether several workers count together."""
        return self._folder is not None

    def attempt_began(self, attempt: Attempt) -> None:
        self._open[attempt.provider, attempt.key].inc()

    def attempt_ended(self, attempt: Attempt) -> None:
        self._open[attempt.provider, attempt.key].dec()
        self._tried[attempt.provider, attempt.key, attempt.outcome, attempt.reason].inc()
        self.calls.attempt_ended(attempt)
        for name in (*attempt.lost, *attempt.untold):
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

    def key_limits(self, provider: str, key: str, reset: float | None, quota: float | None) -> None:
        """When a key's rest ends (seconds since 1970), and the share of its usage limit that is left."""
        self._reset.labels(provider, key).set(reset or 0.0)
        if quota is not None:
            self._quota.labels(provider, key).set(quota)

    def learned(self, provider: str, model: str, axis: str, limit: float) -> None:
        """What a model's refusals taught; only of models that the configuration names."""
        if (provider, model) in self._models:
            self._learned.labels(provider, model, axis).set(limit)

    def provider_state(self, provider: str, waiting: int, budget: float) -> None:
        """The queue of a provider and the share of its retry budget that is left, as of now."""
        self._queue.labels(provider).set(waiting)
        self._budget.labels(provider).set(budget)

    def request_ended(self, context: RequestContext) -> None:
        provider, model = context.target
        if provider and not context.local and (provider, model) not in self._models:
            model = OTHER
        self._asked[context.route, provider, model, context.outcome].inc()
        if context.local:
            self._local.labels(context.local).inc()
        for step in context.trail.steps:
            if step.what == "moved":
                self._failovers.labels(step.provider, step.to, step.stage).inc()
        for before, after in pairwise(context.attempts):
            if before.reason and before.provider == after.provider and before.key != after.key:
                self._rotations.labels(before.provider, before.reason).inc()
        if context.route in self._routes:
            self.calls.request_ended(context, self._clock())
            self.clients.request_ended(context)

    def web_tool_used(self, tool: str, outcome: str) -> None:
        """``outcome`` is ok or the code of its failure."""
        self._web_tools.labels(tool, outcome).inc()

    def reloaded(self, result: str) -> None:
        """A reload of the configuration ended so."""
        self._reloads.labels(result).inc()

    def exposition(self) -> bytes:
        """Prometheus text format 0.0.4; of all workers where there are several."""
        if self._folder is None:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together, path=str(self._folder))  # type: ignore[no-untyped-call]  # prometheus-client's
        return generate_latest(together)


def _field(name: str) -> str:
    """The member that a lost part is of. Clients may write any name, so only known ones are labels."""
    member = re.split(r"[.\[]", name, maxsplit=1)[0]
    return member if member in FIELDS else OTHER
