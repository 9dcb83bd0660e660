"""What /v1/models lists: the names that this configuration routes, and what its providers list themselves.

One item shape serves both kinds of client: Anthropic's fields (``type``, ``display_name``, ``created_at``, the sizes,
``lifecycle``) beside OpenAI's (``object``, ``created``, ``owned_by``). Claude Code's picker keeps only ids that begin
with "claude", so every model is listed under such an alias too; it reads one page of 1,000, so the aliases
come first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, pairwise
from typing import Any

from fastapi import APIRouter, Request, Response

from gateway.inventory import Inventory
from gateway.routing import ALIAS, Ref, RoutingTable
from middleware.context import context_of
from middleware.grant import Grant
from providers.errors import Fault, bad_request
from providers.facts import Price
from providers.json_object import encode
from providers.learning.measures import Measures

# The names that Claude Code 2.1.197 sends of itself, one per tier.
CLIENT_NAMES = ("claude-opus-4-8", "claude-sonnet-5", "claude-haiku-4-5-20251001")
PAGE = 1000  # items, where a client does not say; the most that it may ask for
_CREATED = 1767225600  # 2026-01-01, of models whose list does not say


@dataclass(frozen=True, slots=True)
class Entry:
    """A name that can be asked for, and where that goes."""

    id: str
    ref: Ref
    title: str


class ModelList:
    """The list, made anew when a provider's own list has come."""

    def __init__(self, table: RoutingTable, inventory: Inventory, measures: Mapping[str, Measures]) -> None:
        """``measures`` by provider: they know a window best."""
        self._table = table
        self._inventory = inventory
        self._measures = measures
        self._made = -1
        self._entries: dict[str, Entry] = {}
        self._items: dict[Entry, dict[str, Any]] = {}
        self._ruled = frozenset[str]().union(*(route.clients for route in table.routes))
        self._own: dict[str, Mapping[str, Entry]] = {}  # of clients with rules of their own

    def page(self, query: Mapping[str, str], grant: Grant | None = None) -> dict[str, Any]:
        """A page of Anthropic's, which is all of OpenAI's; what ``grant`` allows. Raises Fault (400)."""
        entries = [entry for entry in self._of(grant).values() if _allowed(entry, grant)]
        limit = _limit(query.get("limit", ""))
        names = [entry.id for entry in entries]
        after, before = query.get("after_id"), query.get("before_id")
        if before:
            end = _place(names, "before_id", before)
            start = max(0, end - limit)
            more = start > 0
        else:
            start = _place(names, "after_id", after) + 1 if after else 0
            end = start + limit
            more = end < len(entries)
        shown = [self._item(entry) for entry in entries[start:end]]
        first, last = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
        return {"object": "list", "data": shown, "has_more": more, "first_id": first, "last_id": last}

    def find(self, model: str, grant: Grant | None = None) -> dict[str, Any] | None:
        """One item by its id, where ``grant`` allows it."""
        entry = self._of(grant).get(model)
        return self._item(entry) if entry and _allowed(entry, grant) else None

    def _all(self) -> Mapping[str, Entry]:
        if self._made != self._inventory.version:
            self._made = self._inventory.version
            own, listed = list(_routed(self._table)), list(_listed(self._table, self._inventory))
            aliased = [Entry(f"{ALIAS}{entry.id}", entry.ref, entry.title) for entry in listed]
            self._entries, self._items, self._own = {}, {}, {}
            for entry in (*own, *aliased, *listed):
                self._entries.setdefault(entry.id, entry)
        return self._entries

    def _of(self, grant: Grant | None) -> Mapping[str, Entry]:
        """The list as the client's own rules have it."""
        entries = self._all()
        if grant is None or grant.name not in self._ruled:
            return entries
        if grant.name not in self._own:
            self._own[grant.name] = {name: self._ruled_by(grant.name, entry) for name, entry in entries.items()}
        return self._own[grant.name]

    def _ruled_by(self, client: str, entry: Entry) -> Entry:
        ref = self._table.resolve(entry.id, client=client)
        return entry if ref == entry.ref else Entry(entry.id, ref, f"{entry.id} ({ref})")

    def _item(self, entry: Entry) -> dict[str, Any]:
        if entry not in self._items:
            self._items[entry] = self._described(entry)
        item, measures = self._items[entry], self._measures.get(entry.ref.provider)
        learned = measures.known.get(entry.ref.model) if measures else None
        return {**item, "max_input_tokens": learned.window} if learned and learned.window else item

    def _described(self, entry: Entry) -> dict[str, Any]:
        provider, model = entry.ref.provider, entry.ref.model
        listed = self._inventory.lists().get(provider, {}).get(model)
        created = (listed and listed.created) or _CREATED
        return {
            "type": "model",
            "id": entry.id,
            "display_name": entry.title,
            "created_at": datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z"),
            "lifecycle": "active",
            "max_input_tokens": self._inventory.window(provider, model),
            "max_tokens": self._inventory.output(provider, model),
            "pricing": _pricing(self._inventory.price(provider, model)),
            "object": "model",
            "created": created,
            "owned_by": provider,
        }


def routes(listed: ModelList) -> APIRouter:
    """GET /v1/models and /v1/models/{id}: what the asking client's token may use."""
    router = APIRouter(prefix="/v1/models")

    @router.get("")
    async def all_models(request: Request) -> Response:
        page = listed.page(request.query_params, context_of(request.scope).grant)
        return Response(encode(page), media_type="application/json")

    @router.get("/{model:path}")
    async def one_model(model: str, request: Request) -> Response:
        found = listed.find(model, context_of(request.scope).grant)
        if found is None:
            words = f"model: {model[:200]!r} is not listed here; GET /v1/models lists all."
            raise Fault(404, "not_found_error", words, code="model_not_found")
        return Response(encode(found), media_type="application/json")

    return router


def _allowed(entry: Entry, grant: Grant | None) -> bool:
    return grant is None or grant.allows(entry.ref.provider, entry.ref.model)


def _pricing(price: Price | None) -> dict[str, float | None] | None:
    """US dollars for a million tokens."""
    if price is None:
        return None
    return {
        "input": price.input,
        "output": price.output,
        "cache_read": price.cache_read,
        "cache_write": price.cache_write,
    }


def _limit(text: str) -> int:
    if not text:
        return PAGE
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= PAGE):
        raise bad_request("limit", f"is not a whole number from 1 to {PAGE}.")
    return int(text)


def _place(names: Sequence[str], param: str, wanted: str) -> int:
    if wanted not in names:
        raise bad_request(param, f"{wanted[:200]!r} is not listed here; GET /v1/models lists all.")
    return names.index(wanted)


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


def _routed(table: RoutingTable) -> Iterator[Entry]:
    for name in CLIENT_NAMES:
        ref = table.resolve(name)
        yield Entry(name, ref, f"{name} ({ref})")
    for ref in references(table):
        yield Entry(f"{ALIAS}{ref}", ref, str(ref))
        yield Entry(str(ref), ref, str(ref))


def _listed(table: RoutingTable, inventory: Inventory) -> Iterator[Entry]:
    """What providers list that can be used, in their names."""
    for provider, models in inventory.lists().items():
        if provider in table.usable:
            for model in models:
                ref = Ref(provider, model)
                yield Entry(str(ref), ref, str(ref))
