"""The composition root: settings in, an ASGI application out. ``uvicorn gateway.app:app`` serves it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from gateway.clients.assembly import every_client, make_roster
from gateway.clients.roster import Roster
from gateway.clients.turnstile import Turnstile
from gateway.endpoints import admin, models, tokens, ui
from gateway.endpoints import usage as usages
from gateway.endpoints.count_tokens import CountTokensEndpoint
from gateway.endpoints.messages import MessagesEndpoint
from gateway.endpoints.models import ModelList
from gateway.endpoints.table import Endpoints, EndpointTable, template
from gateway.inventory import Inventory
from gateway.local_reply import LocalReplies
from gateway.logs import configure_from, redactor
from gateway.metrics import Metrics
from gateway.metrics.scrape import keep_telling, scrape
from gateway.pool_view import PoolView
from gateway.relay import Relay
from gateway.reply import Desk
from gateway.request_log import RequestLog
from gateway.settings import Settings, load_from_process
from gateway.state.keeping import Keeping, keep_on
from gateway.state.stores import Store, make_keeping, make_store, whereabouts
from gateway.store_metrics import StoreMetrics
from gateway.stories import Stories
from gateway.usage import UsageLedger
from middleware.access import Access as AccessMiddleware
from middleware.auth import Access, Auth
from middleware.body_limit import BodyLimit
from middleware.context import RequestContext
from middleware.errors import Errors
from middleware.raw_log import RawLog
from middleware.request_id import RequestId
from middleware.trace_parent import TraceParent
from providers.aws_login import aws_credential
from providers.credentials import Logins
from providers.demo import DemoTransport
from providers.dialects import discover, of_clients
from providers.google_login import google_credential
from providers.logins import AwsLogin, GoogleLogin
from providers.ports import Attempt, Clock, Observer, Time
from providers.registry import Registry
from providers.transport import http_transport
from providers.version import VERSION

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig
    from opentelemetry.sdk.trace.export import SpanExporter

    from gateway.traces import Traces

LOGINS: Logins = {GoogleLogin: google_credential, AwsLogin: aws_credential}
TRANSPORTS = {"http": http_transport, "https": http_transport, "demo": DemoTransport}

SERVED = {
    "/v1/messages": ("POST",),
    "/v1/messages/count_tokens": ("POST",),
    "/v1/chat/completions": ("POST",),
    "/v1/responses": ("POST",),
    "/v1/models": ("GET",),
    "/v1/models/{model}": ("GET",),
    "/": ("GET",),
    "/health": ("GET",),
    "/healthz": ("GET",),
    "/readyz": ("GET",),
    "/metrics": ("GET",),
    "/ui": ("GET",),
    "/ui/page.css": ("GET",),
    "/ui/page.js": ("GET",),
    "/ui/requests/{request-id}": ("GET",),
    "/ui/keys/{label}/rest": ("POST",),
    "/ui/keys/{label}/wake": ("POST",),
    "/v1/usage": ("GET",),
    "/admin/usage": ("GET",),
    "/admin/tokens": ("GET", "POST"),
    "/admin/tokens/{name}": ("DELETE",),
    "/admin/pool": ("GET",),
    "/admin/explain/{request-id}": ("GET",),
    "/admin/keys/{label}/rest": ("POST",),
    "/admin/keys/{label}/wake": ("POST",),
}

# What is asked of models.
CALLS = tuple(route for route, methods in SERVED.items() if route.startswith("/v1/") and "POST" in methods)


# FastAPI's own would record the texts of exceptions and fields of requests. Our traces are in gateway/traces.py.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


class Observers:
    """Every observer as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def attempt_began(self, attempt: Attempt) -> None:
        for each in self._observers:
            each.attempt_began(attempt)

    def attempt_ended(self, attempt: Attempt) -> None:
        for each in self._observers:
            each.attempt_ended(attempt)


