"""``keyturn check``: what the configuration amounts to."""

from __future__ import annotations

import json

from gateway.cli import limits
from gateway.cli.banner import (
    columns,
    model_rows,
    no_provider,
    notes,
    provider_rows,
    sections,
    state_place,
    then,
    token_state,
)
from gateway.routing import Ref, Route, RoutingTable
from gateway.settings import Settings


def report(settings: Settings) -> str:
    """The resolved configuration as aligned text."""
    return sections(
        [
            ("valid", [f"read: {', '.join(settings.files) or 'no file'}; the environment"]),
            ("listen", [f"{settings.host} port {settings.port}"]),
            ("token", token_state(settings)),
            ("providers", columns(provider_rows(settings)) or no_provider(settings)),
            ("models", columns(model_rows(settings, every=True))),
            ("routes", columns([_route(route, settings.routing) for route in settings.routing.routes])),
            ("limits", columns(limits.rows(settings))),
            ("note", columns(notes(settings, every=True))),
            ("state", state_place(settings)),
            ("moved", settings.moved),
            ("warning", list(settings.warnings)),
        ]
    )


def schema_text() -> str:
    """What ``--schema`` prints."""
    from gateway.settings.toml_schema import schema

    return json.dumps(schema(), indent=2)


def _route(route: Route, table: RoutingTable) -> tuple[str, str]:
    target = f"{route.provider}/{route.model or '<the same name>'}"
    return route.shown, target + then(table, Ref(route.provider, route.model), route.fallbacks)
