"""OpenTelemetry's traces: what a call becomes in them, and that a collector gets it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gateway.app import create_app
from gateway.settings.model import Traces
from tests.gateway.place import Place, only
from tests.gateway_process import ONE_ATTEMPT, upstream_env
from tests.serving import Gateway, ask, serving
from tests.upstream import Upstream, error, message, text

ON = {"KEYTURN_TRACES": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@asynccontextmanager
async def traced(home: Path, environ: Mapping[str, str], seen: list[ReadableSpan]) -> AsyncIterator[Gateway]:
    """A gateway with traces; ``seen`` has its spans once it has shut down."""
    exporter = InMemorySpanExporter()
    async with serving(home, {**environ, **ON}, exporter=exporter) as gateway:
        yield gateway
    seen += exporter.get_finished_spans()


async def test_a_call_is_a_span_and_its_attempt_a_child(upstream: Upstream, tmp_path: Path) -> None:
    usage = {"input_tokens": 12, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 4}
    upstream.script(message(text("Hello"), usage=usage, late_usage={"output_tokens": 34}))
    seen: list[ReadableSpan] = []
    async with traced(tmp_path, upstream_env(upstream.url), seen) as gateway, gateway.client() as client:
        headers = {"x-claude-code-session-id": "session-1", "traceparent": PARENT}
        reply = await client.post("/v1/messages", json=ask(stream=True), headers=headers)
        await client.get("/v1/models")
        await gateway.settled()
    child, parent = sorted(seen, key=lambda span: span.kind == SpanKind.SERVER)
    assert (parent.name, child.name) == ("chat claude-opus-4-8", "chat claude-opus-4-8")
    assert (parent.kind, child.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert child.parent == parent.context
    assert parent.parent
    assert f"{parent.parent.trace_id:032x}-{parent.parent.span_id:016x}" == PARENT[3:52]
    assert dict(child.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-opus-4-8",
        "gen_ai.request.stream": True,
        "gen_ai.conversation.id": "session-1",
        "gen_ai.response.time_to_first_chunk": child.attributes and child.attributes[FIRST],
        "gen_ai.usage.input_tokens": 46,
        "gen_ai.usage.output_tokens": 34,
        "gen_ai.usage.cache_read.input_tokens": 30,
        "gen_ai.usage.cache_creation.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "server.address": "127.0.0.1",
        "server.port": int(upstream.url.rpartition(":")[2]),
        "http.response.status_code": 200,
        "keyturn.key": "anthropic-01",
        "keyturn.outcome": "ok",
    }
    own = dict(parent.attributes or {})
    assert own["keyturn.request_id"] == reply.headers["request-id"]
    assert own["gen_ai.usage.input_tokens"] == 46
    assert (own["http.route"], own["keyturn.entry"], own["keyturn.principal"]) == (
        "/v1/messages",
        "anthropic",
        "shared",
    )
    assert "error.type" not in own
    assert parent.start_time
    assert child.start_time
    assert child.end_time
    assert parent.end_time
    assert parent.start_time <= child.start_time <= child.end_time <= parent.end_time
    assert parent.resource.attributes["service.name"] == "keyturn"


FIRST = "gen_ai.response.time_to_first_chunk"


async def test_every_attempt_is_a_child_and_says_what_it_failed_at(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(error(429, "rate_limit_error", "slow down"), message(text("Hello")))
    environ = upstream_env(upstream.url) | {"ANTHROPIC_UPSTREAM_API_KEYS": "sk-second"}
    seen: list[ReadableSpan] = []
    async with traced(tmp_path, environ, seen) as gateway, gateway.client() as client:
        assert (await client.post("/v1/messages", json=ask())).status_code == 200
    found = [span for span in seen if span.kind == SpanKind.CLIENT]
    outcomes = [(dict(span.attributes or {}), span.status.status_code) for span in found]
    assert [(each["keyturn.key"], each.get("error.type"), status) for each, status in outcomes] == [
        ("anthropic-01", "rate_limited", StatusCode.ERROR),
        ("anthropic-02", None, StatusCode.UNSET),
    ]
    assert all(span.status.description is None and not span.events for span in seen)


@pytest.mark.parametrize(
    ("reply", "kind"), [(error(500, "api_error", "no"), "server_error"), (error(404, "not_found", "no"), "not_found")]
)
async def test_a_call_that_fails_is_a_span_with_its_error(
    upstream: Upstream, tmp_path: Path, reply: Any, kind: str
) -> None:
    upstream.script(reply)
    seen: list[ReadableSpan] = []
    async with traced(tmp_path, upstream_env(upstream.url) | ONE_ATTEMPT, seen) as gateway, gateway.client() as client:
        await client.post("/v1/messages", json=ask())
        await client.post("/v1/messages", json=ask(model="groq/x"))
        await client.post("/v1/messages", content="{")
    parents = [span for span in seen if span.kind == SpanKind.SERVER]
    assert [(span.attributes or {})["error.type"] for span in parents] == [kind, "503"]
    assert {span.status.status_code for span in parents} == {StatusCode.ERROR}


async def test_counting_tokens_is_no_chat(upstream: Upstream, tmp_path: Path) -> None:
    seen: list[ReadableSpan] = []
    async with traced(tmp_path, upstream_env(upstream.url), seen) as gateway, gateway.client() as client:
        await client.post("/v1/messages/count_tokens", json=ask())
    assert {span.name for span in seen} == {"count_tokens claude-opus-4-8"}


async def test_they_are_off_unless_the_switch_says_so(upstream: Upstream, tmp_path: Path) -> None:
    environ = upstream_env(upstream.url) | {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}
    upstream.script(message(text("Hello")))
    exporter = InMemorySpanExporter()
    async with serving(tmp_path, environ, exporter=exporter) as gateway, gateway.client() as client:
        assert gateway.settings.traces is None
        await client.post("/v1/messages", json=ask())
    assert exporter.get_finished_spans() == ()


async def test_fastapi_traces_nothing_of_its_own(tmp_path: Path) -> None:
    settings = Place(tmp_path).load(ON)
    app = create_app(settings, exporter=InMemorySpanExporter())
    layer: Any = app.build_middleware_stack()
    while layer:
        assert not type(layer).__module__.startswith("fastapi.telemetry")
        layer = getattr(layer, "app", None)
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)  # nobody set a global one


class _Collector(HTTPServer):
    """An OTLP receiver over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, str, ExportTraceServiceRequest]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        request = ExportTraceServiceRequest.FromString(body)
        self.server.got.append((self.path, self.headers.get("x-team", ""), request))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def collector() -> Iterator[_Collector]:
    with _Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


