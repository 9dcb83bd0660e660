"""The settings that are Keyturn's own, as variables. Those of a provider are in ``provider_settings.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.settings.layers import Layers, Value
from gateway.settings.redis_address import Prefix, RedisUrl
from gateway.settings.report import Report
from gateway.settings.values import (
    Affinity,
    Count,
    Delay,
    Floor,
    Host,
    Limit,
    LogFormat,
    LogLevel,
    MaybeUrl,
    Megabytes,
    Networks,
    Patience,
    Period,
    Port,
    Schemes,
    SearchEngine,
    Seconds,
    Switch,
    Text,
    Token,
    Whole,
    explain,
    is_placeholder,
)
from providers.spec import Retries, Rotation, Timeouts, Traffic

DEFAULTS = Timeouts()
TRAFFIC = Traffic()
RETRIES = Retries()
ROTATION = Rotation()
REMOVED = ("NIM_ENABLE_THINKING", "ENABLE_THINKING")
SECRETS = ("anthropic_auth_token", "metrics_token", "keyturn_admin_token", "web_search_api_key")
BLANK_MEANS_SOMETHING = ("anthropic_auth_token", "http_read_timeout")
# What earlier systems call the same; Keyturn's own name wins.
EARLIER_NAMES = {
    "log_level": "CONSOLE_LOG_LEVEL",
    "log_file": "LOG_FILE_PATH",
    "log_file_level": "FILE_LOG_LEVEL",
    "log_raw_api_payloads": "LOG_REQUEST_BODY",
    "log_raw_sse_events": "LOG_RESPONSE_BODY",
}


class LayerSource(PydanticBaseSettingsSource):
    """Hands pydantic-settings the layers in place of the process's environment."""

    def __init__(self, settings_cls: type[BaseSettings], layers: Layers) -> None:
        super().__init__(settings_cls)
        self._layers = layers

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        value = written(self._layers, field_name)
        if value is None or (field_name in SECRETS and is_placeholder(value.text)):
            return None, field_name, False
        blank = not value.text.strip() and field_name not in BLANK_MEANS_SOMETHING
        return None if blank else value.text.strip(), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: text for name, text in found.items() if text is not None}


