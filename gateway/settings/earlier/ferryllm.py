"""ferryllm: its TOML file is keyturn.toml with tables for what Keyturn writes at the top level. Pure.

Its names, defaults and meanings are those of its configuration and prompt-caching guides (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from gateway.settings.layers import Layers, Value
from gateway.settings.model import ClientToken
from gateway.settings.toml_table import Table
from gateway.settings.values import is_placeholder, secret_problem
from middleware.grant import Grant, digest
from providers.quirks import NO_QUIRKS
from providers.secret import Secret
from providers.spec import EFFORTS, POLICIES, PromptCache, ProviderConfig, ReasoningPolicy

NAME = "ferryllm"
PAGE = "docs/moving/ferryllm.md"
TABLES = ("server", "logging", "auth", "metrics", "prompt_cache")
DEFAULT = "ferryllm's default"
LISTEN = "0.0.0.0:3000"
HIGHEST = 65535  # port
LEVELS = {"trace": "DEBUG", "debug": "DEBUG", "info": "INFO", "warn": "WARNING", "warning": "WARNING", "error": "ERROR"}
# What a key of [server] is here.
SERVER = {
    "request_timeout_secs": "REQUEST_DEADLINE",
    "body_limit_mb": "BODY_LIMIT_MB",
    "max_concurrent_requests": "PROVIDER_MAX_CONCURRENCY",
    "rate_limit_per_minute": "PROVIDER_RATE_LIMIT",
    "retry_attempts": "PROVIDER_MAX_RETRIES",
}
REASONING = ("default_reasoning_effort", "max_reasoning_effort", "reasoning_policy")
BREAKER = ("circuit_breaker_failures", "circuit_breaker_cooldown_secs")
BREAKERS_OWN = "Keyturn finds out by itself which keys and models fail, and lets them rest"
PER_KEY = ("per_key_rate_limit_per_minute", "per_key_max_concurrent_requests")
CACHE_SWITCHES = ("auto_inject_anthropic_cache_control", "cache_system", "cache_tools", "cache_last_user_message")
CACHE_TEXTS = ("openai_prompt_cache_key", "openai_prompt_cache_retention")
STRIP = "strip_system_line_prefixes"
BILLING = "x-anthropic-billing-header:"  # a line that changes with every request, left out of what is translated
CACHE_REST = (
    "debug_log_request_shape",
    "relocate_system_prefix_range",
    "log_relocated_system_text",
    STRIP,
)


@dataclass(frozen=True, slots=True)
class Ferry:
    """What its tables say in Keyturn's names. ``values`` are by our variables, ``first`` is a table that told it."""

    first: str
    values: dict[str, Value] = field(default_factory=dict)
    tokens: tuple[ClientToken, ...] = ()
    metrics: bool = True
    cache: PromptCache | None = None
    reasoning: ReasoningPolicy | None = None
    notes: tuple[str, ...] = ()

    def governing(self, config: ProviderConfig) -> ProviderConfig:
        """Its policies in every face of a provider."""
        told = replace(self.reasoning, tells=config.quirks == NO_QUIRKS) if self.reasoning else None
        return replace(
            config,
            cache=self.cache,
            reasoning=told,
            second=self.governing(config.second) if config.second else None,
            faces=tuple((beginnings, self.governing(face)) for beginnings, face in config.faces),
        )

    @property
    def told(self) -> tuple[str, ...]:
        """For the banner."""
        return (f"this is read as a configuration of {NAME}, told by [{self.first}]: {PAGE}", *self.notes)


def is_ferryllms(top: Table) -> bool:
    """Whether the file has one of its tables, which Keyturn's own have not."""
    return bool(_tables(top))


def read(top: Table, outside: Layers) -> Ferry:
    """``outside`` are the sources in which ``auth.api_keys_env`` looks its variable up."""
    server, cache = _table(top, "server"), _table(top, "prompt_cache")
    server.refuse_unknown(("listen", *SERVER, "retry_backoff_ms", *BREAKER, *REASONING))
    cache.refuse_unknown((*CACHE_SWITCHES, *CACHE_TEXTS, *CACHE_REST))
    metrics = _table(top, "metrics")
    metrics.refuse_unknown(("enabled",))
    return Ferry(
        first=_tables(top)[0],
        values={**dict(_listen(server)), **dict(_server(server)), **dict(_logging(_table(top, "logging")))},
        tokens=_tokens(_table(top, "auth"), outside),
        metrics=_switch(metrics, "enabled", True),
        cache=_cache(cache),
        reasoning=_reasoning(server),
        notes=tuple(_notes(server)),
    )


def _tables(top: Table) -> list[str]:
    return [name for name in TABLES if isinstance(top.data.get(name), dict)]


def _table(top: Table, name: str) -> Table:
    data = top.data.get(name, {})
    if not isinstance(data, dict):
        top.reject(name, "is not a table", f"Begin it with a line [{name}].")
        data = {}
    return top.inner(name, data)


def _switch(table: Table, key: str, default: bool) -> bool:
    value = table.data.get(key, default)
    if isinstance(value, bool):
        return value
    table.reject(key, "is not true or false", f"Write {key} = true or {key} = false.")
    return default


