"""Where a provider is: an operator's base URL, or the row's with an operator's parts in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from gateway.settings.row_settings import RowSettings, variables
from gateway.settings.values import fill
from providers.addresses import Part
from providers.spec import Auth, Lack, ProviderSpec

VERSION = "API_VERSION"
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Address:
    """``base_url`` is "" where only an operator knows it, and has not said; ``given``: an operator has.

    ``lacks`` are the parts that it wants for, where they have names.
    """

    base_url: str
    auth: Auth
    query: str = ""
    given: bool = False
    lacks: tuple[Lack, ...] = ()
    foreign: bool = False  # an operator's, at a host that is not the row's
    cloud: bool = False  # that of a cloud, which is asked in its own way


@dataclass(frozen=True, slots=True)
class AddressReader:
    """``sites`` are the rows of clouds that are known by their addresses."""

    sites: Sequence[ProviderSpec]
    layers: Layers
    report: Report

    def read(
        self, spec: ProviderSpec, settings: RowSettings, used: bool, known: Mapping[str, str] = NOTHING
    ) -> Address:
        """Parts that are wrong are reported where the provider is ``used``. ``known`` are values by a part's name."""
        placed = any(part.needed and self.layers.first(part.variables) for part in spec.parts)
        values = {part: self._value(part, used) or known.get(part.name, "") for part in spec.parts}
        filled = _filled(spec, values)
        if spec.site:
            filled = _host(filled)  # its path is for the site to say
        url = settings.base_url or filled
        given = bool(settings.base_url) or placed
        owner = self._owner(spec, url)
        foreign = bool(settings.base_url) and urlsplit(url).netloc != urlsplit(spec.base_url).netloc
        if not url or owner is None or owner.site is None:
            return Address(
                completed(url, spec), spec.auth, given=given, lacks=() if url else _lacks(values), foreign=foreign
            )
        written = self.layers.first((*variables(spec, VERSION), *variables(owner, VERSION)))
        version = settings.api_version or self._version(written)
        base_url, query = owner.site.place(url, spec.dialect, version)
        if used and written and version and not query:
            written.warn(
                self.report, f"this is not used: {spec.id} is asked at a URL that takes no version of the API."
            )
        auth = spec.auth if owner.id == spec.id else owner.auth
        return Address(base_url, auth, query, given, foreign=foreign, cloud=True)

    def _owner(self, spec: ProviderSpec, url: str) -> ProviderSpec | None:
        """The row whose way of being asked holds at this address."""
        if spec.site:
            return spec
        return next((row for row in self.sites if row.site and row.site.has(url)), None)

    def _version(self, written: Value | None) -> str:
        """The version of the cloud's API, where it is a good one; the cloud's own row reports one that is not."""
        values = {VERSION.lower(): written} if written else {}
        return fill(RowSettings, values, Report()).api_version

    def _value(self, part: Part, used: bool) -> str:
        return self._text(part.variables, used) or self._text(part.shared, False)

    def _text(self, names: Sequence[str], used: bool) -> str:
        value = self.layers.first(names)
        text = value.text.strip() if value else ""
        if value is None or re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", text):
            return text
        if used:
            value.reject(
                self.report,
                "is not made of letters, digits and -",
                "Write the name alone, without https:// and without a dot.",
            )
        return ""


def _filled(spec: ProviderSpec, values: Mapping[Part, str]) -> str:
    """The row's base URL with the values of its parts in it; "" where one is missing."""
    url = spec.base_url
    for part, value in values.items():
        if not value and part.needed:
            return ""
        url = part.put(url, value) if value else url
    return url


def _lacks(values: Mapping[Part, str]) -> tuple[Lack, ...]:
    return tuple(
        Lack(part.name, part.variables[0]) for part in values if part.needed and part.name and not values[part]
    )


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if url else ""


def completed(url: str, spec: ProviderSpec) -> str:
    """A bare host of an OpenAI-shaped provider means ``/v1`` under it, as in ferryllm; Gemini's, ``/v1beta``."""
    bare = {"openai_chat": "/v1", "gemini": "/v1beta"}.get(spec.dialect, "")
    return url + bare if url and not urlsplit(url).path else url
