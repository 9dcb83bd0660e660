"""What the commands print."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from textwrap import wrap

COLUMNS = re.compile(r"\s*(?:\S+\s{2,})*")  # headings and names, each with a gap behind it
TO_COPY = re.compile(r"(?<!\S)[A-Z_]+=\S")


def say(text: str) -> None:
    """Print at once, whatever characters the terminal lacks."""
    print(_printable(text), flush=True)


def show(text: str, styles: Mapping[str, str]) -> None:
    """The same; a terminal shows what a pattern finds in rich's style for it. NO_COLOR, as ever, means none."""
    if not sys.stdout.isatty():
        say(text)
        return
    from rich.console import Console  # a gateway without a terminal has no use for it
    from rich.text import Text

    console = Console(highlight=False)
    shown = Text("\n".join(fitted(line, console.width) for line in _printable(text).splitlines()))
    for pattern, style in styles.items():
        shown.highlight_regex(pattern, style)
    console.print(shown, soft_wrap=True)
    sys.stdout.flush()


def fitted(line: str, width: int) -> str:
    """A line that is too long goes on under the beginning of its last column. One to copy stays in one piece."""
    if len(line) <= width or TO_COPY.search(line):
        return line
    columns = COLUMNS.match(line)
    indent = columns.end() if columns else 0
    if indent > width // 2:
        return line
    rest = wrap(line[indent:], width - indent, break_long_words=False, break_on_hyphens=False)
    return line[:indent] + ("\n" + " " * indent).join(rest)


def _printable(text: str) -> str:
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
