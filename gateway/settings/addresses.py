"""Where a provider is: an operator's base URL, or the row's with an operator's parts in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from gateway.settings.row_settings import RowSettings, variables
from gateway.settings.values import fill
from providers.addresses import Part
from providers.spec import Auth, ProviderSpec

VERSION = "API_VERSION"


@dataclass(frozen=True, slots=True)
class Address:
    """``base_url`` is "" where only an operator knows it, and has not said; ``given``: an operator has."""

    base_url: str
    auth: Auth
    query: str = ""
    given: bool = False
    foreign: bool = False  # an operator's, at a host that is not the row's
    cloud: bool = False  # that of a cloud, which is asked in its own way


@dataclass(frozen=True, slots=True)
class AddressReader:
    """``sites`` are the rows of clouds that are known by their addresses."""

    sites: Sequence[ProviderSpec]
    layers: Layers
    report: Report

    def read(self, spec: ProviderSpec, settings: RowSettings, used: bool) -> Address:
        """Parts that are wrong are reported where the provider is ``used``."""
        filled = self._filled(spec, used)
        if spec.site:
            filled = _host(filled)  # its path is for the site to say
        url = settings.base_url or filled
        given = bool(settings.base_url or (spec.placeless and filled))
        owner = self._owner(spec, url)
        foreign = bool(settings.base_url) and urlsplit(url).netloc != urlsplit(spec.base_url).netloc
        if not url or owner is None or owner.site is None:
            return Address(completed(url, spec), spec.auth, given=given, foreign=foreign)
        written = self.layers.first((*variables(spec, VERSION), *variables(owner, VERSION)))
        version = settings.api_version or self._version(written)
        base_url, query = owner.site.place(url, spec.dialect, version)
        if used and written and version and not query:
            written.warn(
                self.report, f"this is not used: {spec.id} is asked at a URL that takes no version of the API."
            )
        return Address(base_url, spec.auth if owner.id == spec.id else owner.auth, query, given, foreign, True)

    def _owner(self, spec: ProviderSpec, url: str) -> ProviderSpec | None:
        """The row whose way of being asked holds at this address."""
        if spec.site:
            return spec
        return next((row for row in self.sites if row.site and row.site.has(url)), None)

    def _version(self, written: Value | None) -> str:
        """The version of the cloud's API, where it is a good one; the cloud's own row reports one that is not."""
        values = {VERSION.lower(): written} if written else {}
        return fill(RowSettings, values, Report()).api_version

    def _filled(self, spec: ProviderSpec, used: bool) -> str:
        """The row's base URL with the parts that an operator names; "" where one is missing."""
        url = spec.base_url
        for part in spec.parts:
            text = self._text(part, used)
            if not text and part.needed:
                return ""
            url = url.replace(part.text, text or part.text)
        return url

    def _text(self, part: Part, used: bool) -> str:
        value = self.layers.first(part.variables)
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


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if url else ""


def completed(url: str, spec: ProviderSpec) -> str:
    """A bare host of an OpenAI-shaped provider means ``/v1`` under it, as in ferryllm."""
    bare = url and spec.dialect == "openai_chat" and not urlsplit(url).path
    return f"{url}/v1" if bare else url
