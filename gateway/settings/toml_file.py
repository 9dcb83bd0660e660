"""keyturn.toml: the globals in lower case, [[providers]], [[routes]] and [[tokens]]."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from gateway.settings.earlier import ferryllm
from gateway.settings.earlier.ferryllm import Ferry
from gateway.settings.layers import COMMAND_LINE, Layer, Layers, Value, read_text, resolve
from gateway.settings.model import SHARED, ClientToken
from gateway.settings.report import Report
from gateway.settings.row_settings import Row
from gateway.settings.toml_lines import lines_of
from gateway.settings.toml_providers import read_providers
from gateway.settings.toml_table import SLIP, Table
from gateway.settings.toml_tokens import read_tokens
from gateway.settings.variables import REMOVED, Globals
from providers.catalog import CATALOG

TABLES = ("providers", "routes", "tokens")
SCHEMA = "$schema"  # for editors
NUMBERS = (int, float, bool, int | None, float | None)
MATCHES = ("prefix", "exact", "glob")
ROUTE = ("match", "match_type", "provider", "rewrite_model", "fallbacks", "fallback_providers", "tokens")
TEXTS = frozenset(name for name, field in Globals.model_fields.items() if field.annotation not in NUMBERS)


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One of [[routes]], its provider as written."""

    table: Table
    match: str
    provider: str
    model: str
    kind: str  # of MATCHES
    fallbacks: tuple[Value, ...] = ()
    others: tuple[Value, ...] = ()  # providers that are asked for the same model
    clients: tuple[str, ...] = ()  # names of tokens


@dataclass(frozen=True, slots=True)
class TomlFile:
    """What the file adds to the other sources."""

    layers: tuple[Layer, ...] = ()
    rows: tuple[Row, ...] = tuple(Row(spec) for spec in CATALOG)
    routes: tuple[RouteEntry, ...] = ()
    tokens: tuple[ClientToken, ...] = ()
    ferry: Ferry | None = None  # the file is of ferryllm's kind


def find_toml(config: Path | None, outside: Layers, cwd: Path, home: Path, report: Report) -> tuple[Path, str] | None:
    """The file to read and its name in messages. A file that was named must be there."""
    named = Value("--config", str(config), COMMAND_LINE) if config else outside.find("KEYTURN_CONFIG")
    if named and named.text.strip():
        path = resolve(named.text.strip(), cwd, home)
        if os.path.isfile(path):
            return path, named.text.strip()
        named.reject(report, f"there is no file {named.text.strip()}", "Correct the path or leave it out.")
        return None
    usual = [
        (cwd / "keyturn.toml", "./keyturn.toml"),
        (home / ".config/keyturn/keyturn.toml", "~/.config/keyturn/keyturn.toml"),
    ]
    return next((found for found in usual if os.path.isfile(found[0])), None)


def read_toml(found: tuple[Path, str] | None, outside: Layers, home: Path, report: Report) -> TomlFile:
    """``outside`` are the sources in which ``api_key_env`` and ``token_env`` look their variables up."""
    if found is None or (top := _parsed(*found, report)) is None:
        return TomlFile()
    path, origin = found
    _refuse_unknown(top)
    ferry = ferryllm.read(top, outside) if ferryllm.is_ferryllms(top) else None
    rows, values = read_providers(top, outside, path.parent, home)
    tokens = (*read_tokens(top, outside, path.parent, home), *(ferry.tokens if ferry else ()))
    routes = tuple(route for table in top.tables("routes", "match") if (route := _route(table)))
    _warn_of_strangers(routes, (SHARED, *(token.name for token in tokens)))
    return TomlFile(
        layers=(Layer(origin, {**(ferry.values if ferry else {}), **_globals(top), **values}),),
        rows=rows,
        routes=routes,
        tokens=tokens,
        ferry=ferry,
    )


def _parsed(path: Path, origin: str, report: Report) -> Table | None:
    text = read_text(path, origin, "", report)
    if text is None:
        return None
    try:
        return Table("", tomllib.loads(text), origin, report, lines_of(text))
    except tomllib.TOMLDecodeError as error:
        fix = "Correct that line: strings are in quotes, tables in [[ ]]."
        report.problem(origin, f"is not TOML: {error}", fix, line=_line_of(error, text))
    except (RecursionError, ValueError):
        problem = "holds a number of thousands of digits, or keys or lists within thousands of others"
        report.problem(origin, problem, "Remove it.")
    return None


def _line_of(error: tomllib.TOMLDecodeError, text: str) -> int:
    """From its words, for older Pythons have it nowhere else; the last line where they name the file's end."""
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else len(text.splitlines())


def _refuse_unknown(top: Table) -> None:
    known = (*Globals.model_fields, *TABLES)
    beginnings = tuple(f"{name.lower()}_" for spec in CATALOG for name in (spec.id, *spec.prefixes))
    others = (*ferryllm.TABLES, SCHEMA, *(name.lower() for name in REMOVED))
    unknown = {key: value for key, value in top.data.items() if key not in (*known, *others)}
    for key in unknown:
        if key.lower().startswith(beginnings):
            top.reject(
                key, "this is no key of the top level", "Settings of a provider go into its [[providers]] table."
            )
    rest = {key: value for key, value in unknown.items() if not key.lower().startswith(beginnings)}
    replace(top, data=rest).refuse_unknown(known)


def _globals(top: Table) -> dict[str, Value]:
    keys = [key for key in top.data if key in Globals.model_fields or key.upper() in REMOVED]
    found = {key.upper(): _global(top, key) for key in keys}
    return {name: value for name, value in found.items() if value is not None}


def _global(top: Table, key: str) -> Value | None:
    """``model_fallbacks`` and its kin may be lists as well."""
    if key.endswith("_fallbacks") and isinstance(top.data[key], list):
        return top.value(key, ",".join(top.strings(key)))
    return top.scalar(key, text_only=key in TEXTS)


def _route(table: Table) -> RouteEntry | None:
    table.refuse_unknown(ROUTE)
    match, provider = table.required("match", "claude-"), table.required("provider", "openai")
    kind = table.text("match_type", "prefix")
    if kind not in MATCHES:
        meant = get_close_matches(kind.lower(), MATCHES, n=1, cutoff=SLIP) or ["glob"]
        fix = f'Write match_type = "{meant[0]}" or remove it.'
        table.reject("match_type", f"{kind!r} is not prefix, exact or glob", fix)
    if not (match and provider):
        return None
    fallbacks, others = (_values(table, key) for key in ("fallbacks", "fallback_providers"))
    clients = tuple(table.strings("tokens")) if "tokens" in table.data else ()
    return RouteEntry(table, match, provider, table.text("rewrite_model"), kind, fallbacks, others, clients)


def _warn_of_strangers(routes: Iterable[RouteEntry], known: Sequence[str]) -> None:
    """No error: a token may be taken away from a client and its rules stay."""
    for route in routes:
        for name in (name for name in route.clients if name not in known):
            near = get_close_matches(name, known, n=1)
            meant = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known))}."
            route.table.warn(
                "tokens", f"no token of the settings has the name {name!r}: the rule is for one that is made. {meant}"
            )


def _values(table: Table, key: str) -> tuple[Value, ...]:
    return tuple(table.value(key, text) for text in table.strings(key)) if key in table.data else ()
