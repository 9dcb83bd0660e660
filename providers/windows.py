"""How a small burst and an even pace keep a limit in every window. Pure."""

from __future__ import annotations

UNEVEN = 1.02  # by how much longer the window may look to the upstream: requests arrive less evenly than they leave


def spacing(rate: int, seconds: float, burst: int) -> float:
    """Seconds between two requests so that, with ``burst`` at once, no ``seconds`` ever hold more than ``rate``."""
    return UNEVEN * seconds / (rate - burst + 1)
