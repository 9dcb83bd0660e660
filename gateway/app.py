"""The composition root: settings in, an ASGI application out. ``uvicorn gateway.app:app`` serves it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from gateway.endpoints import admin, models, ui
from gateway.endpoints.count_tokens import CountTokensEndpoint
from gateway.endpoints.messages import MessagesEndpoint
from gateway.endpoints.table import Endpoints, EndpointTable, template
from gateway.logs import RequestLog, RouteLog
from gateway.metrics import Metrics
from gateway.pool_view import PoolView
from gateway.relay import Relay
from gateway.reload import Reloader
from gateway.reply import Desk
from gateway.settings import Settings, load_from_process
from gateway.state.memory import MemoryStore
from gateway.stories import Stories
from gateway.usage import UsageLedger
from middleware.access import Access as AccessMiddleware
from middleware.auth import Access, Auth
from middleware.body_limit import BodyLimit
from middleware.context import RequestContext
from middleware.errors import Errors
from middleware.request_id import RequestId
from providers.demo import DemoTransport
from providers.dialects import discover
from providers.errors import Fault
from providers.ports import Attempt, Clock, Observer, Time
from providers.registry import Registry
from providers.transport import http_transport
from providers.version import VERSION

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
    "/admin/pool": ("GET",),
    "/admin/explain/{request-id}": ("GET",),
    "/admin/keys/{label}/rest": ("POST",),
    "/admin/keys/{label}/wake": ("POST",),
}

# What is asked of models.
CALLS = tuple(route for route, methods in SERVED.items() if route.startswith("/v1/") and "POST" in methods)


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
        app = super().build_middleware_stack()
        if isinstance(app, ServerErrorMiddleware):  # it would answer a Fault with a page of its own
            app = app.app
        for cls, args, kwargs in reversed(self._stack):
            app = cls(app, *args, **kwargs)
        return app


TIME = Time(
    clock=time.monotonic,
    wall=time.time,
    sleep=asyncio.sleep,
    chance=random.random,
    later=lambda seconds, callback: asyncio.get_running_loop().call_later(seconds, callback),
)


class Lasting:
    """What outlives a reload: counters, the log, memories, the state of keys."""

    def __init__(self, settings: Settings, moments: Time) -> None:
        self.moments = moments
        self.metrics = Metrics(_models(settings), CALLS, models.failovers(settings.routing), _rotating(settings))
        self.log = RequestLog(moments.clock)
        self.stories = Stories(moments.clock, CALLS)
        self.usage = UsageLedger(lambda *_: None, moments.wall)
        self.dialects = discover()
        self.store = MemoryStore(moments.clock, moments.wall)
        self.registry = self.next_registry(settings, None)

    def next_registry(self, settings: Settings, before: Registry | None) -> Registry:
        observers = Observers(self.metrics, self.log)
        return Registry(settings.providers, self.dialects, TRANSPORTS, self.store, observers, self.moments, before)


def create_app(settings: Settings, moments: Time = TIME, again: Callable[[], Settings] | None = None) -> FastAPI:
    """The whole gateway. Opens nothing before it is served. With ``again``, which reads the settings anew, a reload
    builds the application once more around what lasts, and swaps it in: requests under way keep the one they began in.
    """
    lasting = Lasting(settings, moments)
    app = _assembled(settings, lasting, lambda: bool(app.state.draining))
    app.state.draining = False
    app.state.registry = lasting.registry
    app.state.reloader = (
        Reloader(settings, again, partial(_swap, app, settings, lasting), lasting.metrics.reloaded) if again else None
    )
    return app


async def reload(app: FastAPI) -> bool:
    """Reads the configuration again; whether it is in use now. SIGHUP and changed files do the same."""
    reloader: Reloader | None = app.state.reloader
    return reloader is not None and await reloader.reload()


async def _swap(app: FastAPI, first: Settings, lasting: Lasting, settings: Settings) -> None:
    """``first`` are the settings that the process began with: it keeps its address."""
    settings = replace(settings, host=first.host, port=first.port)
    lasting.registry = lasting.next_registry(settings, lasting.registry)
    lasting.metrics.configured(
        _models(settings),
        models.failovers(settings.routing),
        _rotating(settings),
        {(pool.provider, key.label) for pool in lasting.registry.pools.values() for key in pool.keys},
    )
    app.middleware_stack = _assembled(settings, lasting, lambda: bool(app.state.draining)).build_middleware_stack()
    app.state.registry = lasting.registry
    await lasting.registry.close_replaced()


def _assembled(settings: Settings, lasting: Lasting, draining: Callable[[], bool]) -> FastAPI:
    moments, registry, dialects = lasting.moments, lasting.registry, lasting.dialects
    metrics, log, stories, usage = lasting.metrics, lasting.log, lasting.stories, lasting.usage
    clock = moments.clock
    routes = RouteLog(logging.INFO if settings.tells_routes else logging.DEBUG)
    relay = Relay(registry, clock, settings.request_deadline, routes)
    served = {path: methods for path, methods in SERVED.items() if settings.metrics or path != "/metrics"}
    desk = Desk(relay, moments, settings.keepalive_after)
    messages = dialects["anthropic"]
    hot: Endpoints = {
        ("POST", "/v1/messages"): MessagesEndpoint(messages, settings.routing, desk),
        ("POST", "/v1/messages/count_tokens"): CountTokensEndpoint(messages, settings.routing, relay, registry),
        ("POST", "/v1/chat/completions"): MessagesEndpoint(dialects["openai_chat"], settings.routing, desk),
        ("POST", "/v1/responses"): MessagesEndpoint(dialects["openai_responses"], settings.routing, desk),
    }
    app = Gateway(
        [
            Middleware(RequestId, clock=clock),
            Middleware(
                AccessMiddleware,
                observe=_all(metrics.request_ended, log.request_ended, stories.ended, usage.ended),
                route=_route,
                begun=stories.began,
            ),
            Middleware(Errors),
            Middleware(BodyLimit, limit=settings.body_limit, seconds=settings.body_read_timeout),
            Middleware(Auth, access=_access(settings)),
            Middleware(EndpointTable, hot=hot, served=served),
        ],
        title="Keyturn",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    _add_routes(app, settings, metrics, registry, clock, draining)
    view, keys = PoolView(registry, clock, moments.wall), admin.Keys(registry)
    app.include_router(admin.routes(keys, view, stories, clock))
    app.include_router(ui.routes(view, stories, usage, keys, clock, draining))
    return app


def _route(path: str) -> str:
    return template(SERVED, path) or "unmatched"


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    reloader: Reloader | None = app.state.reloader
    async with reloader.running() if reloader else nullcontext():
        yield
    await app.state.registry.aclose()


def _all(*observers: Callable[[RequestContext], None]) -> Callable[[RequestContext], None]:
    def observe(context: RequestContext) -> None:
        for each in observers:
            each(context)

    return observe


def _models(settings: Settings) -> Iterable[tuple[str, str]]:
    return {(ref.provider, ref.model) for ref in models.references(settings.routing)}


def _rotating(settings: Settings) -> Iterable[str]:
    return [config.id for config in settings.providers if config.usable and len(config.keys) > 1]


def _access(settings: Settings) -> Access:
    return Access(
        tokens=[(token.name, token.secret) for token in settings.tokens],
        allow_open=settings.allow_open,
        beyond=not settings.loopback,
        metrics_token=settings.metrics_token,
        admin_token=settings.admin_token,
    )


def _add_routes(
    app: FastAPI,
    settings: Settings,
    metrics: Metrics,
    registry: Registry,
    clock: Clock,
    draining: Callable[[], bool],
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
        if draining():
            return JSONResponse({"status": "draining"}, 503)
        return JSONResponse({"status": "ready"})

    @app.get("/metrics")
    async def exposition() -> Response:
        for name, pool in registry.pools.items():
            metrics.key_states(name, await pool.states())
            live = registry.live.get(name)
            metrics.provider_state(name, live.gate.waiting if live else 0, live.budget.left(clock()) if live else 1.0)
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/v1/models")
    async def all_models() -> dict[str, Any]:
        return models.listing(table)

    @app.get("/v1/models/{model:path}")
    async def one_model(model: str) -> dict[str, Any]:
        found = models.find(table, model)
        if found is None:
            raise Fault(404, "not_found_error", f"model: {model[:200]!r} is not listed here; GET /v1/models lists all.")
        return found


def __getattr__(name: str) -> FastAPI:
    """``app``, made when a server asks for it, so that importing this module reads no settings."""
    if name != "app":
        raise AttributeError(name)
    app = create_app(load_from_process(), again=load_from_process)
    globals()["app"] = app
    return app
