"""The models that were picked lately: a small file of the user's own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

KEPT = 10


def load(path: Path) -> list[str]:
    """Newest first; nothing where there is no file, or one that is not ours."""
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, list):
            return [each for each in found if isinstance(each, str)][:KEPT]
    return []


def remember(path: Path, ref: str) -> None:
    """``ref`` is the newest now. A place that cannot be written to is no reason not to start the client."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        newest = list(dict.fromkeys([ref, *load(path)]))[:KEPT]
        with NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            json.dump(newest, file)
        Path(file.name).replace(path)


def first(refs: Iterable[str], recent: Sequence[str]) -> list[str]:
    """``refs`` with the recent ones in front, in the order of their use."""
    there = dict.fromkeys(refs)
    return [*(ref for ref in recent if ref in there), *(ref for ref in there if ref not in recent)]
