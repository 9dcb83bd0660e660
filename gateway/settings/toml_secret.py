"""A secret in keyturn.toml: written there, or in a variable or a file that is named there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from gateway.settings.layers import Layers, Value, read_text, resolve
from gateway.settings.toml_table import Table


def one_source(table: Table, keys: Iterable[str]) -> str | None:
    """Which of the keys the table has; a problem, and the first, where it has more than one."""
    given = [key for key in keys if key in table.data]
    if len(given) > 1:
        table.reject(given[1], f"there is also {given[0]}", "Keep one of them.")
    return given[0] if given else None


def read_secret(table: Table, key: str, outside: Layers, folder: Path, home: Path) -> Value | None:
    """The secret behind ``X``, ``X_env`` or ``X_file``; None, and a problem, where there is none."""
    if key.endswith("_env"):
        return _from_variable(table, key, outside)
    if key.endswith("_file"):
        return _from_file(table, key, folder, home)
    text = table.text(key)
    return Value(table.name(key), text, table.origin) if text else None


def _from_variable(table: Table, key: str, outside: Layers) -> Value | None:
    name = table.text(key)
    value = outside.find(name) if name else None
    if value and value.text.strip():
        return value
    if name:
        table.reject(key, f"the variable {name} is not set", f"Set {name} in the environment or in .env.")
    return None


def _from_file(table: Table, key: str, folder: Path, home: Path) -> Value | None:
    """Relative paths begin at the folder of keyturn.toml."""
    named = table.text(key)
    if not named:
        return None
    path = resolve(named, folder, home)
    if not os.path.isfile(path):
        table.reject(key, f"there is no file {named}", "Correct the path, or make the file.")
        return None
    text = read_text(path, table.name(key), table.origin, table.report)
    if text is not None and not text.strip():
        table.reject(key, f"the file {named} is empty", "Write the key into it.")
    return Value(table.name(key), text.strip(), table.origin) if text and text.strip() else None
