"""On which line of a TOML file a key stands: tomllib does not say. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str | int, ...]  # ("providers", 0, "name"): tables of an array by their number


def lines_of(text: str) -> Mapping[Path, int]:
    """Every key and every table of valid TOML, by its line from 1. What stands in one statement has its line."""
    lines = text.splitlines()
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    at = 0
    while at < len(lines):
        statement, end = _statement(lines, at)
        if lines[at].lstrip().startswith("["):
            table = _header(statement, counts)
            for path in (table, table[:-1]):
                found.setdefault(path, at + 1)
        else:
            for path in _paths(statement):
                found.setdefault(table + path, at + 1)
        at = end
    return found


def _statement(lines: list[str], at: int) -> tuple[Mapping[str, Any], int]:
    """What begins on this line, read, and the line behind it: strings and lists may go over several lines."""
    for end in range(at + 1, len(lines) + 1):
        try:
            return tomllib.loads("\n".join(lines[at:end])), end
        except tomllib.TOMLDecodeError:
            continue
    return {}, at + 1


def _header(statement: Mapping[str, Any], counts: dict[Path, int]) -> Path:
    """The table that a header opens. ``counts`` has the arrays of tables, each with the number of its last one."""
    path: Path = ()
    inner: Any = statement
    while isinstance(inner, dict) and inner:
        ((name, inner),) = inner.items()
        path += (name,)
        if isinstance(inner, list):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path += (counts[path],)
    return path


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in members:
        yield (*path, name)
        yield from _paths(inner, (*path, name))
