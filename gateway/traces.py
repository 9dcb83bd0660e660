"""OpenTelemetry's traces: a span for each call and one for each of its attempts. Never a word of a conversation.

Needs the extra ``otel``. Names are those of the semantic conventions for generative AI (repository
open-telemetry/semantic-conventions-genai, status "development", read 2026-11). Both kinds of span are made when a call
is over, from what its context holds: while it runs, traces cost nothing. Nothing is sent to providers.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from gateway.metrics.calls import NAMES
from gateway.settings.model import Traces as Where
from middleware.context import RequestContext
from providers.ports import Attempt, Time, Usage
from providers.spec import ProviderConfig
from providers.version import VERSION

LONGEST = 200  # characters of what a client wrote
COUNT_TOKENS = "/v1/messages/count_tokens"
Attributes = dict[str, AttributeValue]


class Traces:
    """The observer that makes spans."""

    def __init__(
        self,
        where: Where,
        providers: Iterable[ProviderConfig],
        moments: Time,
        exporter: SpanExporter | None = None,
    ) -> None:
        """``exporter`` in place of OTLP over HTTP to ``where``."""
        resource = Resource.create({SERVICE_NAME: where.service, SERVICE_VERSION: VERSION})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter or OTLPSpanExporter(endpoint=where.endpoint, headers=dict(where.headers)))
        )
        self._tracer = self._provider.get_tracer("keyturn", VERSION)
        self.configured(providers)
        self._parents = TraceContextTextMapPropagator()
        self._moments = moments

    def configured(self, providers: Iterable[ProviderConfig]) -> None:
        """Whose spans will be made."""
        self._servers = {config.id: _server(config.base_url) for config in providers}

    def request_ended(self, context: RequestContext) -> None:
        """Both kinds of span, of a call that was asked of a model."""
        if not context.entry:
            return
        now = self._moments.clock()
        began = self._moments.wall() - now  # 1970 to the clock's beginning
        operation = "count_tokens" if context.route == COUNT_TOKENS else "chat"
        span = self._tracer.start_span(
            f"{operation} {context.requested[:LONGEST]}",
            self._parents.extract({"traceparent": context.trace_parent}),
            SpanKind.SERVER,
            self._of_request(context, operation),
            start_time=_nanoseconds(began + context.started),
        )
        if context.outcome != "ok":
            span.set_status(StatusCode.ERROR)
        inside = set_span_in_context(span)
        for attempt in context.attempts:
            child = self._tracer.start_span(
                f"{operation} {attempt.model}",
                inside,
                SpanKind.CLIENT,
                self._of_attempt(context, attempt, operation),
                start_time=_nanoseconds(began + attempt.started),
            )
            if attempt.outcome == "failed":
                child.set_status(StatusCode.ERROR)
            child.end(_nanoseconds(began + (attempt.ended or now)))
        span.end(_nanoseconds(began + now))

    def close(self) -> None:
        """Sends what is left; takes as long as the collector does, at most 10 seconds a batch."""
        self._provider.shutdown()

    def _of_request(self, context: RequestContext, operation: str) -> Attributes:
        found: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.request.model": context.requested[:LONGEST],
            "gen_ai.request.stream": context.stream,
            "http.route": context.route,
            "http.response.status_code": context.status,
            "keyturn.request_id": context.request_id,
            "keyturn.entry": context.entry,
            "keyturn.outcome": context.outcome,
            "keyturn.attempts": len(context.attempts),
        }
        if context.conversation:
            found["gen_ai.conversation.id"] = context.conversation
        if context.principal:
            found["keyturn.principal"] = context.principal
        if context.target[0]:
            found["gen_ai.provider.name"] = NAMES.get(context.target[0], context.target[0])
        if (attempt := context.attempt) is None:
            return found | _error(context.outcome, str(context.status))
        return (
            found
            | _first(attempt, context.started)
            | _tokens(attempt.usage)
            | _error(context.outcome, attempt.reason or context.outcome)
        )

    def _of_attempt(self, context: RequestContext, attempt: Attempt, operation: str) -> Attributes:
        found: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": NAMES.get(attempt.provider, attempt.provider),
            "gen_ai.request.model": attempt.model,
            "gen_ai.request.stream": context.stream,
            "keyturn.key": attempt.key,
            "keyturn.outcome": attempt.outcome,
            **self._servers.get(attempt.provider, {}),
        }
        if attempt.status is not None:
            found["http.response.status_code"] = attempt.status
        if context.conversation:
            found["gen_ai.conversation.id"] = context.conversation
        failed = attempt.outcome == "failed"
        return (
            found
            | _first(attempt, attempt.started)
            | _tokens(attempt.usage)
            | ({"error.type": attempt.reason or "_OTHER"} if failed else {})
        )


def _error(outcome: str, kind: str) -> Attributes:
    return {} if outcome == "ok" else {"error.type": kind or "_OTHER"}


def _first(attempt: Attempt, since: float) -> Attributes:
    if attempt.first_content is None:
        return {}
    return {"gen_ai.response.time_to_first_chunk": attempt.first_content - since}


def _tokens(usage: Usage) -> Attributes:
    """The conventions count cached tokens as input too."""
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
    }


def _server(url: str) -> Attributes:
    parts = urlsplit(url)
    if not parts.hostname:
        return {}
    return {"server.address": parts.hostname, "server.port": parts.port or (443 if parts.scheme == "https" else 80)}


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