class Gateway(FastAPI):
    """FastAPI behind our own middleware: what the endpoint table serves never passes through Starlette's."""

    def __init__(self, stack: Sequence[Middleware], **settings: Any) -> None:
        super().__init__(**settings)
        self._stack = stack

    def build_middleware_stack(self) -> ASGIApp:
        app: Any = super().build_middleware_stack()
        # The first would answer a Fault with a page of its own, the second would record it.
        while isinstance(app, ServerErrorMiddleware) or type(app).__module__.startswith("fastapi.telemetry"):
            app = app.app
        for cls, args, kwargs in reversed(self._stack):
            app = cls(app, *args, **kwargs)
        stack: ASGIApp = app
        return stack


TIME = Time(
    clock=time.monotonic,
    wall=time.time,
    sleep=asyncio.sleep,
    chance=random.random,
    later=lambda seconds, callback: asyncio.get_running_loop().call_later(seconds, callback),
)


def create_app(settings: Settings, moments: Time = TIME, exporter: SpanExporter | None = None) -> FastAPI:
    """The whole gateway. Opens nothing before it is served. ``exporter`` takes its traces, where they are on."""
    clock = moments.clock
    inventory = Inventory(moments, settings.catalog_refresh)
    metrics = Metrics(
        _models(settings),
        CALLS,
        models.failovers(settings.routing),
        _rotating(settings),
        [token.name for token in settings.tokens] or [""],
        inventory.cost,
        clock,
        settings.metrics_folder,
    )
    log = _request_log(settings, clock)
    traces = _traces(settings, moments, exporter)
    dialects = discover()
    store = make_store(settings, moments, (StoreMetrics(metrics.registry), log) if settings.redis else ())
    usage = UsageLedger(inventory.cost, moments.wall, store.usage)
    roster = make_roster(settings, store, moments)
    stories = Stories(clock, CALLS, store.records)
    observers = Observers(metrics, log)
    registry = Registry(settings.providers, dialects, TRANSPORTS, store, observers, moments, LOGINS, inventory.windows)
    relay = Relay(registry, clock, settings.request_deadline)
    desk = Desk(relay, moments, settings.keepalive_after, Turnstile(store))
    faces = of_clients(dialects)
    messages = faces["anthropic"]
    local = LocalReplies(messages, settings.local_answers) if settings.local_answers else None
    hot: Endpoints = {
        ("POST", "/v1/messages"): MessagesEndpoint(messages, settings.routing, desk, log, local),
        ("POST", "/v1/messages/count_tokens"): CountTokensEndpoint(messages, settings.routing, relay, registry),
        ("POST", "/v1/chat/completions"): MessagesEndpoint(faces["openai_chat"], settings.routing, desk, log),
        ("POST", "/v1/responses"): MessagesEndpoint(faces["openai_responses"], settings.routing, desk, log),
    }
    beside = [roster.watch, *([stories.keep_telling, usage.keep_telling] if store.records else [])]
    if settings.metrics_folder:
        beside.append(partial(keep_telling, metrics, registry, moments))
    app = Gateway(
        [
            Middleware(RequestId, clock=clock),
            Middleware(
                AccessMiddleware,
                observe=_all(
                    metrics.request_ended,
                    log.request_ended,
                    *([traces.request_ended] if traces else []),
                    stories.ended,
                    usage.ended,
                ),
                route=_route,
                begun=stories.began,
            ),
            *([Middleware(TraceParent)] if traces else []),
            Middleware(Errors),
            Middleware(BodyLimit, limit=settings.body_limit, seconds=settings.body_read_timeout),
            Middleware(Auth, access=_access(settings, roster)),
            *_raw_log(settings),
            Middleware(EndpointTable, hot=hot, served=SERVED),
        ],
        title="Keyturn",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        lifespan=_lifespan(
            registry, store, make_keeping(settings, moments, store, registry), inventory, roster, beside, traces
        ),
    )
    app.state.draining = False
    _add_routes(app, settings, metrics, registry, moments, store)
    clients = partial(every_client, roster, usage, stories)
    view = PoolView(registry, clock, moments.wall, partial(whereabouts, settings, store), clients)
    keys = admin.Keys(registry)
    app.include_router(models.routes(ModelList(settings.routing, inventory, registry.measures)))
    app.include_router(admin.routes(keys, view, stories))
    app.include_router(usages.routes(usage))
    app.include_router(tokens.routes(roster))
    app.include_router(ui.routes(view, stories, keys, clock, lambda: app.state.draining))
    app.state.registry = registry
    app.state.inventory = inventory
    return app


