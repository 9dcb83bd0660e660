"""Makes .env.example from the settings and the catalog: ``python -m gateway.cli.env_example > .env.example``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic.fields import FieldInfo

from gateway.settings.row_settings import KEY, KEYS, RowSettings, takes_settings, variables
from gateway.settings.variables import DEFAULTS, Globals
from providers.catalog import CATALOG
from providers.spec import Face, LoginKind, ProviderSpec

HEAD = """\
# Keyturn's settings. Copy this file to .env and take the # away from the lines that you need.
# The values shown are the defaults; <...> stands for something of your own.
# The environment wins over this file, except for ANTHROPIC_AUTH_TOKEN: there the file wins."""

SECTIONS = {
    "Where Keyturn listens": ("host", "port", "ssl_certfile", "ssl_keyfile", "forwarded_allow_ips"),
    "Who may use it": ("anthropic_auth_token", "keyturn_allow_open", "metrics_token", "keyturn_admin_token"),
    "Which model answers": (
        "model",
        "model_opus",
        "model_sonnet",
        "model_haiku",
        "enable_model_thinking",
        "enable_opus_thinking",
        "enable_sonnet_thinking",
        "enable_haiku_thinking",
    ),
    "Which model takes over where that one fails": (
        "model_fallbacks",
        "model_opus_fallbacks",
        "model_sonnet_fallbacks",
        "model_haiku_fallbacks",
    ),
    "Which models are listed": ("catalog_refresh",),
    "How long to wait": (
        "http_connect_timeout",
        "http_write_timeout",
        "http_read_timeout",
        "first_token_timeout",
        "request_deadline",
        "stream_keepalive_after",
        "stream_floor",
        "body_read_timeout",
        "drain_timeout",
    ),
    "How much a provider is asked, and how often again": (
        "provider_rate_limit",
        "provider_rate_window",
        "provider_max_concurrency",
        "queue_limit",
        "queue_max_wait",
        "provider_max_retries",
        "provider_retry_base_delay",
        "provider_retry_max_delay",
        "session_affinity",
    ),
    "What Keyturn answers itself: Claude Code's trivial questions (docs/local-answers.md)": (
        "enable_title_generation_skip",
        "enable_suggestion_mode_skip",
        "fast_prefix_detection",
        "enable_filepath_extraction_mock",
        "enable_network_probe_mock",
    ),
    "What several processes share, and what outlasts a restart": (
        "redis_url",
        "keyturn_redis_prefix",
        "keyturn_processes",
        "keyturn_state_file",
    ),
    "Size of requests, and logs": (
        "body_limit_mb",
        "log_level",
        "log_format",
        "log_file",
        "log_file_level",
        "log_file_max_mb",
        "log_file_keep",
        "log_raw_api_payloads",
        "log_raw_sse_events",
        "log_api_error_tracebacks",
    ),
    "Traces": (
        "keyturn_traces",
        "otel_exporter_otlp_endpoint",
        "otel_exporter_otlp_traces_endpoint",
        "otel_exporter_otlp_headers",
        "otel_service_name",
    ),
}
SHOWN = {
    "session_affinity": "on",
    "redis_url": "",
    "anthropic_auth_token": "<a token you choose>",
    "metrics_token": "<a token you choose>",
    "keyturn_admin_token": "<a token you choose>",
}
# Their default is another variable's value, or depends on the terminal.
BLANK = (
    "forwarded_allow_ips",
    "enable_opus_thinking",
    "enable_sonnet_thinking",
    "enable_haiku_thinking",
    "log_format",
    "provider_rate_limit",
    "provider_rate_window",
    "provider_max_concurrency",
)
TIMEOUTS = {
    "read_timeout": DEFAULTS.read,
    "write_timeout": DEFAULTS.write,
    "connect_timeout": DEFAULTS.connect,
    "first_token_timeout": DEFAULTS.first_token,
}
LOGINS = {
    LoginKind.GOOGLE: "Needs no key where there are Google's Application Default Credentials: "
    "GOOGLE_APPLICATION_CREDENTIALS or gcloud's.",
    LoginKind.AWS: "Or AWS credentials (AWS_ACCESS_KEY_ID, AWS_PROFILE, a role), with keyturn[bedrock] installed.",
}
KEY_HELP = {KEY: "The key.", KEYS: "Further keys, between commas or spaces: Keyturn takes them in turn."}


def text() -> str:
    """The whole file."""
    parts = [HEAD, *_sections(), _legend(), *(_provider(spec) for spec in CATALOG if takes_settings(spec))]
    return "\n\n".join(parts) + "\n"


def _sections() -> Iterator[str]:
    for heading, names in SECTIONS.items():
        lines = [f"# == {heading}"]
        for name in names:
            field = Globals.model_fields[name]
            lines += [f"# {field.description}", f"#{name.upper()}={_shown(name, field)}"]
        yield "\n".join(lines)


def _shown(name: str, field: FieldInfo) -> str:
    if name in SHOWN or name in BLANK:
        return SHOWN.get(name, "")
    default = field.get_default()
    return str(default).lower() if isinstance(default, bool) else _plain(default)


def _plain(default: object) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default)


def _legend() -> str:
    """What the variables of a provider mean: the same for every one."""
    described = {name.upper(): field.description for name, field in RowSettings.model_fields.items()}
    lines = [f"#   _{name}: {meaning}" for name, meaning in {**KEY_HELP, **described}.items()]
    return "\n".join(["# == Providers", "# Each has the same variables, with a name of its own before them:", *lines])


def _provider(spec: ProviderSpec) -> str:
    lines = [f"# -- {spec.title} ({spec.id})"]
    if spec.key_url:
        lines.append(f"# Keys are made at {spec.key_url}")
    if not spec.needs_key:
        lines.append("# Runs on this machine; a key is sent where one is set.")
    if spec.login:
        lines.append(f"# {LOGINS[spec.login]}")
    if spec.placeless:
        lines.append(f"# Needs to know where it is: {spec.prefixes[0]}_BASE_URL={spec.base_url}, or one of these:")
    if spec.pooling:
        lines.append(f"# Several keys: {spec.pooling}")
    return "\n".join([*lines, *(f"#{name}={value}" for name, value in _values(spec).items())])


def _values(spec: ProviderSpec) -> dict[str, str]:
    settings = {KEY: "<your key>", KEYS: "", "BASE_URL": "" if spec.placeless else spec.base_url}
    settings |= {"API_VERSION": ""} if spec.site else {}
    settings |= {"PROXY": ""}
    settings |= {"DIALECT": spec.dialect} if spec.faces else {}
    settings |= {name.upper(): _plain(default) for name, default in TIMEOUTS.items()}
    settings |= {name: _plain(fact) for name, fact in _facts(spec) if fact is not None}
    return dict(_places(spec)) | {variables(spec, setting)[0]: value for setting, value in settings.items()}


def _places(spec: ProviderSpec) -> Iterator[tuple[str, str]]:
    """The other variables that say where it is."""
    spoken: Sequence[ProviderSpec | Face] = (spec, *spec.faces)
    for each in spoken:
        yield from ((name, "") for name in each.base_variables or ())
        yield from ((part.variables[0], "" if part.needed else part.text) for part in each.parts or ())


def _facts(spec: ProviderSpec) -> Iterator[tuple[str, float | None]]:
    """The limits that the row knows of."""
    yield "RATE_LIMIT", spec.rate
    yield "RATE_WINDOW", spec.window if spec.rate else None
    yield "MAX_CONCURRENCY", spec.concurrency


if __name__ == "__main__":
    print(text(), end="")
