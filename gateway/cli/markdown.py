"""Tables of the pages that are made from the code. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Line = Sequence[str]


def section(heading: str, about: str, columns: Line, lines: Iterable[Line]) -> str:
    """A heading, words about it where there are any, and a table."""
    table = "\n".join([_line(columns), _line(["---"] * len(columns)), *map(_line, lines)])
    return "\n\n".join([f"## {heading}", *([about] if about else []), table])


def code(word: str) -> str:
    return f"`{word}`"


def codes(words: Iterable[str]) -> str:
    return ", ".join(map(code, words))


def _line(cells: Line) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