def _listen(server: Table) -> Iterator[tuple[str, Value]]:
    given = "listen" in server.data
    text = server.text("listen", LISTEN)
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) <= HIGHEST):
        server.reject("listen", f"{text!r} is no address with a port", 'Write for example listen = "127.0.0.1:3000".')
        return
    for name, part in (("HOST", host.strip("[]")), ("PORT", port)):
        yield name, server.value("listen", part) if given else Value(server.name("listen"), part, DEFAULT)


def _server(server: Table) -> Iterator[tuple[str, Value]]:
    for key, name in SERVER.items():
        if key in server.data and (value := server.scalar(key)):
            yield name, value
    if "rate_limit_per_minute" in server.data:
        yield "PROVIDER_RATE_WINDOW", server.value("rate_limit_per_minute", "60")
    backoff = server.data.get("retry_backoff_ms")
    if isinstance(backoff, int) and not isinstance(backoff, bool) and backoff > 0:
        yield "PROVIDER_RETRY_BASE_DELAY", server.value("retry_backoff_ms", str(backoff / 1000))
    elif backoff is not None:
        server.reject("retry_backoff_ms", "is not a whole number above 0", "Write for example retry_backoff_ms = 100.")


def _logging(logging: Table) -> Iterator[tuple[str, Value]]:
    logging.refuse_unknown(("level", "format", "ansi"))
    if "level" in logging.data:
        text = logging.text("level", "info").lower()
        yield "LOG_LEVEL", logging.value("level", LEVELS.get(text, text))
    if "format" in logging.data and (value := logging.scalar("format", text_only=True)):
        yield "LOG_FORMAT", value


def _tokens(auth: Table, outside: Layers) -> tuple[ClientToken, ...]:
    """The keys that clients may send, from one variable, between commas."""
    auth.refuse_unknown(("enabled", "api_keys_env", *PER_KEY))
    for key in PER_KEY:
        if key in auth.data:
            auth.warn(key, "this has no effect: Keyturn's limits are those of providers and of their keys.")
    if not _switch(auth, "enabled", False):
        return ()
    name = auth.required("api_keys_env", "FERRYLLM_API_KEYS")
    value = outside.find(name) if name else None
    texts = [text.strip() for text in value.text.split(",") if text.strip()] if value else []
    if name and not texts:
        auth.reject("api_keys_env", f"the variable {name} holds no key", f"Set {name} in the environment or in .env.")
    for text in texts:
        if problem := "is a placeholder" if is_placeholder(text) else secret_problem(text):
            auth.reject("api_keys_env", f"a key in {name} {problem}", "Copy it again, without quotes or line breaks.")
            return ()
    place = auth.value("api_keys_env", name)
    return tuple(
        ClientToken(Grant(f"client-{number}"), digest(text), Secret(text), place.origin, place.line)
        for number, text in enumerate(dict.fromkeys(texts), 1)
    )


def _cache(cache: Table) -> PromptCache:
    on, *parts = (_switch(cache, key, True) for key in CACHE_SWITCHES)
    if "relocate_system_prefix_range" in cache.data:
        cache.warn("relocate_system_prefix_range", "this has no effect: Keyturn sends instructions whole and in order.")
    if cache.data.get(STRIP) and set(cache.strings(STRIP)) - {BILLING}:
        cache.warn(STRIP, f"only {BILLING} has an effect: Keyturn sends instructions whole.")
    for key in CACHE_TEXTS:
        if not isinstance(cache.data.get(key, ""), str):
            cache.reject(key, "is not a string", f'Write it in quotes, as {key} = "...".')
    name, retention = (str(cache.data.get(key, "")).strip() for key in CACHE_TEXTS)
    system, tools, last = (on and part for part in parts)
    return PromptCache(system, tools, last, name if CACHE_TEXTS[0] in cache.data else NAME, retention)


def _reasoning(server: Table) -> ReasoningPolicy | None:
    default, most = (_effort(server, key) for key in REASONING[:2])
    policy = server.text("reasoning_policy", "fill_missing")
    if policy not in POLICIES:
        server.reject("reasoning_policy", f"{policy!r} is not one of {', '.join(POLICIES)}", "Write one of these.")
    needed = {"cap": ("max_reasoning_effort", most), "force": ("default_reasoning_effort", default)}
    key, effort = needed.get(policy, ("", "none"))
    if not effort:
        server.reject("reasoning_policy", f"{policy} needs {key}", f'Add for example {key} = "medium".')
    return ReasoningPolicy(policy, default, most) if default or most else None


def _effort(server: Table, key: str) -> str:
    text = server.text(key)
    if text and text not in EFFORTS:
        server.reject(key, f"{text!r} is no effort", f"Write one of {', '.join(EFFORTS)}.")
    return text


def _notes(server: Table) -> Iterator[str]:
    if "listen" not in server.data:
        yield f"no server.listen, so as there: {LISTEN}"
    for key, what in (("max_concurrent_requests", "requests at once"), ("rate_limit_per_minute", "requests a minute")):
        if key in server.data:
            yield f"server.{key}: {what} to each provider; those above it wait in its queue"
    if any(key in server.data for key in BREAKER):
        yield f"server.{BREAKER[0]} is not needed: {BREAKERS_OWN}"