def _request_log(settings: Settings, clock: Clock) -> RequestLog:
    words = redactor(settings) if settings.log_tracebacks else None
    return RequestLog(clock, settings.ferryllm_events, words)


def _traces(settings: Settings, moments: Time, exporter: SpanExporter | None) -> Traces | None:
    if settings.traces is None:
        return None
    from gateway.traces import Traces  # needs the extra

    return Traces(settings.traces, settings.providers, moments, exporter)


def _raw_log(settings: Settings) -> Iterable[Middleware]:
    """None where it is off, so that it costs nothing."""
    requests, replies = settings.log_payloads, settings.log_events
    if requests or replies:
        redact = redactor(settings)
        yield Middleware(RawLog, routes=CALLS, redact=redact, requests=requests, replies=replies)


def _route(path: str) -> str:
    return template(SERVED, path) or "unmatched"


def _lifespan(
    registry: Registry,
    store: Store,
    keeping: Keeping | None,
    inventory: Inventory,
    roster: Roster,
    beside: Iterable[Callable[[], Coroutine[Any, Any, None]]],
    traces: Traces | None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """``beside``: what goes on while the application is served."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with store:
            await roster.look()
            tasks = [asyncio.create_task(each()) for each in beside]
            looking = asyncio.create_task(inventory.run(registry))
            looking.add_done_callback(_ended)
            tasks.append(looking)
            if keeping:
                await keeping.begin()
                tasks.append(asyncio.create_task(keep_on(keeping)))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                if keeping:
                    await keeping.keep()
                await inventory.aclose()
            await registry.aclose()
        if traces:
            traces.close()  # it blocks, but nothing else runs any more

    return lifespan


def _ended(looking: asyncio.Task[None]) -> None:
    """Nobody waits for what runs in the background, so an end before its time is told."""
    if not looking.cancelled() and (error := looking.exception()):
        structlog.get_logger().error("model_lists_ended", exc_info=error)


def _all(*observers: Callable[[RequestContext], None]) -> Callable[[RequestContext], None]:
    def observe(context: RequestContext) -> None:
        for each in observers:
            each(context)

    return observe


def _models(settings: Settings) -> Iterable[tuple[str, str]]:
    return {(ref.provider, ref.model) for ref in models.references(settings.routing)}


def _rotating(settings: Settings) -> Iterable[str]:
    return [config.id for config in settings.providers if config.usable and len(config.keys) > 1]


def _access(settings: Settings, roster: Roster) -> Access:
    return Access(
        clients=roster,
        allow_open=settings.allow_open,
        beyond=not settings.loopback,
        metrics_token=settings.metrics_token,
        admin_token=settings.admin_token,
    )


def _add_routes(
    app: FastAPI, settings: Settings, metrics: Metrics, registry: Registry, moments: Time, store: Store
) -> None:
    table = settings.routing

    @app.get("/")
    async def root() -> dict[str, Any]:
        return {
            "status": "ok",
            "name": "keyturn",
            "version": VERSION,
            "provider": table.default.provider,
            "model": str(table.default),
            "providers": sorted(config.id for config in settings.providers if config.chosen and config.usable),
        }

    @app.get("/health")
    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get("/readyz")
    async def ready() -> JSONResponse:
        return _readiness(app.state.draining, store)

    @app.get("/metrics")
    async def exposition() -> Response:
        await scrape(metrics, registry, moments)
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _readiness(draining: bool, store: Store) -> JSONResponse:
    if draining:
        return JSONResponse({"status": "draining"}, 503)
    if store.away:
        return JSONResponse({"status": "degraded", "reason": f"redis: {store.away.reason}"})
    return JSONResponse({"status": "ready"})


def __getattr__(name: str) -> FastAPI:
    """``app``, made when a server asks for it, so that importing this module reads no settings."""
    if name != "app":
        raise AttributeError(name)
    settings = load_from_process()
    configure_from(settings)
    app = create_app(settings)
    globals()["app"] = app
    return app
