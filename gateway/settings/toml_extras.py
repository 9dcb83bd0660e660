"""What an entry of [[providers]] says of its provider's ways: members for every body, images, vendors, server tools."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from gateway.settings.toml_table import Table
from providers.extra_body import PROTECTED
from providers.spec import UnseenImages

EXTRAS = ("extra_body", "images", "namespaces", "server_tools")
SERVER_TOOLS = ("web_search", "web_fetch")


def read_extra_body(table: Table) -> Mapping[str, Any]:
    """Members that are laid over every request's body."""
    value = table.data.get("extra_body", {})
    if not isinstance(value, dict):
        table.reject("extra_body", "is not a table", "Write for example extra_body = { top_k = 20 }.")
        return {}
    inner = table.inner("extra_body", value)
    for name in (name for name in value if name in PROTECTED):
        inner.reject(name, "Keyturn itself writes this member", "Remove it.")
    for name in (name for name, each in value.items() if _holds_time(each)):
        inner.reject(name, "holds a date or a time, which JSON has not", "Write it as a string.")
    return value


def read_images(table: Table) -> UnseenImages:
    """What becomes of an image for a model that cannot see."""
    text = table.text("images", UnseenImages.NOTE.value)
    try:
        return UnseenImages(text)
    except ValueError:
        table.reject("images", f"{text!r} is not note or refuse", 'Write images = "note" or "refuse".')
        return UnseenImages.NOTE


def read_namespaces(table: Table) -> tuple[str, ...]:
    """Vendors whose ``vendor/model`` is one model name at this provider."""
    return tuple(table.strings("namespaces")) if "namespaces" in table.data else ()


def read_server_tools(table: Table) -> tuple[str, ...] | None:
    """Those of Anthropic's web tools that the provider runs itself; None where nothing is said of them."""
    if "server_tools" not in table.data:
        return None
    if table.data["server_tools"] == []:
        return ()
    tools = table.strings("server_tools")
    for name in (name for name in tools if name not in SERVER_TOOLS):
        table.reject("server_tools", f"{name!r} is no server tool", f"Known ones: {', '.join(SERVER_TOOLS)}.")
    return tuple(tools)


def _holds_time(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_time, value.values()))
    if isinstance(value, list):
        return any(map(_holds_time, value))
    return isinstance(value, date | datetime | time)
