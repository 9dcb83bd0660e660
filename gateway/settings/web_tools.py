"""web_search and web_fetch: whether they are on, and what they may do."""

from __future__ import annotations

from gateway.settings.layers import Layers, Value
from gateway.settings.model import WebToolSettings
from gateway.settings.report import Report
from gateway.settings.variables import Globals

SPOKEN = frozenset({"http", "https"})
NEED_KEYS = ("brave", "tavily")
PRIVATE = "WEB_FETCH_ALLOW_PRIVATE_NETWORKS"


def web_tools(common: Globals, layers: Layers, report: Report) -> WebToolSettings | None:
    """None where they are off; nothing of theirs is then complained of."""
    if not common.enable_web_server_tools:
        return None
    engine = common.web_search_engine
    if engine == "searxng" and not common.web_search_url:
        _engine(layers).reject(report, "SearXNG has no address of its own", "Set WEB_SEARCH_URL to that of yours.")
    if engine in NEED_KEYS and common.web_search_api_key is None:
        _engine(layers).reject(report, f"{engine} needs a key", "Set WEB_SEARCH_API_KEY to it.")
    if common.web_fetch_allow_private_networks:
        report.warn(
            PRIVATE,
            "models may fetch pages of this machine and of every network that it reaches, and pages that they read "
            "can talk them into it. Unset it anywhere but in a laboratory.",
        )
    if unspoken := sorted(common.web_fetch_allowed_schemes - SPOKEN):
        report.warn("WEB_FETCH_ALLOWED_SCHEMES", f"{', '.join(unspoken)}: only http and https are spoken here.")
    return WebToolSettings(
        engine,
        common.web_search_url,
        common.web_search_api_key,
        common.web_fetch_allowed_schemes,
        common.web_fetch_allow_private_networks,
        common.web_tools_rate_limit,
    )


def _engine(layers: Layers) -> Value:
    return layers.find("WEB_SEARCH_ENGINE") or Value("WEB_SEARCH_ENGINE", "", "the defaults")