async def test_a_collector_gets_them_when_the_gateway_stops(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(message(text("Hello")))
    with collector() as receiver:
        environ = {
            **upstream_env(upstream.url),
            "KEYTURN_TRACES": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.server_port}/",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-team=blue%20green",
            "OTEL_SERVICE_NAME": "keyturn-test",
        }
        async with serving(tmp_path, environ) as gateway, gateway.client() as client:
            await client.post("/v1/messages", json=ask())
    [(path, team, request)] = receiver.got
    assert (path, team) == ("/v1/traces", "blue green")
    [group] = request.resource_spans
    assert "keyturn-test" in [each.value.string_value for each in group.resource.attributes]
    assert len(group.scope_spans[0].spans) == 2


async def test_a_collector_that_is_not_there_disturbs_nobody(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(message(text("Hello")))
    async with serving(tmp_path, upstream_env(upstream.url) | ON) as gateway, gateway.client() as client:
        assert (await client.post("/v1/messages", json=ask())).status_code == 200


def test_a_switch_without_an_address_is_a_problem(tmp_path: Path) -> None:
    found = only(Place(tmp_path).problems({"KEYTURN_TRACES": "true"}))
    assert (found.name, "OTEL_EXPORTER_OTLP_ENDPOINT" in found.fix) == ("KEYTURN_TRACES", True)


def test_an_address_is_a_url(tmp_path: Path) -> None:
    place = Place(tmp_path)
    found = only(place.problems({"KEYTURN_TRACES": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}))
    assert found.name == "OTEL_EXPORTER_OTLP_ENDPOINT"
    whole = place.load({**ON, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://a.example/traces"}).traces
    assert whole == Traces("https://a.example/traces")
    assert "secret" not in repr(place.load({**ON, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret"}))
