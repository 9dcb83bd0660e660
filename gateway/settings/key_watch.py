"""[[providers.key_watch]]: a key, and perhaps the base URL, that stand in another program's JSON or TOML file."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.settings.layers import Value, read_text, resolve
from gateway.settings.toml_table import Table

KNOWN = ("file", "path", "url_path")


@dataclass(frozen=True, slots=True)
class Found:
    key: Value | None = None
    base_url: Value | None = None


def read_key_watch(provider: Table, folder: Path, home: Path) -> Found:
    """What the first entry has that has a key; the files are read again when they change."""
    tables = provider.tables("key_watch", label="", header="providers.key_watch")
    if not tables:
        provider.reject("key_watch", "names no file", "Begin each with a line [[providers.key_watch]].")
    for table in tables:
        table.refuse_unknown(KNOWN)
        found = _read(table, folder, home)
        if found.key:
            return found
    return Found()


def _read(table: Table, folder: Path, home: Path) -> Found:
    named, dotted = table.required("file", "~/.codex/auth.json"), table.required("path", "OPENAI_API_KEY")
    content = _content(table, resolve(named, folder, home)) if named else None
    if content is None:
        return Found()
    key = _at(content, dotted)
    if not isinstance(key, str) or not key.strip():
        table.reject("path", f"the file has no text at {dotted}", "Write the names of its members with dots between.")
        return Found()
    url = _at(content, table.text("url_path")) if "url_path" in table.data else None
    base_url = table.value("url_path", url) if isinstance(url, str) else None
    return Found(table.value("path", key.strip()), base_url)


def _content(table: Table, path: Path) -> Any:
    text = read_text(path, table.name("file"), table.origin, table.report, table.line("file"))
    if text is None:
        return None
    try:
        return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except ValueError:
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        table.reject("file", f"the file is not {kind}", "Correct it, or name another one.")
        return None


def _at(content: Any, dotted: str) -> Any:
    for name in dotted.split("."):
        content = content.get(name) if isinstance(content, dict) else None
    return content
