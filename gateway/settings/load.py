"""All sources in, one frozen tree out, or every problem at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from gateway.local_answers import Probe
from gateway.settings.certificate import read_certificate
from gateway.settings.delays import refuse_common_delays
from gateway.settings.earlier.moving import move
from gateway.settings.folders import run_folders
from gateway.settings.layers import (
    CLIENT_TOKEN,
    ENVIRONMENT,
    Layers,
    Value,
    dotenv_layers,
    environment_layer,
    flag_layer,
)
from gateway.settings.log_settings import read_log_file, read_traces, warn_of_raw_logs
from gateway.settings.logins import PRODUCT, LoginFinder
from gateway.settings.misspelt import warn_of_slips
from gateway.settings.model import SHARED, ClientToken, Settings
from gateway.settings.provider_settings import ProviderReader
from gateway.settings.references import Resolver, choose_named
from gateway.settings.report import Report
from gateway.settings.secret_files import warn_of_open_files
from gateway.settings.toml_file import find_toml, read_toml
from gateway.settings.values import is_placeholder
from gateway.settings.variables import SECRETS, Globals, refuse_removed
from gateway.settings.web_tools import web_tools
from middleware.grant import Grant, digest
from middleware.loopback import is_loopback
from providers.errors import ConfigError
from providers.secret import Secret
from providers.spec import ProviderConfig

NO_FLAGS: Mapping[str, str] = MappingProxyType({})
SHORTEST = 8  # characters of a token that is no guess
FEWEST = 5  # different ones
# Words that people write in a hurry, and tokens that stand in guides to this system and to those before it.
WELL_KNOWN = (
    *("anthropic", "any-value", "anything", "changeme", "claude", "dummy", "exact-matching-key", "freecc", "letmein"),
    *("my-secret-token", "not-needed", "password", "secret", "sk-1234", "sk-dummy", "sk-test", "test", "token"),
    *("12345678", "123456789", "1234567890", "password1", "password123", "qwertyuiop", "your-api-key", "your-token"),
)
_WEAK = f"this token is easy to guess. Use at least {SHORTEST} random characters."
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client's own variable
ADMIN_TOKEN = "KEYTURN_ADMIN_TOKEN"  # noqa: S105 - a variable's name
KEYLESS_VARIABLE = "ANTHROPIC_API_KEY"


def load_from_process(config: Path | None = None, flags: Mapping[str, str] = NO_FLAGS) -> Settings:
    """``load`` with this process's environment and folders. Nothing else in Keyturn reads the environment."""
    # expanduser answers "~" where there is no home; Path.home() would raise.
    home = Path(os.path.expanduser("~"))
    return load(os.environ, Path.cwd(), home, config, flags, sys.stderr.isatty(), PRODUCT)


def load(
    environ: Mapping[str, str],
    cwd: Path,
    home: Path,
    config: Path | None = None,
    flags: Mapping[str, str] = NO_FLAGS,
    terminal: bool = False,
    product: Path | None = None,
) -> Settings:
    """Read and check the whole configuration.

    ``flags`` are by the variable that they set, ``product`` is the file in which Linux names this machine's model.
    Raises ConfigError with every problem.
    """
    report = Report()
    below = dotenv_layers(environ, cwd, home, report)
    environment = environment_layer(environ)
    outside = Layers((*below, environment))
    file = read_toml(find_toml(config, outside, cwd, home, report), outside, home, report)
    moved = move(Layers((*below, *file.layers, environment, flag_layer(flags))), file.rows, report)
    layers = moved.layers
    refuse_removed(layers, report)
    common = Globals.read(layers, report)
    refuse_common_delays(common, layers, report)
    logins = LoginFinder(layers, cwd, home, product=product)
    providers = ProviderReader(layers, common, report, logins).read_all(moved.rows)
    if ferry := file.ferry:
        providers = tuple(ferry.governing(each) for each in providers)
    routing = Resolver(providers, common, layers, report).table(file.routes)
    tokens = _tokens(common.anthropic_auth_token, file.tokens, report)
    certificate = read_certificate(layers, cwd, home, report)
    log_file = read_log_file(common, layers, cwd, home, report)
    traces = read_traces(common, layers, report)
    warn_of_raw_logs(common, layers, log_file, report)
    web = web_tools(common, layers, report)
    _warn(common, layers, providers, tokens, report)
    warn_of_slips(Layers((*below, environment)), moved.rows, report)
    warn_of_open_files(report.secrets, report)
    if report.problems:
        raise ConfigError(report.problems)
    return Settings(
        host=common.host,
        port=common.port,
        token=common.anthropic_auth_token,
        tokens=tokens,
        allow_open=common.keyturn_allow_open,
        metrics_token=common.metrics_token,
        admin_token=common.keyturn_admin_token,
        body_limit=int(common.body_limit_mb * 1024 * 1024),
        body_read_timeout=common.body_read_timeout,
        drain_timeout=common.drain_timeout,
        request_deadline=common.request_deadline,
        keepalive_after=common.stream_keepalive_after,
        catalog_refresh=common.catalog_refresh,
        local_answers=frozenset(probe for probe in Probe if getattr(common, probe.lower())),
        log_level=common.log_level,
        log_format=common.log_format if common.is_set("log_format") or not terminal else "console",
        providers=choose_named(providers, routing),
        routing=routing,
        redis=common.redis_url,
        redis_prefix=common.keyturn_redis_prefix,
        processes=common.keyturn_processes,
        metrics_folder=Path(found) if (found := environ.get(METRICS_FOLDER)) else None,
        state_file=_state_file(common.keyturn_state_file, cwd, home),
        web_tools=web,
        warnings=tuple(report.warnings),
        moved=(*moved.notes, *(ferry.told if ferry else ())),
        metrics=ferry.metrics if ferry else True,
        ferryllm_events=ferry is not None,
        certificate=certificate,
        log_file=log_file,
        log_payloads=common.log_raw_api_payloads,
        log_events=common.log_raw_sse_events,
        log_tracebacks=common.log_api_error_tracebacks,
        traces=traces,
        believed_proxies=common.forwarded_allow_ips,
        files=tuple(layer.origin for layer in layers.layers if layer.is_file),
        sources=tuple(dict.fromkeys(report.read)),
        run_folders=run_folders(environ, home, windows=os.name == "nt"),
    )


