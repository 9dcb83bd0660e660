""".env files as text: a template whose values are filled in, everything else kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO

from dotenv.parser import parse_stream

ASSIGNMENT = re.compile(r"^#?([A-Za-z_][A-Za-z0-9_]*)=")
PLAIN = re.compile(r"^[A-Za-z0-9_./:@,+\-]*$")
FURTHER = "# == Further settings, as they were"


def values(text: str) -> dict[str, str]:
    """Every ``NAME=value`` of a .env file that holds more than blanks, the last of each name."""
    found = {binding.key: binding.value for binding in parse_stream(StringIO(text)) if binding.key and binding.value}
    return {name: value for name, value in found.items() if value.strip()}


def filled(template: str, given: Mapping[str, str]) -> str:
    """``template`` with the line of each given name set; names that it does not have stand at its end."""
    left = dict(given)
    lines = [_line(line, left) for line in template.splitlines()]
    if left:
        lines += ["", FURTHER, *(assignment(name, value) for name, value in left.items())]
    return "\n".join(lines) + "\n"


def assignment(name: str, value: str) -> str:
    """``NAME=value``, quoted where a .env reader would take the value for something else."""
    if PLAIN.match(value):
        return f"{name}={value}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"


def _line(line: str, left: dict[str, str]) -> str:
    found = ASSIGNMENT.match(line)
    name = found.group(1) if found else ""
    return assignment(name, left.pop(name)) if name in left else line
