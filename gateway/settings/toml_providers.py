"""[[providers]]: entries over rows of the catalog, and providers that the catalog does not have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from gateway.local_answers import PROVIDER
from gateway.settings.faces import face_of
from gateway.settings.key_watch import read_key_watch
from gateway.settings.layers import Layers, Value
from gateway.settings.row_settings import KEY, KEYS, Row, RowSettings, takes_settings, variables
from gateway.settings.toml_extras import EXTRAS, read_extra_body, read_images, read_namespaces, read_server_tools
from gateway.settings.toml_keys import read_keys, read_models
from gateway.settings.toml_secret import one_source, read_secret
from gateway.settings.toml_table import SLIP, Table, nearest
from gateway.settings.values import points_here
from gateway.settings.variables import variables as global_variables
from providers.catalog import CATALOG, gemini_quirks, names
from providers.quirks import Quirks
from providers.spec import Auth, ProviderSpec

TYPES = {
    "openai": "openai_chat",
    "anthropic": "anthropic",
    "openai_responses": "openai_responses",
    "gemini": "gemini",
}
# How a provider of ours wants its key, and what its models want, where the dialect alone tells.
AUTHS = {"anthropic": Auth.X_API_KEY, "gemini": Auth.X_GOOG_API_KEY}
QUIRKS = {"gemini": gemini_quirks.GEMINI}
SOURCES = ("api_key", "api_keys", "api_key_env", "api_key_file", "api_key_url", "key_watch")
KNOWN = ("name", "type", *SOURCES, *RowSettings.model_fields, "max_output_tokens", "headers", "keys", "models", *EXTRAS)
# The client's library sets these; a second value breaks the request.
OUR_HEADERS = ("connection", "content-length", "host", "transfer-encoding")


def read_providers(top: Table, outside: Layers, folder: Path, home: Path) -> tuple[tuple[Row, ...], dict[str, Value]]:
    """All rows, those of the catalog first, and what the entries set, by the variables of their providers."""
    rows = {spec.id: Row(spec) for spec in CATALOG}
    values: dict[str, Value] = {}
    for table in top.tables("providers"):
        table.refuse_unknown((*KNOWN, *_places(table)))
        if row := _row(table, rows):
            keys = read_keys(table, outside, folder, home)
            rows[row.spec.id] = replace(row, keys=keys, models=read_models(table))
            values.update(_settings(table, row.spec))
            values.update(_keys(table, row.spec, outside, folder, home))
    return tuple(rows.values()), values


def _row(table: Table, rows: dict[str, Row]) -> Row | None:
    name = table.required("name", "groq")
    known = names(row.spec for row in rows.values())
    if not name:
        return None
    if name in known and rows[known[name]].listed:
        table.reject("name", f"{known[name]} has an entry already", "Join the two, or choose another name.")
        return None
    spec = _laid_over(table, rows[known[name]].spec) if name in known else _added(table, name, rows.values())
    if spec is None:
        return None
    added = spec.id not in rows
    served = read_server_tools(table)
    quirks = spec.quirks if served is None else spec.quirks.serving(served)
    return Row(
        replace(spec, namespaces=spec.namespaces + read_namespaces(table), quirks=quirks),
        listed=True,
        added=added,
        max_output_tokens=table.whole("max_output_tokens", "8192"),
        headers=_headers(table),
        extra_body=read_extra_body(table),
        images=read_images(table),
    )


def _laid_over(table: Table, spec: ProviderSpec) -> ProviderSpec | None:
    if not takes_settings(spec):
        table.reject("name", f"{spec.id} runs inside Keyturn and takes no settings", "Remove the entry.")
        return None
    dialect = _dialect(table) or spec.dialect
    face = face_of(spec, dialect)
    if face is not None:
        return spec.with_face(face)
    if dialect != spec.dialect and "base_url" not in table.data:
        table.reject("type", f"{spec.title} speaks another dialect at its usual address", "Add the base_url that fits.")
    return replace(spec, dialect=dialect)


def _added(table: Table, name: str, rows: Iterable[Row]) -> ProviderSpec | None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name):
        table.reject(
            "name", "is not made of a-z, 0-9, _, . and -", "Write it in lower case, without spaces or slashes."
        )
        return None
    if name == PROVIDER:
        table.reject("name", "Keyturn's own answers have that name", "Choose another name.")
        return None
    table.required("type", "openai")
    table.required("base_url", "https://llm.example.com/v1")
    dialect = _dialect(table) or "anthropic"
    auth = AUTHS.get(dialect, Auth.BEARER)
    quirks = QUIRKS.get(dialect, Quirks())
    prefix = re.sub(r"[^A-Z0-9]", "_", name.upper())
    # It has no default model: without MODEL it is asked for whatever model the client names.
    local = points_here(table.text("base_url"))
    spec = ProviderSpec(name, name, (prefix,), dialect, base_url="", auth=auth, keeps=("",), local=local, quirks=quirks)
    if clash := _clash(spec, rows):
        table.reject("name", f"its variable {clash} has a meaning already", "Choose another name.")
        return None
    return spec


def _clash(spec: ProviderSpec, rows: Iterable[Row]) -> str | None:
    taken = {name for row in rows for name in _all_variables(row.spec)} | set(global_variables())
    return next((name for name in _all_variables(spec) if name in taken), None)


def _all_variables(spec: ProviderSpec) -> list[str]:
    settings = (KEY, KEYS, *(field.upper() for field in RowSettings.model_fields))
    return [name for setting in settings for name in variables(spec, setting)]


def _dialect(table: Table) -> str | None:
    kind = table.text("type")
    if kind and kind not in TYPES:
        table.reject("type", f"{kind!r} is not a type of provider", nearest(kind, tuple(TYPES), "types", SLIP))
    return TYPES.get(kind)


def _headers(table: Table) -> tuple[tuple[str, str], ...]:
    value = table.data.get("headers", {})
    if not isinstance(value, dict):
        table.reject("headers", "is not a table", 'Write for example headers = { "x-team" = "blue" }.')
        return ()
    headers = table.inner("headers", value)
    return tuple((name, headers.text(name)) for name in value if _sendable(headers, name))


def _sendable(headers: Table, name: str) -> bool:
    text = headers.data[name]
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or name.lower() in OUR_HEADERS:
        headers.reject(name, "this header cannot be set", "Remove it.")
        return False
    if isinstance(text, str) and not (text.isascii() and text.isprintable()):
        headers.reject(name, "the value is not plain ASCII text", "Write it again by hand.")
        return False
    return True


def _settings(table: Table, spec: ProviderSpec) -> dict[str, Value]:
    found = {
        f"{spec.prefixes[0]}_{key.upper()}": table.scalar(key, text_only=key in ("base_url", "proxy"))
        for key in RowSettings.model_fields
        if key in table.data
    }
    found |= {
        part.variables[0]: table.scalar(part.name, text_only=True)
        for part in spec.parts
        if part.name and part.name in table.data
    }
    return {name: value for name, value in found.items() if value is not None}


def _places(table: Table) -> list[str]:
    """The keys that only this entry's provider has."""
    row = names(CATALOG).get(str(table.data.get("name")))
    return [part.name for spec in CATALOG if spec.id == row for part in spec.parts if part.name]