def _state_file(text: str, cwd: Path, home: Path) -> Path | None:
    if not text:
        return None
    return cwd / (home / text[2:] if text.startswith("~/") else Path(text))


def _tokens(shared: Secret | None, named: Sequence[ClientToken], report: Report) -> tuple[ClientToken, ...]:
    own = [ClientToken(Grant(SHARED), digest(shared.reveal()), shared)] if shared else []
    tokens = (*own, *named)
    owners: dict[str, str] = {}
    for token in tokens:
        owner = owners.setdefault(token.digest, token.name)
        if owner != token.name:
            problem, fix = f"it is the same token as that of {owner}", "Give each client its own token."
            report.problem(f"tokens.{token.name}", problem, fix, token.origin, token.line)
    return tokens


def _warn(
    common: Globals,
    layers: Layers,
    providers: Iterable[ProviderConfig],
    tokens: Iterable[ClientToken],
    report: Report,
) -> None:
    for name in SECRETS:
        value = layers.find(name.upper())
        if value and is_placeholder(value.text):
            value.warn(report, "this is a placeholder, not a token: it is not used. Put the token there.")
    value = layers.find(CLIENT_TOKEN)
    if value and value.text.strip() and value.origin == ENVIRONMENT:
        value.warn(
            report,
            "clients must send this token. A client's own token often has that name: to be sure which one is meant, "
            f"write {CLIENT_TOKEN}= (with the token, or with nothing for none) into .env.",
        )
    _warn_of_key(layers, providers, report)
    if common.redis_url and common.keyturn_state_file:
        report.warn("KEYTURN_STATE_FILE", "this is not used: the state is in Redis (REDIS_URL).")
    known = {_variable(token): token for token in tokens}
    named = {name: token.secret for name, token in known.items() if token.secret}
    if admin := common.keyturn_admin_token:
        for name in (name for name, token in known.items() if token.digest == digest(admin.reveal())):
            report.warn(ADMIN_TOKEN, f"{name} is the same token, so who has that one may use /admin too.")
        named[ADMIN_TOKEN] = admin
    if not is_loopback(common.host):
        for name, secret in named.items():
            _warn_of_weakness(layers.find(name) or Value(name, "", ""), secret, report)
        guessed = {digest(word) for word in WELL_KNOWN}
        for name in (name for name, token in known.items() if not token.secret and token.digest in guessed):
            report.warn(name, _WEAK)


def _warn_of_key(layers: Layers, providers: Iterable[ProviderConfig], report: Report) -> None:
    anthropic = next(provider for provider in providers if provider.id == "anthropic")
    value = layers.find(KEYLESS_VARIABLE)
    if value and value.text.strip() and not (is_placeholder(value.text) or anthropic.keys):
        value.warn(
            report,
            f"this is ignored: the name belongs to clients. Anthropic's key for Keyturn goes into "
            f"{anthropic.spec.key_variable}.",
        )


def _variable(token: ClientToken) -> str:
    return CLIENT_TOKEN if token.name == SHARED else f"tokens.{token.name}"


def _warn_of_weakness(value: Value, secret: Secret, report: Report) -> None:
    text = secret.reveal()
    if len(text) < SHORTEST or len(set(text)) < FEWEST or text.lower() in WELL_KNOWN:
        value.warn(report, _WEAK)
