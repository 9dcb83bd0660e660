"""The composition root: settings in, an ASGI application out. ``uvicorn gateway.app:app`` serves it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp
from structlog import get_logger

from gateway.clients.assembly import every_client
from gateway.clients.roster import Roster
from gateway.endpoints import admin, models, tokens, ui
from gateway.endpoints import usage as usages
from gateway.endpoints.count_tokens import CountTokensEndpoint
from gateway.endpoints.messages import MessagesEndpoint
from gateway.endpoints.models import ModelList
from gateway.endpoints.table import Endpoints, EndpointTable, template
from gateway.lasting import Lasting
from gateway.local_reply import LocalReplies
from gateway.logs import configure_from, redactor
from gateway.metrics.scrape import scrape
from gateway.pool_view import PoolView
from gateway.relay import Relay
from gateway.reload import Reloader
from gateway.reply import Desk, Opener
from gateway.server_tools.assembly import web_tools
from gateway.server_tools.turn import Kit, ToolLoop
from gateway.settings import Settings, load_from_process
from gateway.settings.report import not_started
from gateway.state.stores import Store, whereabouts
from middleware.access import Access as AccessMiddleware
from middleware.auth import Access, Auth
from middleware.body_limit import BodyLimit
from middleware.context import RequestContext
from middleware.errors import Errors
from middleware.raw_log import RawLog
from middleware.request_id import RequestId
from middleware.trace_parent import TraceParent
from providers.call import ClientDialect
from providers.dialects import of_clients
from providers.errors import ConfigError
from providers.ports import Time
from providers.version import VERSION

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig
    from opentelemetry.sdk.trace.export import SpanExporter


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


def create_app(
    settings: Settings,
    moments: Time = TIME,
    exporter: SpanExporter | None = None,
    again: Callable[[], Settings] | None = None,
) -> FastAPI:
    """The whole gateway. Opens nothing before it is served. ``exporter`` takes its traces, where they are on.

    With ``again``, which reads the settings anew, a reload builds the application once more around what lasts, and
    swaps it in: requests under way keep the one they began in.
    """
    lasting = Lasting(settings, CALLS, moments, exporter)
    reloader: Reloader | None = None
    app = _assembled(settings, lasting, lambda: bool(app.state.draining), lambda: _running(lasting, reloader))
    if again:
        reloader = Reloader(settings, again, partial(_swap, app, lasting), lasting.metrics.reloaded)
    app.state.draining = False
    app.state.registry = lasting.registry
    app.state.inventory = lasting.inventory
    app.state.reloader = reloader
    return app


async def reload(app: FastAPI) -> bool:
    """Reads the configuration again; whether it is in use now. SIGHUP and changed files do the same."""
    reloader: Reloader | None = app.state.reloader
    return reloader is not None and await reloader.reload()


async def _swap(app: FastAPI, lasting: Lasting, settings: Settings) -> None:
    await lasting.follow(settings)
    app.middleware_stack = _assembled(settings, lasting, lambda: bool(app.state.draining)).build_middleware_stack()
    app.state.registry = lasting.registry
    await lasting.registry.close_replaced()


def _assembled(
    settings: Settings,
    lasting: Lasting,
    draining: Callable[[], bool],
    running: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> FastAPI:
    """``running``: what goes on while the application is served."""
    moments, registry, store, dialects = lasting.moments, lasting.registry, lasting.store, lasting.dialects
    metrics, log, stories, usage = lasting.metrics, lasting.log, lasting.stories, lasting.usage
    clock = moments.clock
    relay = Relay(registry, clock, settings.request_deadline)
    served = {path: methods for path, methods in SERVED.items() if settings.metrics or path != "/metrics"}
    faces = of_clients(dialects)
    desk = Desk(_opener(settings, lasting, relay, faces), moments, settings.keepalive_after, lasting.turnstile)
    messages = faces["anthropic"]
    local = LocalReplies(messages, settings.local_answers) if settings.local_answers else None
    hot: Endpoints = {
        ("POST", "/v1/messages"): MessagesEndpoint(messages, settings.routing, desk, log, local),
        ("POST", "/v1/messages/count_tokens"): CountTokensEndpoint(messages, settings.routing, relay, registry),
        ("POST", "/v1/chat/completions"): MessagesEndpoint(faces["openai_chat"], settings.routing, desk, log),
        ("POST", "/v1/responses"): MessagesEndpoint(faces["openai_responses"], settings.routing, desk, log),
    }
    app = Gateway(
        [
            Middleware(RequestId, clock=clock),
            Middleware(
                AccessMiddleware,
                observe=_all(
                    metrics.request_ended,
                    log.request_ended,
                    *([lasting.traces.request_ended] if lasting.traces else []),
                    stories.ended,
                    usage.ended,
                ),
                route=_route,
                begun=stories.began,
            ),
            *([Middleware(TraceParent)] if lasting.traces else []),
            Middleware(Errors),
            Middleware(BodyLimit, limit=settings.body_limit, seconds=settings.body_read_timeout),
            Middleware(Auth, access=_access(settings, lasting.roster)),
            *_raw_log(settings),
            Middleware(EndpointTable, hot=hot, served=served),
        ],
        title="Keyturn",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        lifespan=lambda _: running(),
    )
    _add_routes(app, settings, lasting, draining)
    clients = partial(every_client, lasting.roster, usage, stories)
    view = PoolView(registry, clock, moments.wall, partial(whereabouts, settings, store), clients)
    keys = admin.Keys(registry)
    app.include_router(models.routes(ModelList(settings.routing, lasting.inventory, registry.measures)))
    app.include_router(admin.routes(keys, view, stories))
    app.include_router(usages.routes(usage))
    app.include_router(tokens.routes(lasting.roster))
    app.include_router(ui.routes(view, stories, keys, clock, draining))
    return app


def _raw_log(settings: Settings) -> Iterable[Middleware]:
    """None where it is off, so that it costs nothing."""
    requests, replies = settings.log_payloads, settings.log_events
    if requests or replies:
        redact = redactor(settings)
        yield Middleware(RawLog, routes=CALLS, redact=redact, requests=requests, replies=replies)


def _opener(settings: Settings, lasting: Lasting, relay: Relay, dialects: Mapping[str, ClientDialect]) -> Opener:
    """What opens calls: the relay, with the web tools around it where they are on."""
    if settings.web_tools is None:
        return relay
    tools = web_tools(settings.web_tools, lasting.web_uses, lasting.moments.wall, lasting.metrics.web_tool_used)
    return ToolLoop(Kit(relay, tools, lasting.moments), dialects)


def _route(path: str) -> str:
    return template(SERVED, path) or "unmatched"


@asynccontextmanager
async def _running(lasting: Lasting, reloader: Reloader | None) -> AsyncIterator[None]:
    async with lasting.running(), reloader.running() if reloader else nullcontext():
        yield


def _all(*observers: Callable[[RequestContext], None]) -> Callable[[RequestContext], None]:
    def observe(context: RequestContext) -> None:
        for each in observers:
            each(context)

    return observe


def _access(settings: Settings, roster: Roster) -> Access:
    return Access(
        clients=roster,
        allow_open=settings.allow_open,
        beyond=not settings.loopback,
        metrics_token=settings.metrics_token,
        admin_token=settings.admin_token,
    )


def _add_routes(app: FastAPI, settings: Settings, lasting: Lasting, draining: Callable[[], bool]) -> None:
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
        return _readiness(draining(), lasting.store)

    @app.get("/metrics")
    async def exposition() -> Response:
        await scrape(lasting.metrics, lasting.registry, lasting.moments)
        return Response(lasting.metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


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
    try:
        settings = _read()
    except ConfigError as error:
        raise SystemExit(not_started(error)) from None  # another's server would print a traceback
    _tell(settings)
    app = create_app(settings, again=_read)
    globals()["app"] = app
    return app


def _tell(settings: Settings) -> None:
    """What a banner would say, which a server that is not ours does not print."""
    log = get_logger("keyturn")
    for line in settings.moved:
        log.info("configuration of an earlier system", note=line)
    for warning in settings.warnings:
        log.warning("configuration warning", warning=warning)


def _read() -> Settings:
    """The settings of this process; the log follows them."""
    settings = load_from_process()
    configure_from(settings)
    return settings
