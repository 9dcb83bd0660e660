"""What became of a feature, and how that is said in a cell. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    CARRIED = "carried"
    ADAPTED = "adapted"
    LOST = "lost"  # and named
    NEEDLESS = "needless"  # left out, and the case says why nothing is lost with it
    REFUSED = "refused"  # with a 400 that names it
    NONE = "none"  # no upstream of this dialect can answer so
    SILENT = "silent"  # gone without a word: never right


@dataclass(frozen=True)
class Verdict:
    """``members`` tell it, ``names`` were named as lost, ``why`` is the case's word on what was adapted or left out."""

    fate: Fate
    members: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        names = ", ".join(f"`{name}`" for name in self.names)
        match self.fate:
            case Fate.ADAPTED:
                told = self.why or ", ".join(f"`{member}`" for member in self.members)
                return f"adapted: {told}; named: {names}" if names else f"adapted: {told}"
            case Fate.LOST | Fate.REFUSED:
                return f"{self.fate}: {names}"
            case Fate.NEEDLESS:
                return f"not needed: {self.why}"
            case Fate.NONE:
                return ""
        return str(self.fate)