def _keys(table: Table, spec: ProviderSpec, outside: Layers, folder: Path, home: Path) -> dict[str, Value]:
    """The entry's key or list stands in for all of the provider's keys in lower sources; [[providers.keys]] adds."""
    key = one_source(table, SOURCES)
    one, several = variables(spec, KEY), variables(spec, KEYS)
    if key is None:
        wanted = spec.needs_key and spec.login is None
        if wanted and "keys" not in table.data and not outside.first((*one, *several)):
            table.reject("api_key", "the provider needs a key", f'Add for example api_key_env = "{spec.key_variable}".')
        return {}
    blank = {name: table.value(key, "") for name in (*one, *several)}
    if key == "key_watch":
        found = read_key_watch(table, folder, home)
        url = {f"{spec.prefixes[0]}_BASE_URL": found.base_url} if found.base_url else {}
        return {**blank, **url, **({one[0]: found.key} if found.key else {})}
    if key == "api_keys":
        return {**blank, several[0]: _list(table)}
    value = read_secret(table, key, outside, folder, home)
    return {**blank, one[0]: value} if value else blank


def _list(table: Table) -> Value:
    keys = table.strings("api_keys")
    if any(re.search(r"[\s,]", key) for key in keys):
        table.reject("api_keys", "a key holds whitespace or a comma", "Write each key in quotes of its own.")
    return table.value("api_keys", ",".join(keys))
