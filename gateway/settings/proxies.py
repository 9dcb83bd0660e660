"""The standard proxy variables. They hold for hosted providers; what runs on this machine is reached directly."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed has it for macOS only

from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from gateway.settings.values import Rejected, points_here, proxy_url
from providers.secret import Secret


def standard_proxy(url: str, layers: Layers, report: Report) -> Secret | None:
    """What HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in either case, say of ``url``."""
    parts = urlsplit(url)
    if points_here(url) or not parts.hostname:
        return None
    value = _found(layers, f"{parts.scheme}_proxy") or _found(layers, "all_proxy")
    exempt = _found(layers, "no_proxy")
    if value is None or (exempt and proxy_bypass_environment(parts.netloc, {"no": exempt.text})):
        return None
    proxy = value.text.strip() if "://" in value.text else f"http://{value.text.strip()}"
    try:
        return proxy_url(proxy)
    except Rejected as rejected:
        value.warn(report, f"it is not used as a proxy: it {rejected.problem}. {rejected.fix}")
        return None


def _found(layers: Layers, name: str) -> Value | None:
    return layers.first((name, name.upper()))
