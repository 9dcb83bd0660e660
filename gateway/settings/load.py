"""All sources in, one frozen tree out, or every problem at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from gateway.settings.certificate import read_certificate
from gateway.settings.delays import refuse_common_delays
from gateway.settings.folders import run_folders
from gateway.settings.layers import (
    CLIENT_TOKEN,
    ENVIRONMENT,
    Layers,
    dotenv_layers,
    environment_layer,
    flag_layer,
)
from gateway.settings.misspelt import warn_of_slips
from gateway.settings.model import SHARED, ClientToken, Settings
from gateway.settings.provider_settings import ProviderReader
from gateway.settings.references import Resolver, choose_named
from gateway.settings.report import Report
from gateway.settings.secret_files import warn_of_open_files
from gateway.settings.toml_file import find_toml, read_toml
from gateway.settings.values import is_placeholder
from gateway.settings.variables import SECRETS, Globals, refuse_removed
from middleware.loopback import is_loopback
from providers.errors import ConfigError
from providers.secret import Secret
from providers.spec import ProviderConfig

NO_FLAGS: Mapping[str, str] = MappingProxyType({})
SHORTEST = 8  # characters of a token that is no guess
WELL_KNOWN = ("anthropic", "changeme", "claude", "dummy", "freecc", "password", "secret", "test", "token")
ADMIN_TOKEN = "KEYTURN_ADMIN_TOKEN"  # noqa: S105 - a variable's name
KEYLESS_VARIABLE = "ANTHROPIC_API_KEY"


def load_from_process(config: Path | None = None, flags: Mapping[str, str] = NO_FLAGS) -> Settings:
    """``load`` with this process's environment and folders. Nothing else in Keyturn reads the environment."""
    # expanduser answers "~" where there is no home; Path.home() would raise.
    home = Path(os.path.expanduser("~"))
    return load(os.environ, Path.cwd(), home, config, flags, terminal=sys.stderr.isatty())


def load(
    environ: Mapping[str, str],
    cwd: Path,
    home: Path,
    config: Path | None = None,
    flags: Mapping[str, str] = NO_FLAGS,
    terminal: bool = False,
) -> Settings:
    """Read and check the whole configuration.

    ``flags`` are by the variable that they set. Raises ConfigError with every problem.
    """
    report = Report()
    below = dotenv_layers(environ, cwd, home, report)
    environment = environment_layer(environ)
    outside = Layers((*below, environment))
    file = read_toml(find_toml(config, outside, cwd, home, report), outside, home, report)
    layers = Layers((*below, *file.layers, environment, flag_layer(flags)))

    refuse_removed(layers, report)
    common = Globals.read(layers, report)
    refuse_common_delays(common, layers, report)
    providers = ProviderReader(layers, common, report).read_all(file.rows)
    if ferry := file.ferry:
        providers = tuple(replace(each, cache=ferry.cache, reasoning=ferry.reasoning) for each in providers)
    routing = Resolver(providers, common, layers, report).table(file.routes)
    tokens = _tokens(common.anthropic_auth_token, file.tokens, report)
    certificate = read_certificate(layers, cwd, home, report)
    _warn(common, layers, providers, tokens, report)
    warn_of_slips(Layers((*below, environment)), file.rows, report)
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
        log_level=common.log_level,
        log_format=common.log_format if common.is_set("log_format") or not terminal else "console",
        providers=choose_named(providers, routing),
        routing=routing,
        warnings=tuple(report.warnings),
        moved=file.ferry.told if file.ferry else (),
        metrics=ferry.metrics if ferry else True,
        tells_routes=ferry is not None,
        certificate=certificate,
        believed_proxies=common.forwarded_allow_ips,
        files=tuple(layer.origin for layer in layers.layers if layer.is_file),
        sources=tuple(dict.fromkeys(report.read)),
        run_folders=run_folders(environ, home, windows=os.name == "nt"),
    )


def _tokens(shared: Secret | None, named: Sequence[ClientToken], report: Report) -> tuple[ClientToken, ...]:
    tokens = (ClientToken(SHARED, shared), *named) if shared else tuple(named)
    owners: dict[Secret, str] = {}
    for token in tokens:
        owner = owners.setdefault(token.secret, token.name)
        if owner != token.name:
            report.problem(
                f"tokens.{token.name}", f"it is the same token as that of {owner}", "Give each client its own token."
            )
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
    named = {_variable(token): token.secret for token in tokens}
    if admin := common.keyturn_admin_token:
        for name in (name for name, secret in named.items() if secret == admin):
            report.warn(ADMIN_TOKEN, f"{name} is the same token, so who has that one may use /admin too.")
        named[ADMIN_TOKEN] = admin
    if not is_loopback(common.host):
        for name, secret in named.items():
            _warn_of_weakness(name, secret, report)


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


def _warn_of_weakness(name: str, secret: Secret, report: Report) -> None:
    text = secret.reveal()
    if len(text) < SHORTEST or text.lower() in WELL_KNOWN:
        report.warn(name, f"this token is easy to guess. Use at least {SHORTEST} random characters.")
