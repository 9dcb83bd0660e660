"""[[tokens]]: clients with a token of their own."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from gateway.clients import expiry
from gateway.settings.layers import Layers
from gateway.settings.model import SHARED, ClientToken
from gateway.settings.toml_keys import LIMITS
from gateway.settings.toml_secret import one_source, read_secret
from gateway.settings.toml_table import Table
from gateway.settings.values import is_placeholder, secret_problem
from middleware.grant import Grant, digest
from providers.secret import Secret
from providers.spec import Limits

SOURCES = ("token", "token_env", "token_file", "hash")
ALLOWED = ("models", "providers", *LIMITS, "expires", "web_tools", "web_tools_per_minute")
_HASH = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")


def read_tokens(top: Table, outside: Layers, folder: Path, home: Path) -> tuple[ClientToken, ...]:
    tokens: list[ClientToken] = []
    taken = {SHARED: "it is the name of the token in ANTHROPIC_AUTH_TOKEN"}
    for table in top.tables("tokens"):
        table.refuse_unknown(("name", *SOURCES, *ALLOWED))
        name = table.required("name", "alice")
        if name in taken:
            table.reject("name", f"{name!r} is taken: {taken[name]}", "Choose another name.")
        known = _known(table, outside, folder, home)
        grant = _grant(table, name)
        if name and known:
            taken[name] = "another token has it"
            tokens.append(ClientToken(grant, *known, table.origin, table.line("name")))
    return tuple(tokens)


def _grant(table: Table, name: str) -> Grant:
    return Grant(
        name,
        tuple(table.strings("models")) if "models" in table.data else (),
        tuple(table.strings("providers")) if "providers" in table.data else (),
        Limits(*(table.whole(key, "60") for key in LIMITS)),
        table.switch("web_tools", True),
        _expires(table),
        web_tools_per_minute=table.whole("web_tools_per_minute", "10"),
    )


def _expires(table: Table) -> float | None:
    value = table.data.get("expires")
    if value is None:
        return None
    try:
        return expiry.of_date(value) if isinstance(value, date) else expiry.moment(str(value))
    except ValueError:
        table.reject("expires", "is not a date", "Write for example expires = 2027-01-31.")
        return None


def _known(table: Table, outside: Layers, folder: Path, home: Path) -> tuple[str, Secret] | None:
    """The token's digest, and the token where it is written down."""
    key = one_source(table, SOURCES)
    if key is None:
        table.reject("token", "is missing", "Add token, token_env, token_file or hash.")
        return None
    if key == "hash":
        return _hash(table)
    secret = _secret(table, key, outside, folder, home)
    return (digest(secret.reveal()), secret) if secret else None


def _hash(table: Table) -> tuple[str, Secret] | None:
    found = _HASH.fullmatch(table.text("hash"))
    if found is None:
        table.reject(
            "hash",
            "is not a SHA-256 in hexadecimal",
            "Write the line that `keyturn token create <name> --toml` prints.",
        )
        return None
    return found[1].lower(), Secret("")


def _secret(table: Table, key: str, outside: Layers, folder: Path, home: Path) -> Secret | None:
    value = read_secret(table, key, outside, folder, home)
    if value is None:
        return None
    if is_placeholder(value.text):
        value.warn(table.report, "this is a placeholder, not a token: it is not used. Put the token there.")
        return None
    if problem := secret_problem(value.text.strip()):
        value.reject(table.report, f"the token {problem}", "Copy it again, without quotes or line breaks.")
        return None
    return Secret(value.text.strip())
