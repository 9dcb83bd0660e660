"""What each client asked, used and was refused: by the names of client tokens, of which there are bounded many."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from prometheus_client import CollectorRegistry, Counter

from gateway.metrics.children import Children
from middleware.context import RequestContext
from providers.ports import Usage

MOST = 200  # names that are labels; all further ones are OTHER
OTHER = "other"
KINDS = ("input", "output", "cache_read", "cache_write", "reasoning")  # reasoning is part of output
OUTCOMES = ("ok", "error", "cut", "client_gone")
BARS = ("requests", "tokens", "concurrency", "model", "web_tools")


class ClientMetrics:
    """An observer of requests to models."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._names: set[str] = set()
        self._requests = Children(
            Counter("keyturn_client_requests", "Requests by client", ("client", "outcome"), registry=registry)
        )
        self._tokens = Children(
            Counter("keyturn_client_tokens", "Tokens by client and type", ("client", "type"), registry=registry)
        )
        self._refused = Children(
            Counter(
                "keyturn_client_refused",
                "Requests that a client's token did not allow, by what stood in the way",
                ("client", "axis"),
                registry=registry,
            )
        )

    def configured(self, clients: Iterable[str]) -> None:
        """``clients`` are the names in the settings; those of tokens that are made come to it. Children are made."""
        for name in map(self.label, clients):
            for outcome in OUTCOMES:
                self._requests[name, outcome]
            for kind, axis in product(KINDS, BARS):
                self._tokens[name, kind], self._refused[name, axis]

    def label(self, name: str) -> str:
        """The name, or OTHER where there are too many."""
        if name in self._names:
            return name
        if len(self._names) >= MOST:
            return OTHER
        self._names.add(name)
        return name

    def request_ended(self, context: RequestContext) -> None:
        """Only names of tokens come here, for nobody else gets this far; "" where none is needed."""
        name = self.label(context.principal)
        if context.barred:
            self._refused[name, context.barred].inc()
        if context.attempts or context.barred or context.local:
            self._requests[name, context.outcome].inc()
        for attempt in context.attempts:
            for kind, number in counts(attempt.usage):
                if number:
                    self._tokens[name, kind].inc(number)


def counts(used: Usage) -> Iterable[tuple[str, int]]:
    """Tokens by KINDS."""
    numbers = (used.input_tokens, used.output_tokens, used.cache_read_tokens, used.cache_write_tokens)
    return zip(KINDS, (*numbers, used.reasoning_tokens), strict=True)
