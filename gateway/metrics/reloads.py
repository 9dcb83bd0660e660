"""Reloads of the settings, counted by the process that watches over the workers, which serves no metrics itself."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.mmap_dict import MmapedDict, mmap_key

NAME, HELP = "keyturn_config_reload", "Reloads of the settings of all workers (SIGHUP), by result"
RESULTS = ("ok", "failed")


def instrument(registry: CollectorRegistry) -> None:
    """At 0; what the watching process counts is added where the workers' values become one."""
    counter = Counter(NAME, HELP, ("result",), registry=registry)
    for result in RESULTS:
        counter.labels(result)


class Reloads:
    """A file of counts beside the workers' own, in the form that prometheus_client reads."""

    def __init__(self, folder: Path) -> None:
        self._file = MmapedDict(str(folder / "counter_reloads.db"))  # type: ignore[no-untyped-call]  # prometheus-client's
        self._counts = dict.fromkeys(RESULTS, 0.0)

    def count(self, result: str) -> None:
        """``result`` is one of RESULTS."""
        self._counts[result] += 1
        key = mmap_key(NAME, f"{NAME}_total", ["result"], [result], HELP)
        self._file.write_value(key, self._counts[result], 0.0)  # type: ignore[no-untyped-call]
