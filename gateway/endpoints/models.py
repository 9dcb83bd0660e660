"""What /v1/models lists: the names that this configuration routes. Pure.

One item shape serves both kinds of client: Anthropic's fields (``type``, ``display_name``, ``created_at``) beside
OpenAI's (``object``, ``created``, ``owned_by``). Claude Code's picker keeps only ids that begin with "claude", so
every model is listed under such an alias too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any

from gateway.routing import ALIAS, Ref, RoutingTable

# The names that Claude Code 2.1.197 sends of itself, one per tier.
CLIENT_NAMES = ("claude-opus-4-8", "claude-sonnet-5", "claude-haiku-4-5-20251001")
_CREATED = "2026-01-01T00:00:00Z"
_CREATED_UNIX = 1767225600


def listing(table: RoutingTable) -> dict[str, Any]:
    """The whole list, in one page."""
    items = list(_items(table))
    return {
        "object": "list",
        "data": items,
        "has_more": False,
        "first_id": items[0]["id"],
        "last_id": items[-1]["id"],
    }


def find(table: RoutingTable, model: str) -> dict[str, Any] | None:
    """One item by its id."""
    return next((item for item in _items(table) if item["id"] == model), None)


def references(table: RoutingTable) -> list[Ref]:
    """Every provider and model that a setting names, once."""
    exact = (Ref(route.provider, route.model or route.match) for route in table.routes if route.model or route.exact)
    spare = (*table.tier_fallbacks.values(), *(route.fallbacks for route in table.routes), table.fallbacks)
    named = (ref for ref in chain.from_iterable(spare) if ref.model)
    return list(dict.fromkeys((table.default, *table.tiers.values(), *exact, *named)))


def failovers(table: RoutingTable) -> set[tuple[str, str]]:
    """The pairs of providers of which a setting has one take over from the other."""
    starts = [(Ref(route.provider, route.model or route.match), route.fallbacks) for route in table.routes]
    starts += [(ref, table.tier_fallbacks.get(tier, ())) for tier, ref in table.tiers.items()]
    starts += [(table.default, spare) for spare in ((), *table.tier_fallbacks.values())]
    orders = [table.in_order(primary, spare) for primary, spare in starts]
    return {(one.provider, other.provider) for order in orders for one, other in pairwise(order)}


def _items(table: RoutingTable) -> Iterator[dict[str, Any]]:
    for name in CLIENT_NAMES:
        ref = table.resolve(name)
        yield _item(name, f"{name} ({ref})", ref.provider)
    for ref in references(table):
        yield _item(f"{ALIAS}{ref}", str(ref), ref.provider)
        yield _item(str(ref), str(ref), ref.provider)


def _item(model: str, title: str, provider: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model,
        "display_name": title,
        "created_at": _CREATED,
        "object": "model",
        "created": _CREATED_UNIX,
        "owned_by": provider,
    }
