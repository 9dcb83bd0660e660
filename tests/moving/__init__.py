"""The configuration examples of the earlier systems' documents, each as it stands there, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).parent


def example(name: str, changes: Mapping[str, str] | None = None) -> str:
    """``system/name`` as in its document; ``changes`` are of keys and hosts, and must find what they replace."""
    text = (_FOLDER / f"{name}.env").read_text(encoding="utf-8")
    for old, new in (changes or {}).items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


def examples(system: str) -> list[str]:
    """The names of all examples of one system."""
    return sorted(f"{system}/{path.stem}" for path in (_FOLDER / system).glob("*.env"))
