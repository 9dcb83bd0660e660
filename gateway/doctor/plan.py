"""What doctor has to ask, and what must be able to answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from gateway.routing import TIERS, Ref, RoutingTable
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Duty:
    """A name that requests come under, and what may answer it, best first; a tier works where one of them does."""

    name: str  # default, opus, sonnet, haiku, or a rule's match
    primary: Ref
    targets: tuple[Ref, ...]  # without providers that have no key


def duties(settings: Settings) -> tuple[Duty, ...]:
    """The default, each tier, and each rule of keyturn.toml that names a model."""
    table = settings.routing
    return (
        Duty("default", table.default, table.in_order(table.default)),
        *(_tier(table, tier) for tier in sorted(TIERS, key=("opus", "sonnet", "haiku").index)),
        *_rules(table),
    )


def subjects(settings: Settings) -> tuple[Ref, ...]:
    """Every model to be asked for: what the duties name, and the default model of each provider that they leave out."""
    named = dict.fromkeys(chain.from_iterable(duty.targets for duty in duties(settings)))
    met = {ref.provider for ref in named}
    others = (
        Ref(config.id, config.spec.default_model)
        for config in settings.providers
        if config.chosen and config.usable and config.id not in met
    )
    return (*named, *others)


def _tier(table: RoutingTable, tier: str) -> Duty:
    primary = table.tiers.get(tier, table.default)
    return Duty(tier, primary, table.in_order(primary, table.tier_fallbacks.get(tier, ())))


def _rules(table: RoutingTable) -> Iterator[Duty]:
    for route in table.routes:
        if model := route.model or (route.match if route.exact else ""):
            primary = Ref(route.provider, model)
            yield Duty(route.match, primary, table.in_order(primary, route.fallbacks))
