"""What outlives a reload: the state of keys, what was counted and found out, and what goes on in the background."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from gateway.clients.assembly import fixed, make_roster
from gateway.clients.turnstile import Turnstile
from gateway.endpoints import models
from gateway.inventory import Inventory
from gateway.logs import redactor
from gateway.metrics import Metrics
from gateway.metrics.scrape import keep_telling
from gateway.observers import Observers
from gateway.request_log import RequestLog
from gateway.server_tools.quota import Rates
from gateway.settings import Settings
from gateway.state.keeping import keep_on
from gateway.state.stores import make_keeping, make_store
from gateway.store_metrics import StoreMetrics
from gateway.stories import Stories
from gateway.usage import UsageLedger
from providers.demo import DemoTransport
from providers.dialects import discover
from providers.logins.aws import aws_credential
from providers.logins.credentials import Logins
from providers.logins.google import google_credential
from providers.logins.kinds import AwsLogin, GoogleLogin
from providers.ports import Time
from providers.registry import Registry
from providers.transport import http_transport

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from gateway.traces import Traces

LOGINS: Logins = {GoogleLogin: google_credential, AwsLogin: aws_credential}
TRANSPORTS = {"http": http_transport, "https": http_transport, "demo": DemoTransport}


class Lasting:
    """One per process. ``calls`` are the routes by which models are asked."""

    def __init__(
        self, settings: Settings, calls: Collection[str], moments: Time, exporter: SpanExporter | None = None
    ) -> None:
        self.moments = moments
        self.inventory = Inventory(moments, settings.catalog_refresh)
        self.metrics = Metrics(
            _models(settings),
            calls,
            models.failovers(settings.routing),
            _rotating(settings),
            _clients(settings),
            self.inventory.cost,
            moments.clock,
            settings.metrics_folder,
        )
        self.log = RequestLog(moments.clock, settings.ferryllm_events, _words(settings))
        self.traces = _traces(settings, moments, exporter)
        self.dialects = discover()
        observers = (StoreMetrics(self.metrics.registry), self.log) if settings.redis else ()
        self.store = make_store(settings, moments, observers)
        self.usage = UsageLedger(self.inventory.cost, moments.wall, self.store.usage)
        self.roster = make_roster(settings, self.store, moments)
        self.turnstile = Turnstile(self.store)
        self.stories = Stories(moments.clock, calls, self.store.records)
        self.web_uses = Rates(moments.clock, _web_uses(settings))
        self.registry = self._registry(settings, None)
        self._keeping = make_keeping(settings, moments, self.store, self.registry)
        self._looking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The store is open, and what goes on in the background does; afterwards nothing is."""
        async with self.store:
            await self.roster.look()
            self._look()
            beside = [asyncio.create_task(each()) for each in self._beside()]
            if self._keeping:
                await self._keeping.begin()
                beside.append(asyncio.create_task(keep_on(self._keeping)))
            try:
                yield
            finally:
                await _cancelled([*beside, *([self._looking] if self._looking else [])])
                if self._keeping:
                    await self._keeping.keep()
                await self.inventory.aclose()
            await self.registry.aclose()
        if self.traces:
            self.traces.close()  # it blocks, but nothing else runs any more

    async def follow(self, settings: Settings) -> None:
        """New settings: what is made from now on is made by them. ``registry`` is another one afterwards."""
        self.registry = self._registry(settings, self.registry)
        self.roster.configured(fixed(settings))
        self.web_uses.configured(_web_uses(settings))
        self.metrics.configured(
            _models(settings),
            models.failovers(settings.routing),
            _rotating(settings),
            _clients(settings),
            {(pool.provider, key.label) for pool in self.registry.pools.values() for key in pool.keys},
        )
        self.log.configured(settings.ferryllm_events, _words(settings))
        if self.traces:
            self.traces.configured(settings.providers)
        if self._keeping:
            await self._keeping.follow(self.registry)
        self.inventory.configured(settings.catalog_refresh)
        if self._looking:
            await _cancelled([self._looking])
            self._look()

    def _registry(self, settings: Settings, before: Registry | None) -> Registry:
        return Registry(
            settings.providers,
            self.dialects,
            TRANSPORTS,
            self.store,
            Observers(self.metrics, self.log),
            self.moments,
            LOGINS,
            self.inventory.windows,
            before,
        )

    def _beside(self) -> Iterator[Callable[[], Coroutine[Any, Any, None]]]:
        if self.roster.book:
            yield self.roster.watch
        if self.store.records:
            yield self.stories.keep_telling
            yield self.usage.keep_telling
        if self.metrics.shared:
            yield partial(keep_telling, self.metrics, lambda: self.registry, self.moments)

    def _look(self) -> None:
        self._looking = asyncio.create_task(self.inventory.run(self.registry))
        self._looking.add_done_callback(_ended)


async def _cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _ended(looking: asyncio.Task[None]) -> None:
    """Nobody waits for what runs in the background, so an end before its time is told."""
    if not looking.cancelled() and (error := looking.exception()):
        structlog.get_logger().error("model_lists_ended", exc_info=error)


def _words(settings: Settings) -> Callable[[str], str] | None:
    return redactor(settings) if settings.log_tracebacks else None


def _traces(settings: Settings, moments: Time, exporter: SpanExporter | None) -> Traces | None:
    if settings.traces is None:
        return None
    from gateway.traces import Traces  # needs the extra

    return Traces(settings.traces, settings.providers, moments, exporter)


def _models(settings: Settings) -> Iterable[tuple[str, str]]:
    return {(ref.provider, ref.model) for ref in models.references(settings.routing)}


def _web_uses(settings: Settings) -> int:
    return settings.web_tools.rate if settings.web_tools else 0


def _rotating(settings: Settings) -> Iterable[str]:
    return [config.id for config in settings.providers if config.usable and len(config.keys) > 1]


def _clients(settings: Settings) -> Iterable[str]:
    return [token.name for token in settings.tokens] or [""]
