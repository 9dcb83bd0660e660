"""An instrument's children by their labels."""

from __future__ import annotations

from typing import TypeVar

from prometheus_client import Counter, Gauge, Histogram

Instrument = TypeVar("Instrument", Counter, Gauge, Histogram)


class Children(dict[tuple[str, ...], Instrument]):
    """Made when they are first asked for; finding one anew each time takes longer than counting."""

    def __init__(self, instrument: Instrument) -> None:
        super().__init__()
        self._instrument: Instrument = instrument

    def __missing__(self, labels: tuple[str, ...]) -> Instrument:
        self[labels] = self._instrument.labels(*labels)
        return self[labels]