class Globals(BaseSettings):
    """Field ``http_read_timeout`` is the variable HTTP_READ_TIMEOUT and the key http_read_timeout of keyturn.toml."""

    model_config = SettingsConfigDict(
        frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True, validate_default=False
    )

    host: Host = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 is every address of this machine.")
    port: Port = Field(8082, description="Port to listen on.")
    ssl_certfile: Text = Field("", description="PEM file of a certificate: Keyturn then speaks HTTPS itself.")
    ssl_keyfile: Text = Field("", description="PEM file of its key, where the certificate's file does not hold it.")
    forwarded_allow_ips: Networks = Field(
        (),
        description="Addresses of proxies whose X-Forwarded-For is believed, between commas: 10.0.0.0/8. Blank: none.",
    )
    anthropic_auth_token: Token = Field(
        None, description="Token that clients send. Needed on any address but 127.0.0.1. Any text of your own."
    )
    keyturn_allow_open: Switch = Field(
        False, description="true serves everybody who reaches the address, without a token."
    )
    metrics_token: Token = Field(None, description="Bearer token for /metrics where the address is not loopback.")
    keyturn_admin_token: Token = Field(None, description="Bearer token for /admin. Any text of your own.")
    model: Text = Field(
        "",
        description="provider/model that answers, such as anthropic/claude-sonnet-5. Unset: the first one with a key.",
    )
    model_opus: Text = Field("", description="provider/model for the names that contain opus. Blank: MODEL.")
    model_sonnet: Text = Field("", description="provider/model for the names that contain sonnet. Blank: MODEL.")
    model_haiku: Text = Field("", description="provider/model for the names that contain haiku. Blank: MODEL.")
    model_fallbacks: Text = Field(
        "", description="provider/model, ... that take over, in this order, where another target fails."
    )
    model_opus_fallbacks: Text = Field("", description="The same for opus, before MODEL_FALLBACKS.")
    model_sonnet_fallbacks: Text = Field("", description="The same for sonnet, before MODEL_FALLBACKS.")
    model_haiku_fallbacks: Text = Field("", description="The same for haiku, before MODEL_FALLBACKS.")
    enable_model_thinking: Switch = Field(True, description="false switches thinking off.")
    enable_opus_thinking: Switch = Field(True, description="The same for opus. Blank: ENABLE_MODEL_THINKING.")
    enable_sonnet_thinking: Switch = Field(True, description="The same for sonnet. Blank: ENABLE_MODEL_THINKING.")
    enable_haiku_thinking: Switch = Field(True, description="The same for haiku. Blank: ENABLE_MODEL_THINKING.")
    http_connect_timeout: Seconds = Field(DEFAULTS.connect, description="Seconds to connect to a provider.")
    http_write_timeout: Seconds = Field(DEFAULTS.write, description="Seconds to send a piece of a request.")
    http_read_timeout: Patience = Field(
        DEFAULTS.read, description="Seconds of silence inside an answer. Blank, 0, none or off: wait for ever."
    )
    first_token_timeout: Seconds = Field(
        DEFAULTS.first_token, description="Seconds until the first content of a streamed answer."
    )
    request_deadline: Seconds = Field(
        240.0, description="Seconds until the first content, over all keys and targets of a call."
    )
    stream_keepalive_after: Seconds = Field(
        30.0, description="Seconds without content after which a waiting client is sent pings."
    )
    stream_floor: Floor = Field(
        0.0, description="Bytes a second, over half a minute, below which a stream counts as stalled. 0: none."
    )
    provider_rate_limit: Limit = Field(
        None,
        description="Calls to one provider in any PROVIDER_RATE_WINDOW. Unset: what the provider is known to allow.",
    )
    provider_rate_window: Period = Field(None, description="Seconds. Unset: the provider's own, mostly 60.")
    provider_max_concurrency: Limit = Field(
        None, description="Open calls to one provider. Unset: what the provider is known to allow."
    )
    provider_max_retries: Count = Field(
        RETRIES.most, description="Repeats of a call after 5xx, timeouts and broken connections."
    )
    provider_retry_base_delay: Delay = Field(
        RETRIES.base_delay, description="Seconds before the first repeat; each further one waits twice as long."
    )
    provider_retry_max_delay: Delay = Field(RETRIES.max_delay, description="Seconds that no repeat waits longer than.")
    queue_limit: Whole = Field(TRAFFIC.queue_limit, description="Calls that may wait for one provider at once.")
    queue_max_wait: Seconds = Field(
        TRAFFIC.queue_wait, description="Seconds that one call may wait for a provider before it is answered 429."
    )
    session_affinity: Affinity = Field(
        ROTATION.affinity,
        description="Keeps a session at the key that served it last: on (300 seconds), off, or seconds.",
    )
    catalog_refresh: Patience = Field(
        3600.0, description="Seconds between two looks at the providers' lists of models. 0 or off: never."
    )
    enable_title_generation_skip: Switch = Field(
        True, description="A title for the session is made of its first words. false: a model writes it."
    )
    enable_suggestion_mode_skip: Switch = Field(
        True, description="The suggestion of what the user may type next is left empty. false: a model writes it."
    )
    fast_prefix_detection: Switch = Field(
        True,
        description="The prefix of a plain shell command is read here. false: a model is asked, as for all others.",
    )
    enable_filepath_extraction_mock: Switch = Field(
        True, description="The files that a plain shell command has shown are listed here. false: a model is asked."
    )
    enable_network_probe_mock: Switch = Field(
        True, description="A request of one token that asks for the quota is answered here. false: a model is asked."
    )
    redis_url: RedisUrl = Field(
        None, description="redis:// URL of the state that several Keyturns share. Unset: each keeps its own."
    )
    keyturn_redis_prefix: Prefix = Field(
        "keyturn:", description="What the names of Keyturn's keys in Redis begin with."
    )
    keyturn_processes: Whole = Field(
        1, description="How many processes share the limits: each keeps to its part while Redis is away."
    )
    keyturn_state_file: Text = Field(
        "",
        description="File in which rests, counts, findings and made tokens outlast a restart. Not with REDIS_URL.",
    )
    enable_web_server_tools: Switch = Field(
        False,
        description="true runs web_search and web_fetch here for upstreams that have none: requests from this machine.",
    )
    web_search_engine: SearchEngine = Field(
        "duckduckgo", description="duckduckgo, searxng (needs WEB_SEARCH_URL), brave or tavily (need a key)."
    )
    web_search_url: MaybeUrl = Field("", description="Address of a SearXNG; for the others, in place of their own.")
    web_search_api_key: Token = Field(None, description="Key for Brave or Tavily.")
    web_fetch_allowed_schemes: Schemes = Field(
        frozenset({"http", "https"}), description="Schemes of the URLs that may be fetched, between commas."
    )
    web_fetch_allow_private_networks: Switch = Field(
        False, description="true lets models fetch from this machine and its networks. For a laboratory only."
    )
    web_tools_rate_limit: Whole = Field(
        60,
        description="Searches and fetches in any minute, of all clients together, in each process; more are refused.",
    )
    body_limit_mb: Megabytes = Field(32.0, description="Largest request, in megabytes.")
    body_read_timeout: Seconds = Field(30.0, description="Seconds a client may take to send its request.")
    drain_timeout: Seconds = Field(120.0, description="Seconds that open streams get to finish when Keyturn stops.")
    log_level: LogLevel = Field("INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    log_format: LogFormat = Field("json", description="json or console. Unset: console on a terminal, else json.")
    log_file: Text = Field("", description="File for a copy of the log, as JSON lines, added to at every start.")
    log_file_level: LogLevel = Field("INFO", description="As LOG_LEVEL, for that file.")
    log_file_max_mb: Megabytes = Field(50.0, description="Megabytes from which on the file is put aside.")
    log_file_keep: Whole = Field(4, description="Files put aside that are kept: keyturn.log.1 is the latest.")
    log_raw_api_payloads: Switch = Field(
        False, description="true logs requests as they come, without keys and tokens, at the level DEBUG."
    )
    log_raw_sse_events: Switch = Field(False, description="The same for answers.")
    log_api_error_tracebacks: Switch = Field(
        False, description="true logs the texts of errors, in which words of a conversation may stand."
    )
    keyturn_traces: Switch = Field(
        False, description="true sends OpenTelemetry traces, without content: pip install keyturn[otel]."
    )
    otel_exporter_otlp_endpoint: Text = Field(
        "", description="Where traces go, by OTLP over HTTP: http://127.0.0.1:4318."
    )
    otel_exporter_otlp_traces_endpoint: Text = Field("", description="The same, with the path: .../v1/traces.")
    otel_exporter_otlp_headers: Text = Field("", repr=False, description="Sent with traces: name=value,name=value.")
    otel_service_name: Text = Field("keyturn", description="What the gateway is called in traces.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        layers: Layers = init_settings()["layers"]
        return (LayerSource(settings_cls, layers),)

    @classmethod
    def read(cls, layers: Layers, report: Report) -> Globals:
        """What is wrong is reported and left at its default."""
        try:
            return cls.model_validate({"layers": layers})
        except ValidationError as invalid:
            bad = explain(invalid, cls.model_fields, _written(layers), report)
        dropped = [EARLIER_NAMES.get(name, name) for name in bad]
        return cls.model_validate({"layers": layers.without(name.upper() for name in (*bad, *dropped))})

    def is_set(self, name: str) -> bool:
        """Whether an operator set the field to something."""
        return name in self.model_fields_set


def variables() -> tuple[str, ...]:
    """The names of all global variables."""
    return tuple(name.upper() for name in Globals.model_fields)


def refuse_removed(layers: Layers, report: Report) -> None:
    """Earlier systems' names that mean nothing any more: going on would switch thinking the wrong way."""
    for name in REMOVED:
        for value in layers.every(name):
            value.reject(
                report,
                "this variable was removed",
                "Use ENABLE_MODEL_THINKING, or ENABLE_OPUS_THINKING, ENABLE_SONNET_THINKING and ENABLE_HAIKU_THINKING "
                "for one tier.",
            )


def written(layers: Layers, name: str) -> Value | None:
    """What an operator wrote for a field, under its own name or an earlier system's."""
    value = layers.find(name.upper())
    if (value is None or not value.text.strip()) and name in EARLIER_NAMES:
        return layers.find(EARLIER_NAMES[name]) or value
    return value


def _written(layers: Layers) -> Mapping[str, Value]:
    found = {name: written(layers, name) for name in Globals.model_fields}
    return {name: value for name, value in found.items() if value is not None}
