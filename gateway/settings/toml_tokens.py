"""[[tokens]]: clients with a token of their own."""

from __future__ import annotations

from pathlib import Path

from gateway.settings.layers import Layers
from gateway.settings.model import SHARED, ClientToken
from gateway.settings.toml_secret import one_source, read_secret
from gateway.settings.toml_table import Table
from gateway.settings.values import is_placeholder, secret_problem
from providers.secret import Secret

SOURCES = ("token", "token_env", "token_file")


def read_tokens(top: Table, outside: Layers, folder: Path, home: Path) -> tuple[ClientToken, ...]:
    tokens: list[ClientToken] = []
    taken = {SHARED: "it is the name of the token in ANTHROPIC_AUTH_TOKEN"}
    for table in top.tables("tokens"):
        table.refuse_unknown(("name", *SOURCES, "web_tools", "web_tools_per_minute"))
        name = table.required("name", "alice")
        if name in taken:
            table.reject("name", f"{name!r} is taken: {taken[name]}", "Choose another name.")
        secret = _secret(table, outside, folder, home)
        if name and secret:
            taken[name] = "another token has it"
            rate = table.whole("web_tools_per_minute", "10")
            place = table.origin, table.line("name")
            tokens.append(ClientToken(name, secret, table.switch("web_tools", True), rate, *place))
    return tuple(tokens)


def _secret(table: Table, outside: Layers, folder: Path, home: Path) -> Secret | None:
    key = one_source(table, SOURCES)
    if key is None:
        table.reject("token", "is missing", "Add token, token_env or token_file.")
        return None
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
