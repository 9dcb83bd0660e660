"""Variables that nobody reads and whose names are a slip away from one that somebody does. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from gateway.routing import distance
from gateway.settings.earlier.fuergaosi import HEADERS
from gateway.settings.earlier.moving import NAMES
from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from gateway.settings.row_settings import KEY, KEYS, Row, RowSettings, takes_settings, variables
from gateway.settings.variables import Globals

SHORTEST = 5  # letters of a name that a slip can be told from
# Names of others that look like ours: the client's, and those of tools that run beside it.
OTHERS = frozenset(
    {
        "ANTHROPIC_MODEL",
        "ANTHROPIC_BASE_URL",
        "KEYTURN_CONFIG",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "HOSTNAME",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "GITHUB_TOKEN",
        "GITHUB_API_URL",
    }
)


def warn_of_slips(layers: Layers, rows: Iterable[Row], report: Report) -> None:
    """Names one or two letters off, and names of ours with their parts in another order."""
    known = set(_known(rows))
    by_parts = {_parts(name): name for name in known}
    for value in _written(layers):
        if value.name not in known and value.name not in OTHERS and (near := _near(value.name, known, by_parts)):
            value.warn(report, f"nobody reads this variable. Did you mean {near}?")


def _written(layers: Layers) -> Iterator[Value]:
    """Of files and the environment, by their variables' names."""
    for layer in layers.layers:
        for name, value in layer.values.items():
            if value.name == name and len(name) >= SHORTEST and value.text.strip() and not name.startswith(HEADERS):
                yield value


def _known(rows: Iterable[Row]) -> Iterator[str]:
    yield from (name.upper() for name in Globals.model_fields)
    yield from NAMES
    settings = (KEY, KEYS, *(field.upper() for field in RowSettings.model_fields))
    for row in rows:
        yield from (name for part in row.spec.parts for name in part.variables)
        if takes_settings(row.spec):
            for setting in settings:
                yield from variables(row.spec, setting)


def _parts(name: str) -> frozenset[str]:
    return frozenset(name.split("_"))


def _near(name: str, known: Iterable[str], by_parts: dict[frozenset[str], str]) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
        upper = name.upper().replace("-", "_")
        return upper if upper in known else ""
    if found := by_parts.get(_parts(name)):
        return found
    # The close ones are few; the exact distance is taken of them alone.
    close = get_close_matches(name, known, n=3, cutoff=0.75)
    return next((each for each in close if _slip(name, each) and _same_end(name, each)), "")


def _slip(name: str, other: str) -> bool:
    most = 1 if len(name) < 10 else 2
    return distance(name, other, most) <= most or sorted(name) == sorted(other)


def _same_end(name: str, other: str) -> bool:
    """A number at the end is somebody's own way of counting, and no slip."""
    return name.rstrip("0123456789") == name or other.endswith(name[-1])
