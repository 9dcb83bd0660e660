"""What an operator's base URLs hold: a project, a location."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from providers.places import Place, filled, open_places
from providers.spec import ProviderSpec

SENDABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")


@dataclass(frozen=True, slots=True)
class Placed:
    """The values of a row's places, by their names."""

    values: Mapping[str, str] = field(default_factory=dict)
    own: bool = False  # an operator said one of them for this provider

    def url(self, spec: ProviderSpec, url: str) -> str:
        return filled(url, spec.places, self.values)


def read_places(spec: ProviderSpec, layers: Layers, report: Report, known: Mapping[str, str]) -> Placed:
    """``known`` are values that are found elsewhere, for those that no variable says."""
    own = {place.name: layers.first(place.variables) for place in spec.places}
    shared = {place.name: layers.first(place.shared) for place in spec.places}
    values: dict[str, str] = {}
    for place in spec.places:
        told = _told(own[place.name], report) or _told(shared[place.name], report)
        values[place.name] = told or known.get(place.name, "") or place.default
    return Placed({name: value for name, value in values.items() if value}, any(own.values()))


def lack_of_places(spec: ProviderSpec, url: str) -> list[str]:
    """What to set before ``url`` is one."""
    return [f"no {place.name}: set {place.variables[0]}" for place in open_places(url, spec.places)]


def example(place: Place) -> str:
    return place.default or f"<your {place.name}>"


def _told(value: Value | None, report: Report) -> str:
    text = value.text.strip() if value else ""
    if value is None or SENDABLE.fullmatch(text):
        return text
    value.warn(report, "this cannot stand in a URL and is not used. Write letters, digits, ., :, _ and - only.")
    return ""
