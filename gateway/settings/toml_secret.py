"""A secret in keyturn.toml: written there, or in a variable or a file that is named there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.request import urlopen

from gateway.settings.layers import Layers, Value, read_text, resolve
from gateway.settings.toml_table import Table
from gateway.settings.values import points_here

URL_WITHIN = 10.0  # seconds
LONGEST = 64 * 1024  # bytes


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
    if key.endswith("_url"):
        return _from_url(table, key)
    if key.endswith("_file"):
        return _from_file(table, key, folder, home)
    text = table.text(key)
    return table.value(key, text) if text else None


def _from_variable(table: Table, key: str, outside: Layers) -> Value | None:
    name = table.text(key)
    value = outside.find(name) if name else None
    if value and value.text.strip():
        return value
    if name:
        table.reject(key, f"the variable {name} is not set", f"Set {name} in the environment or in .env.")
    return None


def _from_url(table: Table, key: str) -> Value | None:
    """The body of a GET, at the start and at every reload."""
    url = table.text(key)
    if not url:
        return None
    if not (url.startswith("https://") or (url.startswith("http://") and points_here(url))):
        table.reject(key, "is no https URL, and http only is safe on this machine", "Write an https:// URL.")
        return None
    try:
        with urlopen(url, timeout=URL_WITHIN) as reply:  # noqa: S310 - the schemes are checked above
            text = reply.read(LONGEST).decode("utf-8").strip()
    except (OSError, ValueError) as error:
        table.reject(
            key, f"the key cannot be fetched: {type(error).__name__}", "Correct the URL, or start what serves it."
        )
        return None
    if not text:
        table.reject(key, "what is served there is empty", "Have it serve the key alone.")
    return table.value(key, text) if text else None


def _from_file(table: Table, key: str, folder: Path, home: Path) -> Value | None:
    """Relative paths begin at the folder of keyturn.toml."""
    named = table.text(key)
    if not named:
        return None
    path = resolve(named, folder, home)
    if not os.path.isfile(path):
        table.reject(key, f"there is no file {named}", "Correct the path, or make the file.")
        return None
    text = read_text(path, table.name(key), table.origin, table.report, table.line(key))
    if text is not None and not text.strip():
        table.reject(key, f"the file {named} is empty", "Write the key into it.")
    return table.value(key, text.strip()) if text and text.strip() else None
