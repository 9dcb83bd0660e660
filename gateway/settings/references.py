"""MODEL, its tiers, their fallbacks and [[routes]], resolved into the routing table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from gateway.routing import TIERS, Ref, Route, RoutingTable
from gateway.settings.fallbacks import Primary, members, read_fallbacks
from gateway.settings.layers import Layers, Value
from gateway.settings.refs import DEMO, RefReader
from gateway.settings.report import Report
from gateway.settings.toml_file import RouteEntry
from gateway.settings.toml_table import nearest
from gateway.settings.variables import Globals
from providers.catalog import names
from providers.spec import ProviderConfig


@dataclass(slots=True)
class Resolver:
    """Turns references into targets. What names no provider, or one without a key, is reported."""

    providers: Sequence[ProviderConfig]
    common: Globals
    layers: Layers
    report: Report
    _refs: RefReader = field(init=False)

    def __post_init__(self) -> None:
        specs = {provider.id: provider.spec for provider in self.providers}
        lacks = {provider.id: provider.lacks for provider in self.providers if provider.lacks}
        self._refs = RefReader(specs, frozenset(specs.keys() - lacks.keys()), self.report, lacks)

    def table(self, entries: Sequence[RouteEntry]) -> RoutingTable:
        model = self._written("model")
        first = self._first()
        written = self._refs.read(model, first.id) if model else None
        default = written or Ref(first.id, first.spec.default_model)
        primary = Primary(written, model.name) if model and written else None
        tiers = self._tiers(default.provider)
        routed = [(entry, route) for entry in entries if (route := self._route(entry, default.provider))]
        table = RoutingTable(
            specs=self._refs.specs,
            usable=self._refs.usable,
            lacks=self._refs.lacks,
            default=default,
            explicit=bool(model),
            tiers=tiers,
            thinking=self.common.enable_model_thinking,
            tier_thinking=self._tier_thinking(),
            routes=tuple(route for _, route in routed),
            fallbacks=self._fallbacks("model_fallbacks", default.provider, primary),
            tier_fallbacks=self._tier_fallbacks(default.provider, tiers, primary),
        )
        self._warn(table, routed)
        return table

    def _first(self) -> ProviderConfig:
        """The provider of names that carry none: the first that is configured, else the demo."""
        by_rank = sorted(self.providers, key=lambda provider: not (provider.chosen and provider.usable))
        return next((provider for provider in by_rank if provider.chosen), self._demo)

    @property
    def _demo(self) -> ProviderConfig:
        return next(provider for provider in self.providers if provider.id == DEMO)

    def _written(self, field: str) -> Value | None:
        """The variable behind a field, where it holds a reference that can be read."""
        return self.layers.find(field.upper()) if getattr(self.common, field) else None

    def _tiers(self, default: str) -> dict[str, Ref]:
        written = {tier: self._written(f"model_{tier}") for tier in TIERS}
        refs = {tier: self._refs.read(value, default) for tier, value in written.items() if value}
        return {tier: ref for tier, ref in refs.items() if ref}

    def _tier_thinking(self) -> dict[str, bool]:
        fields = {tier: f"enable_{tier}_thinking" for tier in TIERS}
        return {tier: getattr(self.common, name) for tier, name in fields.items() if self.common.is_set(name)}

    def _fallbacks(self, field: str, default: str, primary: Primary | None) -> tuple[Ref, ...]:
        value = self._written(field)
        return read_fallbacks(members(value, self.report), default, primary, self._refs) if value else ()

    def _tier_fallbacks(
        self, default: str, tiers: Mapping[str, Ref], primary: Primary | None
    ) -> dict[str, tuple[Ref, ...]]:
        found: dict[str, tuple[Ref, ...]] = {}
        for tier in TIERS:
            own = self._written(f"model_{tier}")
            first = Primary(tiers[tier], own.name) if own and tier in tiers else primary
            if refs := self._fallbacks(f"model_{tier}_fallbacks", default, first):
                found[tier] = refs
        return found

    def _route(self, entry: RouteEntry, default: str) -> Route | None:
        known = names(self._refs.specs.values())
        if entry.provider not in known:
            entry.table.reject(
                "provider", f"{entry.provider!r} is not a provider", nearest(entry.provider, sorted(known), "providers")
            )
            return None
        exact = entry.kind == "exact"
        provider, model = known[entry.provider], entry.model or (entry.match if exact else "")
        primary = Primary(Ref(provider, model), "the route")
        fallbacks = read_fallbacks(entry.fallbacks, default, primary, self._refs)
        others = self._others(entry, known, model)
        spare, clients = (*fallbacks, *others), frozenset(entry.clients)
        return Route(entry.match, provider, entry.model, exact, spare, entry.kind == "glob", clients)

    def _others(self, entry: RouteEntry, known: Mapping[str, str], model: str) -> Iterator[Ref]:
        """``fallback_providers``: others that are asked for the same model."""
        for value in entry.others:
            if value.text not in known:
                fix = nearest(value.text, sorted(known), "providers")
                value.reject(self.report, f"{value.text!r} is not a provider", fix)
                continue
            provider = known[value.text]
            self._refs.warn_of_unusable(value, provider, f"{provider} is left out")
            yield Ref(provider, model)

    def _warn(self, table: RoutingTable, routed: Iterable[tuple[RouteEntry, Route]]) -> None:
        """Of providers that are named and have no key."""
        for place, provider, spare in self._places(table, routed):
            saved = any(ref.provider in table.usable for ref in (*spare, *table.fallbacks))
            consequence = "its fallbacks answer" if saved else "its requests get status 503"
            self._refs.warn_of_unusable(place, provider, consequence)

    def _places(
        self, table: RoutingTable, routed: Iterable[tuple[RouteEntry, Route]]
    ) -> Iterator[tuple[Value, str, tuple[Ref, ...]]]:
        """Every setting that names a primary target, its source, the provider, and its own fallbacks."""
        if model := self._written("model"):
            yield model, table.default.provider, ()
        for tier, ref in table.tiers.items():
            if value := self._written(f"model_{tier}"):
                yield value, ref.provider, table.tier_fallbacks.get(tier, ())
        for entry, route in routed:
            yield entry.table.value("provider", entry.provider), route.provider, route.fallbacks


def choose_named(providers: Sequence[ProviderConfig], routing: RoutingTable) -> tuple[ProviderConfig, ...]:
    """The same providers; those that MODEL, a tier, a route or their fallbacks name count as chosen."""
    lists = (*routing.tier_fallbacks.values(), *(route.fallbacks for route in routing.routes))
    refs = (*routing.tiers.values(), *routing.fallbacks, *chain.from_iterable(lists))
    named = {ref.provider for ref in refs} | {route.provider for route in routing.routes}
    if routing.explicit:
        named.add(routing.default.provider)
    return tuple(replace(provider, chosen=True) if provider.id in named else provider for provider in providers)
