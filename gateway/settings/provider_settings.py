"""What an operator set for a provider: the PREFIX_* variables, read for any row of the catalog by one function."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from gateway.settings.layers import Layers, Value
from gateway.settings.proxies import standard_proxy
from gateway.settings.report import Report
from gateway.settings.values import (
    BaseUrl,
    Patience,
    ProxyUrl,
    Seconds,
    fill,
    is_placeholder,
    points_here,
    secret_problem,
    split_keys,
)
from gateway.settings.variables import DEFAULTS, Globals
from providers.secret import Secret
from providers.spec import KeySource, ProviderConfig, ProviderSpec, Timeouts

KEY = "API_KEY"
KEYS = "API_KEYS"
NOT_A_KEY = "this is a placeholder, not a key: it is not used. Put the key there or remove the line."


class RowSettings(BaseModel):
    """Field ``read_timeout`` is the variable GROQ_READ_TIMEOUT for the row with the prefix GROQ."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)

    base_url: BaseUrl = Field("", description="Where the provider is; replaces the whole URL.")
    proxy: ProxyUrl = Field(None, description="http://, https:// or socks5:// proxy for this provider alone.")
    read_timeout: Patience = Field(DEFAULTS.read, description="As HTTP_READ_TIMEOUT; blank: that one.")
    write_timeout: Seconds = Field(DEFAULTS.write, description="As HTTP_WRITE_TIMEOUT.")
    connect_timeout: Seconds = Field(DEFAULTS.connect, description="As HTTP_CONNECT_TIMEOUT.")
    first_token_timeout: Seconds = Field(DEFAULTS.first_token, description="As FIRST_TOKEN_TIMEOUT.")


@dataclass(frozen=True, slots=True)
class Row:
    """A provider that Keyturn knows: a row of the catalog, or an entry of keyturn.toml, or one over the other."""

    spec: ProviderSpec
    listed: bool = False  # keyturn.toml has an entry for it
    added: bool = False  # and the catalog has no row
    max_output_tokens: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class ProviderReader:
    """Lays settings over rows, and remembers whose key is whose."""

    layers: Layers
    common: Globals
    report: Report
    _owners: dict[Secret, tuple[ProviderSpec, Value]] = field(default_factory=dict)

    def read(self, row: Row) -> ProviderConfig:
        spec = row.spec
        if not takes_settings(spec):
            return ProviderConfig(spec, spec.base_url)
        settings = fill(RowSettings, self._values(spec), self.report)
        url = _completed(settings.base_url or spec.base_url, spec)
        if row.added:
            spec = replace(spec, base_url=url, local=points_here(url))
        keys = self._keys(spec)
        return ProviderConfig(
            spec,
            base_url=url,
            keys=keys,
            proxy=settings.proxy or standard_proxy(url, self.layers, self.report),
            timeouts=_timeouts(settings, self.common),
            quirks=spec.quirks.capped(row.max_output_tokens) if row.max_output_tokens else spec.quirks,
            headers=row.headers,
            chosen=bool(keys or settings.base_url or row.listed),
        )

    def _values(self, spec: ProviderSpec) -> dict[str, Value]:
        found = {name: self.layers.first(variables(spec, name.upper())) for name in RowSettings.model_fields}
        values = {name: value for name, value in found.items() if value is not None}
        if "base_url" in values and _has_v1(values["base_url"].text, spec):
            url = values.pop("base_url")
            url.reject(self.report, f"{spec.title} wants its URL without /v1", "Drop the /v1 at the end.")
        return values

    def _keys(self, spec: ProviderSpec) -> tuple[KeySource, ...]:
        """The primary key, then the list, each key once."""
        found: dict[Secret, Value] = {}
        if value := self.layers.first(variables(spec, KEY)):
            self._take([value.text.strip()], value, spec, found)
        if value := self.layers.first(variables(spec, KEYS)):
            self._take([value.text] if is_placeholder(value.text) else split_keys(value.text), value, spec, found)
        return tuple(KeySource(secret, value.name) for secret, value in found.items())

    def _take(self, texts: Iterable[str], value: Value, spec: ProviderSpec, found: dict[Secret, Value]) -> None:
        for text in texts:
            if is_placeholder(text):
                value.warn(self.report, NOT_A_KEY)
            elif problem := secret_problem(text):
                value.reject(self.report, f"the key {problem}", "Copy it again, without quotes or line breaks.")
            else:
                found.setdefault(Secret(text), value)
                self._claim(Secret(text), value, spec)

    def _claim(self, secret: Secret, value: Value, spec: ProviderSpec) -> None:
        """Two providers with one key are a slip of the hand. Local runtimes take any word, so theirs may be alike."""
        if not spec.needs_key:
            return
        owner, first = self._owners.setdefault(secret, (spec, value))
        if owner.id != spec.id:
            value.reject(
                self.report,
                f"provider {spec.id} gets the key that provider {owner.id} has from {first.name}",
                "A key belongs to one provider: remove it from the other.",
            )


def takes_settings(spec: ProviderSpec) -> bool:
    """Whether the provider is reached over the network; the demo is not."""
    return not spec.base_url.startswith("demo:")


def variables(spec: ProviderSpec, setting: str) -> tuple[str, ...]:
    """All names of a provider's setting such as ``BASE_URL``, the one we write first."""
    names = tuple(f"{prefix}_{setting}" for prefix in spec.prefixes)
    return names + spec.key_variables if setting == KEY else names


def _timeouts(own: RowSettings, common: Globals) -> Timeouts:
    has = own.model_fields_set
    return Timeouts(
        connect=own.connect_timeout if "connect_timeout" in has else common.http_connect_timeout,
        write=own.write_timeout if "write_timeout" in has else common.http_write_timeout,
        read=own.read_timeout if "read_timeout" in has else common.http_read_timeout,
        first_token=own.first_token_timeout if "first_token_timeout" in has else common.first_token_timeout,
    )


def _completed(url: str, spec: ProviderSpec) -> str:
    """A bare host of an OpenAI-shaped provider means ``/v1`` under it, as in ferryllm."""
    bare = spec.dialect == "openai_chat" and not urlsplit(url).path
    return f"{url}/v1" if bare else url


def _has_v1(text: str, spec: ProviderSpec) -> bool:
    return spec.root_dialect == spec.dialect and text.strip().rstrip("/").endswith("/v1")
