"""The settings that every provider has, and the rows that they are laid over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.settings.layers import Value
from gateway.settings.values import (
    Affinity,
    ApiVersion,
    BaseUrl,
    Count,
    Delay,
    Floor,
    Limit,
    MaybeSwitch,
    Order,
    Patience,
    Period,
    ProxyUrl,
    Seconds,
    Text,
    Window,
)
from gateway.settings.variables import DEFAULTS, RETRIES, ROTATION
from providers.spec import Limits, ProviderSpec, UnseenImages

KEY = "API_KEY"
KEYS = "API_KEYS"
BASE_URL = "BASE_URL"


class RowSettings(BaseModel):
    """Field ``read_timeout`` is the variable GROQ_READ_TIMEOUT for the row with the prefix GROQ."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)

    base_url: BaseUrl = Field(
        "", description="Where the provider is; replaces the whole URL. {model} in it stands for the model's name."
    )
    api_version: ApiVersion = Field(
        "", description="The api-version to ask Azure's URLs for; blank: AZURE_API_VERSION, else what the URL needs."
    )
    dialect: Text = Field(
        "",
        description="The format to ask in, where the provider has several: anthropic, openai, openai_responses or "
        "gemini. docs/providers.md.",
    )
    proxy: ProxyUrl = Field(None, description="http://, https:// or socks5:// proxy for this provider alone.")
    read_timeout: Patience = Field(DEFAULTS.read, description="As HTTP_READ_TIMEOUT; blank: that one.")
    write_timeout: Seconds = Field(DEFAULTS.write, description="As HTTP_WRITE_TIMEOUT.")
    connect_timeout: Seconds = Field(DEFAULTS.connect, description="As HTTP_CONNECT_TIMEOUT.")
    first_token_timeout: Seconds = Field(DEFAULTS.first_token, description="As FIRST_TOKEN_TIMEOUT.")
    rate_limit: Limit = Field(None, description="As PROVIDER_RATE_LIMIT.")
    rate_window: Period = Field(None, description="As PROVIDER_RATE_WINDOW.")
    max_concurrency: Limit = Field(None, description="As PROVIDER_MAX_CONCURRENCY.")
    max_retries: Count = Field(RETRIES.most, description="As PROVIDER_MAX_RETRIES.")
    retry_base_delay: Delay = Field(RETRIES.base_delay, description="As PROVIDER_RETRY_BASE_DELAY.")
    retry_max_delay: Delay = Field(RETRIES.max_delay, description="As PROVIDER_RETRY_MAX_DELAY.")
    key_order: Order = Field(
        ROTATION.order,
        description="Which key is next: least_recent, weighted (in keyturn.toml), or sticky (one for long).",
    )
    key_usage_limit: Count = Field(
        ROTATION.usage_limit, description="Successful calls after which the next key is taken; 0: no such limit."
    )
    key_usage_window: Window = Field(
        ROTATION.usage_window,
        description="When that count begins again: round (all keys had their turn), day or month.",
    )
    session_affinity: Affinity = Field(ROTATION.affinity, description="As SESSION_AFFINITY.")
    stream_floor: Floor = Field(0.0, description="As STREAM_FLOOR.")
    tool_guardian: MaybeSwitch = Field(
        None,
        description="true looks for tool calls in the text of answers, false passes calls on as they come. "
        "Unset: docs/tool-calls.md.",
    )


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One of [[providers.keys]]: a key, and what is known of it."""

    where: str  # the table's name in messages
    origin: str
    value: Value
    label: Value | None
    weight: float
    account: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Row:
    """A provider that Keyturn knows: a row of the catalog, or an entry of keyturn.toml, or one over the other."""

    spec: ProviderSpec
    listed: bool = False  # keyturn.toml has an entry for it
    added: bool = False  # and the catalog has no row
    max_output_tokens: int | None = None
    min_output_tokens: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    keys: tuple[KeyEntry, ...] = ()
    models: tuple[tuple[str, Limits], ...] = ()
    extra_body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    images: UnseenImages = UnseenImages.NOTE


def takes_settings(spec: ProviderSpec) -> bool:
    """Whether the provider is reached over the network; the demo is not."""
    return not spec.base_url.startswith("demo:")


def variables(spec: ProviderSpec, setting: str) -> tuple[str, ...]:
    """All names of a provider's setting such as ``BASE_URL``, the one we write first."""
    names = tuple(f"{prefix}_{setting}" for prefix in spec.prefixes)
    further = {KEY: spec.key_variables, BASE_URL: spec.base_variables}
    return names + further.get(setting, ())
