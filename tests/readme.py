"""The README's code, as its readers copy it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.gateway_process import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
URL = "http://127.0.0.1:8082"  # where its lines have the gateway


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. ``section`` is the heading above it, ``kind`` what stands behind the fence."""

    section: str
    kind: str
    code: str


def _blocks() -> tuple[Block, ...]:
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    return tuple(
        Block(section.partition("\n")[0], kind, code)
        for section in sections
        for kind, code in re.findall(r"^```(\w*)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    )


BLOCKS = _blocks()
STARTS = tuple(
    line for block in BLOCKS if block.kind == "sh" for line in block.code.splitlines() if " claude" in f" {line}"
)  # of claude, outside Clients


def blocks(section: str, *kinds: str) -> list[Block]:
    """Those of a section, of all kinds where none is named."""
    return [block for block in BLOCKS if block.section == section and (not kinds or block.kind in kinds)]
