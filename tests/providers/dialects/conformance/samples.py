"""The samples of tests/wire: bytes as they were on a wire, and what their folder's ``sources.toml`` says of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from providers.dialects import discover, of_clients

DIALECTS = discover()
NAMES = sorted(DIALECTS)
SPOKEN = sorted(of_clients(DIALECTS))  # those that clients speak
_WIRE = Path(__file__).parents[3] / "wire"


@dataclass(frozen=True)
class Sample:
    """``name`` is the path inside the dialect's folder; ``notes`` is its entry in ``sources.toml``."""

    dialect: str
    name: str
    raw: bytes = field(repr=False)
    notes: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def streamed(self) -> bool:
        return self.name.endswith(".sse")

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0]

    def __str__(self) -> str:
        return f"{self.dialect}/{self.name}"


def sources(dialect: str) -> Mapping[str, Any]:
    """All of ``sources.toml``; nothing where the folder has none."""
    path = _WIRE / dialect / "sources.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


def samples(dialect: str, pattern: str) -> list[Sample]:
    """The samples whose path inside the dialect's folder matches ``pattern``."""
    folder = _WIRE / dialect
    notes = sources(dialect).get("samples", {})
    paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in paths]
    return [Sample(dialect, name, (folder / name).read_bytes(), notes.get(name, {})) for name in names]


def every(pattern: str) -> list[Sample]:
    return [sample for dialect in NAMES for sample in samples(dialect, pattern)]


STREAMS = every("answers/*.sse")
BESIDE = every("*.sse")  # of the tests of pass-through, which know nothing of sources
WHOLES = every("answers/*.json")
FAILURES = every("failures/*")
REQUESTS = [each for each in every("requests/*.json") if each.dialect in SPOKEN]
PAIRS = [(stream, whole) for stream in STREAMS for whole in WHOLES if str(stream)[:-4] == str(whole)[:-5]]
