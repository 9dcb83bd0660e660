"""Reading TOML tables: members of the right type are handed out, everything else is reported."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from gateway.settings.layers import Value
from gateway.settings.report import Report
from gateway.settings.toml_lines import Path

SLIP = 0.75  # how near a value must be to one of a few others to be meant for it


@dataclass(frozen=True, slots=True)
class Table:
    """One table of keyturn.toml. ``where`` is its name in messages, such as ``providers.groq``."""

    where: str
    data: Mapping[str, object]
    origin: str
    report: Report
    lines: Mapping[Path, int] = field(default_factory=dict)
    path: Path = ()

    def line(self, key: str) -> int:
        """Of the key, else of the table."""
        return self.lines.get((*self.path, key)) or self.lines.get(self.path, 0)

    def value(self, key: str, text: str) -> Value:
        """``text`` as what stands at the key."""
        return Value(self.name(key), text, self.origin, self.line(key))

    def inner(self, key: str, data: Mapping[str, object]) -> Table:
        """The table at the key."""
        return Table(self.name(key), data, self.origin, self.report, self.lines, (*self.path, key))

    def warn(self, key: str, text: str) -> None:
        self.report.warn(self.name(key), text, self.origin, self.line(key))

    def name(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def reject(self, key: str, problem: str, fix: str) -> None:
        self.report.problem(self.name(key), problem, fix, self.origin, self.line(key))

    def refuse_unknown(self, known: Sequence[str]) -> None:
        for key in self.data:
            if key not in known:
                self.reject(key, "this key is unknown", nearest(key, known))

    def text(self, key: str, default: str = "") -> str:
        """A string that is not empty, or ``default`` where there is none."""
        value = self.data.get(key, default)
        if isinstance(value, str) and (value.strip() or key not in self.data):
            return value.strip()
        problem = "is empty" if isinstance(value, str) else "is not a string"
        self.reject(key, problem, f'Write for example {key} = "..." or remove it.')
        return default

    def required(self, key: str, example: str) -> str:
        if key not in self.data:
            self.reject(key, "is missing", f'Add for example {key} = "{example}".')
        return self.text(key)

    def scalar(self, key: str, text_only: bool = False) -> Value | None:
        """What a variable would hold; None, and a problem, where the value is a list, a table or a date."""
        value = self.data[key]
        if isinstance(value, str):
            return self.value(key, value)
        if isinstance(value, bool | int | float) and not text_only:
            return self.value(key, str(value).lower())
        self.reject(key, "is not a string", f'Write it in quotes, as {key} = "...".')
        return None

    def strings(self, key: str) -> list[str]:
        """A list of strings, or one string as the only member."""
        value = self.data[key]
        members = value if isinstance(value, list) else [value]
        if members and all(isinstance(member, str) and member.strip() for member in members):
            return [str(member).strip() for member in members]
        problem = "is not a list of strings" if members else "is empty"
        self.reject(key, problem, f'Write for example {key} = ["...", "..."].')
        return []

    def whole(self, key: str, example: str) -> int | None:
        """A whole number above 0, or None where there is none."""
        value = self.data.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
            return value
        self.reject(key, "is not a whole number above 0", f"Write for example {key} = {example}.")
        return None

    def switch(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self.data.get(key, default)
        if isinstance(value, bool):
            return value
        self.reject(key, "is not true or false", f"Write {key} = {str(not default).lower()} or remove it.")
        return default

    def positive(self, key: str, default: float) -> float:
        """A number above 0."""
        value = self.data.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
            return value
        self.reject(key, "is not a number above 0", f"Write for example {key} = 2.")
        return default

    def tables(self, key: str, label: str = "name", header: str = "") -> list[Table]:
        """The tables of ``[[key]]``, each named by its member ``label`` where it has one, else by its number.

        ``header`` is what stands between the brackets where it is not ``key``.
        """
        value = self.data.get(key, [])
        if isinstance(value, list) and all(isinstance(member, dict) for member in value):
            return [self._child(key, number, member, label) for number, member in enumerate(value, 1)]
        self.reject(key, "is not a list of tables", f"Begin each entry with a line [[{header or key}]].")
        return []

    def _child(self, key: str, number: int, data: Mapping[str, object], label: str) -> Table:
        name = data.get(label)
        where = f"{key}.{name}" if isinstance(name, str) and name.strip() else f"{key}[{number}]"
        return Table(self.name(where), data, self.origin, self.report, self.lines, (*self.path, key, number - 1))


def nearest(key: str, known: Sequence[str], kind: str = "keys", cutoff: float = 0.5) -> str:
    """What to do about an unknown key, or another ``kind`` of name; ``cutoff`` from 0 to 1 is how near one must be."""
    near = get_close_matches(key.lower(), known, n=1, cutoff=cutoff)
    return f"Did you mean {near[0]}?" if near else f"Known {kind}: {', '.join(sorted(known))}."
