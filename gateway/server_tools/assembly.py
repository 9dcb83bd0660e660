"""The web tools as an operator wants them."""

from __future__ import annotations

from gateway.server_tools.engines import Brave, DuckDuckGo, Engine, SearXNG, Tavily
from gateway.server_tools.extract import ChildExtractor
from gateway.server_tools.fetch import Fetcher
from gateway.server_tools.outbound import AiohttpWeb, SystemResolver, absolute
from gateway.server_tools.quota import Quota
from gateway.server_tools.search import EngineSearch
from gateway.server_tools.tools import Observe, WebTools
from gateway.server_tools.urls import Rules
from gateway.settings.model import WebToolSettings
from providers.ports import Clock
from providers.secret import Secret


def web_tools(settings: WebToolSettings, quota: Quota, wall: Clock, observe: Observe) -> WebTools:
    """Opens nothing before it is used."""
    web, names = AiohttpWeb(), SystemResolver()
    return WebTools(
        EngineSearch(engine(settings), web),
        Fetcher(
            web,
            names if settings.private else absolute(names),
            ChildExtractor(),
            Rules(settings.schemes, settings.private),
        ),
        quota,
        wall,
        observe,
    )


def engine(settings: WebToolSettings) -> Engine:
    """The settings have been checked: what needs an address or a key has one."""
    key = settings.key or Secret("")
    base = {"base": settings.url} if settings.url else {}
    match settings.engine:
        case "searxng":
            return SearXNG(settings.url)
        case "brave":
            return Brave(key, **base)
        case "tavily":
            return Tavily(key, **base)
    return DuckDuckGo(**base)
