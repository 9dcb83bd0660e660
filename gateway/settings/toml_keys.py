"""[[providers.keys]] and [[providers.models]]: what is known of single keys and of single models."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.settings.layers import Layers, Value
from gateway.settings.row_settings import KeyEntry
from gateway.settings.toml_secret import one_source, read_secret
from gateway.settings.toml_table import Table
from providers.spec import Limits

SOURCES = ("api_key", "api_key_env", "api_key_file")
LIMITS = ("requests_per_minute", "tokens_per_minute", "max_concurrency")
LONGEST = 40  # characters of a label: it stands in headers, metrics and tables


def read_keys(provider: Table, outside: Layers, folder: Path, home: Path) -> tuple[KeyEntry, ...]:
    """The keys of one entry of [[providers]], in its order."""
    # Their tables are told apart by numbers: a label that is refused may be a key.
    tables = provider.tables("keys", label="", header="providers.keys")
    if provider.data.get("keys") == []:
        provider.reject("keys", "holds no key", "Begin each key with a line [[providers.keys]], or remove it.")
    found = (_entry(table, outside, folder, home) for table in tables)
    return tuple(entry for entry in found if entry)


def read_models(provider: Table) -> tuple[tuple[str, Limits], ...]:
    """The limits of single models, by their names."""
    found: dict[str, Limits] = {}
    for table in provider.tables("models", header="providers.models"):
        table.refuse_unknown(("name", *LIMITS))
        name = table.required("name", "llama-3.3-70b")
        if name in found:
            table.reject("name", "another model has it", "Join the two.")
        found[name] = _limits(table)
    return tuple(found.items())


def _entry(table: Table, outside: Layers, folder: Path, home: Path) -> KeyEntry | None:
    table.refuse_unknown(("label", *SOURCES, "weight", "account", *LIMITS))
    key = one_source(table, SOURCES)
    if key is None:
        table.reject("api_key", "is missing", "Add api_key, api_key_env or api_key_file.")
    value = read_secret(table, key, outside, folder, home) if key else None
    label, weight, account, limits = _label(table), table.positive("weight", 1.0), table.text("account"), _limits(table)
    return KeyEntry(table.where, table.origin, value, label, weight, account, limits) if value else None


def _label(table: Table) -> Value | None:
    text = table.text("label")
    if not text:
        return None
    if not re.fullmatch(r"[A-Za-z0-9._-]+", text):
        table.reject("label", "is not made of letters, digits, ., _ and -", 'Write for example label = "work".')
        return None
    if len(text) > LONGEST:
        table.reject("label", f"is longer than {LONGEST} characters", "Write a shorter one.")
        return None
    return table.value("label", text)


def _limits(table: Table) -> Limits:
    return Limits(*(table.whole(key, "60") for key in LIMITS))
