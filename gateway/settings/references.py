"""MODEL, its tiers and [[routes]], resolved into the routing table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.routing import TIERS, Ref, Route, RoutingTable, parse_ref
from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from gateway.settings.toml_file import RouteEntry
from gateway.settings.toml_table import nearest
from gateway.settings.variables import Globals
from providers.catalog import names
from providers.errors import Fault
from providers.spec import ProviderConfig, ProviderSpec

DEMO = "demo"
EXAMPLE = "anthropic/claude-sonnet-5"


@dataclass(slots=True)
class Resolver:
    """Turns references into targets. What names no provider, or one without a key, is reported."""

    providers: Sequence[ProviderConfig]
    common: Globals
    layers: Layers
    report: Report

    def table(self, entries: Sequence[RouteEntry]) -> RoutingTable:
        model = self._written("model")
        first = self._first()
        default = self._parse(model, first.id) if model else None
        default = default or Ref(first.id, first.spec.default_model)
        return RoutingTable(
            specs=self._specs,
            usable=self._usable,
            default=default,
            explicit=bool(model),
            tiers=self._tiers(default.provider),
            thinking=self.common.enable_model_thinking,
            tier_thinking=self._tier_thinking(),
            routes=tuple(route for entry in entries if (route := self._route(entry))),
        )

    @property
    def _specs(self) -> Mapping[str, ProviderSpec]:
        return {provider.id: provider.spec for provider in self.providers}

    @property
    def _usable(self) -> frozenset[str]:
        return frozenset(provider.id for provider in self.providers if provider.usable)

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
        refs = {tier: self._parse(value, default) for tier, value in written.items() if value}
        return {tier: ref for tier, ref in refs.items() if ref}

    def _tier_thinking(self) -> dict[str, bool]:
        fields = {tier: f"enable_{tier}_thinking" for tier in TIERS}
        return {tier: getattr(self.common, name) for tier, name in fields.items() if self.common.is_set(name)}

    def _parse(self, value: Value, default: str) -> Ref | None:
        text = value.text.strip()
        try:
            ref = parse_ref(text, self._specs, self._usable, default)
        except Fault as fault:
            problem, _, fix = fault.message.removeprefix("model: ").partition(". ")
            value.reject(self.report, problem, fix)
            return None
        if ref.provider == DEMO == default and text.partition("/")[0] != DEMO:
            value.reject(
                self.report,
                f"{text!r} names no provider, and none is configured",
                f"Write provider/model, for example {value.assignment(EXAMPLE)}.",
            )
        if ref.provider not in self._usable:
            value.warn(self.report, self._keyless(ref.provider))
        return ref

    def _route(self, entry: RouteEntry) -> Route | None:
        known = names(self._specs.values())
        if entry.provider not in known:
            entry.table.reject(
                "provider", f"{entry.provider!r} is not a provider", nearest(entry.provider, sorted(known))
            )
            return None
        provider = known[entry.provider]
        if provider not in self._usable:
            self.report.warn(entry.table.name("provider"), self._keyless(provider), entry.table.origin)
        return Route(entry.match, provider, entry.model, entry.exact)

    def _keyless(self, provider: str) -> str:
        variable = self._specs[provider].key_variable
        return f"{provider} has no key, so its requests get status 503. Set {variable}."


def choose_named(providers: Sequence[ProviderConfig], routing: RoutingTable) -> tuple[ProviderConfig, ...]:
    """The same providers; those that MODEL, a tier or a route names count as chosen."""
    named = {ref.provider for ref in routing.tiers.values()} | {route.provider for route in routing.routes}
    if routing.explicit:
        named.add(routing.default.provider)
    return tuple(replace(provider, chosen=True) if provider.id in named else provider for provider in providers)
