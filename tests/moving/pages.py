"""The pages on moving, taken apart: their blocks by language, and the lines of shell in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.gateway_process import ROOT

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SETTINGS = ("env", "dotenv", "bash")


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    def blocks(self, *languages: str) -> list[str]:
        return [text for language, text in _BLOCK.findall(self.path.read_text()) if language in languages]

    @property
    def settings(self) -> str:
        """The one configuration that the page shows."""
        [text] = self.blocks(*_SETTINGS)
        return text

    def lines(self, pattern: str) -> list[str]:
        """The lines of shell that match."""
        return [line for block in self.blocks("sh") for line in block.splitlines() if re.search(pattern, line)]


PAGES = {path.stem: Page(path) for path in sorted((ROOT / "docs/moving").glob("*.md"))}
OURS = {name: PAGES[name] for name in ("freecc", "fuergaosi", "suparious", "ujisati")}
CHECK = r"^keyturn check$"
STARTS = r"^(keyturn$|uv run )"
CLAUDE = r"claude('|$)"
DOCKER = r"^docker "
