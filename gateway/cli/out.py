"""What the commands print."""

from __future__ import annotations

import sys
from collections.abc import Mapping


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

    shown = Text(_printable(text))
    for pattern, style in styles.items():
        shown.highlight_regex(pattern, style)
    Console(highlight=False).print(shown, soft_wrap=True)
    sys.stdout.flush()


def _printable(text: str) -> str:
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
