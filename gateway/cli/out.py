"""What the commands print."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print at once, whatever characters the terminal lacks."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
