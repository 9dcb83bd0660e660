"""What calls took, used and cost: latencies, tokens, dollars, waits; series of our own and those of OpenTelemetry.

The ``gen_ai_*`` series are those of the semantic conventions for generative AI (repository
open-telemetry/semantic-conventions-genai, status "development", read 2026-11), in Prometheus' spelling. As a client we
measure attempts at upstreams, as a server whole requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.metrics.children import Children
from gateway.metrics.clients import KINDS, OTHER, counts
from middleware.context import RequestContext
from providers.policy import LIMITS
from providers.ports import Attempt, Usage

OPERATION = "chat"
SIDES = ("client", "upstream")
PHASES = ("receive", "prepare", "all")
AXES = (*LIMITS, "queue_full", "queue_wait")
AFFINITY = ("hit", "moved", "new")
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
# To 60, since agents do wait.
FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0)
PER_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
WAITS = (0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
TOKENS = tuple(4**power for power in range(14))
# What the conventions' counters call KINDS. Providers count all modalities as one.
USED: Mapping[str, str] = {
    "input": "input",
    "output": "output",
    "cache_read": "cache_read_input",
    "cache_write": "cache_write_input",
    "reasoning": "reasoning_output",
}
MODALITY = "unknown"
CACHED: Mapping[str, str] = {"input": "uncached", "cache_read": "read", "cache_write": "write"}
_GEN_AI = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
# How the conventions call those that they name; every other is called by its id.
NAMES: Mapping[str, str] = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "kimi": "moonshot_ai",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}

Price = Callable[[str, str, Usage], float | None]
"""US dollars for what (provider, model, usage) counts; None where no price is known."""


class CallMetrics:
    """An observer of attempts and requests."""

    def __init__(
        self,
        registry: CollectorRegistry,
        models: Iterable[tuple[str, str]],
        clients: Iterable[str],
        price: Price,
        client: Callable[[str], str] = str,
    ) -> None:
        """``models`` and ``clients`` as in ``configured``; ``client`` makes a label of a client's name."""
        self._client = client
        self._price = price
        self._operation = _histogram(
            registry,
            "gen_ai_client_operation_duration_seconds",
            "Attempts at upstreams, from sending to the end of the answer",
            (*_GEN_AI, "error_type"),
            SECONDS,
        )
        self._first_chunk = _histogram(
            registry,
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "From sending an attempt to the first content of its answer",
            _GEN_AI,
            FIRST,
        )
        self._per_chunk = _histogram(
            registry,
            "gen_ai_client_operation_time_per_output_chunk_seconds",
            "Mean time between two pieces of an upstream's streamed answer",
            _GEN_AI,
            PER_TOKEN,
        )
        self._usage = _histogram(
            registry,
            "gen_ai_client_token_usage",
            "Tokens of an attempt",
            (*_GEN_AI, "gen_ai_token_type"),
            TOKENS,
        )
        self._request = _histogram(
            registry,
            "gen_ai_server_request_duration_seconds",
            "Requests to models, as their clients saw them",
            (*_GEN_AI, "error_type"),
            SECONDS,
        )
        self._first_token = _histogram(
            registry,
            "gen_ai_server_time_to_first_token_seconds",
            "From a request's arrival to the first content of its answer",
            _GEN_AI,
            FIRST,
        )
        self._per_token = _histogram(
            registry,
            "gen_ai_server_time_per_output_token_seconds",
            "Time per token of an answer after its first content",
            _GEN_AI,
            PER_TOKEN,
        )
        self._overhead = _histogram(
            registry,
            "keyturn_overhead_seconds",
            "Time of requests spent in Keyturn itself: receiving, preparing, all of it",
            ("phase",),
            OVERHEAD,
        )
        self._waits = _histogram(
            registry, "keyturn_queue_wait_seconds", "Waits for a provider's limits", ("provider",), WAITS
        )
        self._tokens = _counter(
            registry, "keyturn_tokens", "Tokens by provider, model and type", ("provider", "model", "type")
        )
        self._cached = _counter(
            registry,
            "keyturn_cache_tokens",
            "Tokens of prompts, by whether they were read from a provider's cache, written to it, or neither",
            ("provider", "kind"),
        )
        self._used = {
            kind: _counter(
                registry,
                f"gen_ai_client_inference_usage_{name}_tokens",
                f"Tokens of attempts: {name.replace('_', ' ')}",
                (*_GEN_AI, "gen_ai_token_modality"),
            )
            for kind, name in USED.items()
        }
        self._cost = _counter(
            registry,
            "keyturn_cost_usd",
            "Estimated cost in US dollars, of models whose price is known",
            ("client", "provider", "model"),
        )
        self._unpriced = _counter(
            registry, "keyturn_unpriced_tokens", "Tokens of models whose price nobody knows", ("provider", "model")
        )
        self._aborts = _counter(
            registry, "keyturn_stream_aborts", "Answers that ended early, by whose doing and why", ("side", "reason")
        )
        self._rejections = _counter(
            registry,
            "keyturn_limit_rejections",
            "Moments in which no key fitted a call, by provider and by what stood in the way",
            ("provider", "axis"),
        )
        self._affinity = _counter(
            registry,
            "keyturn_affinity",
            "Calls of sessions by whether they met the key that served the session before",
            ("result",),
        )
        for phase in PHASES:
            self._overhead[phase,]
        for result in AFFINITY:
            self._affinity[result,]
        for side in SIDES:
            self._aborts[side, ""]
        self.configured(models, clients)

    def configured(self, models: Iterable[tuple[str, str]], clients: Iterable[str]) -> None:
        """``models`` are the (provider, model) pairs that may be labels; ``clients`` the names of client tokens.

        Their children are made, so that a rate sees the first of each.
        """
        self._models = frozenset(models)
        for provider in {provider for provider, _ in self._models}:
            self._waits[provider,]
            for axis in AXES:
                self._rejections[provider, axis]
            for kind in CACHED.values():
                self._cached[provider, kind]
        for (provider, model), counter in product(self._models, self._used.values()):
            counter[OPERATION, NAMES.get(provider, provider), model, MODALITY]
        for (provider, model), kind in product(self._models, KINDS):
            self._tokens[provider, model, kind]
        for (provider, model), client in product(self._models, map(self._client, clients)):
            self._cost[client, provider, model]

    def attempt_ended(self, attempt: Attempt) -> None:
        """Observes one attempt; one that a client left counts like any other."""
        model = self._known(attempt.provider, attempt.model)
        labels = (OPERATION, NAMES.get(attempt.provider, attempt.provider), model)
        ended = attempt.ended or attempt.started
        self._operation[(*labels, attempt.reason)].observe(ended - attempt.started)
        if attempt.first_content is not None:
            self._first_chunk[labels].observe(attempt.first_content - attempt.started)
            if attempt.reads > 1:
                self._per_chunk[labels].observe((ended - attempt.first_content) / attempt.reads)
        if attempt.affinity:
            self._affinity[attempt.affinity,].inc()
        self._counted(attempt.usage, labels)

    def _counted(self, used: Usage, labels: tuple[str, ...]) -> None:
        """In the conventions' series, where what a cache held is input too."""
        read = used.input_tokens + used.cache_read_tokens + used.cache_write_tokens
        if read:
            self._usage[(*labels, "input")].observe(read)
        if used.output_tokens:
            self._usage[(*labels, "output")].observe(used.output_tokens)
        all_labels = (*labels, MODALITY)
        for kind, count in (
            ("input", read),
            ("output", used.output_tokens),
            ("cache_read", used.cache_read_tokens),
            ("cache_write", used.cache_write_tokens),
            ("reasoning", used.reasoning_tokens),
        ):
            if count:
                self._used[kind][all_labels].inc(count)

    def request_ended(self, context: RequestContext, now: float) -> None:
        """Observes a request to models; ``now`` is on the clock of its times."""
        self._overhead["all",].observe(context.own_seconds(now))
        if context.routed is not None:
            self._overhead["receive",].observe(context.routed - context.started)
            if context.sent is not None:
                self._overhead["prepare",].observe(context.sent - context.routed)
        for step in context.trail.steps:
            if step.what == "queued" or (step.what == "waited" and step.reason == "limit"):
                self._waits[step.provider,].observe(step.seconds)
            elif step.what == "refused":
                self._rejections[step.provider, step.reason if step.reason in AXES else OTHER].inc(step.times)
        if context.attempts:
            self._answered(context, now)
        if context.outcome in ("cut", "client_gone"):
            reason = context.attempt.reason if context.attempt else ""
            self._aborts["client" if context.outcome == "client_gone" else "upstream", reason].inc()

    def _answered(self, context: RequestContext, now: float) -> None:
        provider, asked = context.target
        model = self._known(provider, asked)
        labels = (OPERATION, NAMES.get(provider, provider), model)
        last = context.attempts[-1]
        self._request[(*labels, "" if context.outcome == "ok" else last.reason or context.outcome)].observe(
            now - context.started
        )
        if last.first_content is not None:
            self._first_token[labels].observe(last.first_content - context.started)
            if last.usage.output_tokens > 1:
                self._per_token[labels].observe((now - last.first_content) / (last.usage.output_tokens - 1))
        for attempt in context.attempts:
            self._spent(context.principal, attempt)

    def _spent(self, client: str, attempt: Attempt) -> None:
        used = attempt.usage
        model = self._known(attempt.provider, attempt.model)
        for kind, count in counts(used):
            if count:
                self._tokens[attempt.provider, model, kind].inc(count)
                if kind in CACHED:
                    self._cached[attempt.provider, CACHED[kind]].inc(count)
        billed = used.input_tokens + used.output_tokens + used.cache_read_tokens + used.cache_write_tokens
        if not billed:
            return
        cost = self._price(attempt.provider, attempt.model, used)
        if cost is None:
            self._unpriced[attempt.provider, model].inc(billed)
        else:
            self._cost[self._client(client), attempt.provider, model].inc(cost)

    def _known(self, provider: str, model: str) -> str:
        return model if (provider, model) in self._models else OTHER


def _histogram(
    registry: CollectorRegistry, name: str, what: str, labels: tuple[str, ...], buckets: Iterable[float]
) -> Children[Histogram]:
    return Children(Histogram(name, what, labels, buckets=tuple(buckets), registry=registry))


def _counter(registry: CollectorRegistry, name: str, what: str, labels: tuple[str, ...]) -> Children[Counter]:
    return Children(Counter(name, what, labels, registry=registry))
