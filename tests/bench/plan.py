"""What is measured, how often, and what reference the figures stand beside.

Each row of a translated job stands below the row of the same job passed through. There the gateway is asked in
Messages, as ever, and its upstream speaks Chat Completions; nginx is only the measure of the machine, and passes the
same request on to Messages. The same gateway process does both. A whole translated answer is the fold of a short
stream, for the gateway always asks such an upstream for one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from tests.bench.jobs import Job
from tests.bench.targets import DIRECT, GATEWAY, GATEWAY_KEYS, GATEWAY_LOGGING, NGINX

ALL = (DIRECT, NGINX, GATEWAY, GATEWAY_KEYS, GATEWAY_LOGGING)
PASSERS = (DIRECT, NGINX, GATEWAY)
TRANSLATORS = (NGINX, GATEWAY)


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table. ``must`` and ``stretch`` are the gateway's goals."""

    name: str
    must: str = ""
    stretch: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A job, for some targets, so many times."""

    title: str
    job: Job
    measures: tuple[Measure, ...]
    targets: tuple[str, ...]
    repetitions: int


@dataclass(frozen=True, slots=True)
class Plan:
    """``startups`` is how often the gateway is started, ``patience`` how long a quiet machine is waited for (s)."""

    rows: tuple[Row, ...]
    startups: int
    patience: float


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. ``seconds`` bounds a job of requests that follow each other."""

    seconds: float
    requests: int
    repetitions: int
    connections: int
    chunks: int
    few: int  # spaced streams at once
    many: int
    ramp: float  # seconds in which the spaced streams begin
    spaced_repetitions: int
    few_targets: tuple[str, ...]
    startups: int
    patience: float


SPACING = 20  # milliseconds between two chunks: 50 a second, about what models write

FULL = Size(1.5, 200_000, 3, 64, 200, 100, 500, 2.0, 3, PASSERS, 4, 10.0)
QUICK = Size(0.6, 200_000, 2, 64, 200, 100, 500, 0.5, 1, (GATEWAY,), 2, 2.0)
TINY = Size(0.2, 20, 1, 4, 10, 2, 4, 0.01, 1, (GATEWAY,), 1, 0.0)

# Goals of CPU time and of spaced streams: the bounds that were set for a translating gateway (ready-made parts; own
# parts). For throughput there are two sets: a proxy in Python that passes through, and one that translates.
_REQUEST_SMALL = (
    Measure("CPU us/request", "<= 350", "213"),
    Measure("req/s"),
    Measure("req/s : nginx", ">= 0.05", "0.073"),
)
_REQUEST_BIG = (
    Measure("CPU us/request", "<= 900", "600"),
    Measure("req/s"),
    Measure("req/s : nginx", ">= 0.20", "0.30"),
)
_TRANSLATED_SMALL = (*_REQUEST_SMALL[:2], Measure("req/s : nginx", ">= 0.05", "0.075"))
_TRANSLATED_BIG = (*_REQUEST_BIG[:2], Measure("req/s : nginx", ">= 0.09", "0.14"))
_RAPID = (Measure("CPU us/chunk"), Measure("chunks/s"))
_ALONE = (Measure("CPU us/request"), Measure("p50 ms"), Measure("p99 ms"))
_PACED = (
    "CPU us/chunk",
    "time : ideal",
    "transit p50 ms",
    "transit p99 ms",
    "first chunk p50 ms",
    "first chunk p99 ms",
)
_MANY = (
    Measure("CPU us/chunk", "<= 35", "23"),
    Measure("time : ideal", "<= 1.02", "1.00"),
    Measure("transit p50 ms", "<= 1", "0.45"),
    Measure("transit p99 ms"),
    Measure("first chunk p50 ms", "<= 2", "0.72"),
    Measure("first chunk p99 ms", "<= 200"),
    Measure("RSS MiB", "<= 120", "92"),
)
PROCESS = "process"
STARTUP = Measure("start-up s", "<= 1.0", "0.5")
IDLE = Measure("idle RSS MiB", "<= 75", "51")


def plan(size: Size) -> Plan:
    """The rows of the bench at this size."""
    return Plan((*_requests(size), *_rapid(size), *_spaced(size)), size.startups, size.patience)


def _translated(row: Row, measures: tuple[Measure, ...], targets: tuple[str, ...]) -> Row:
    """The same job for an upstream of the other format."""
    title = f"{row.title}, translated"
    return replace(
        row, title=title, job=msgspec.structs.replace(row.job, translated=True), measures=measures, targets=targets
    )


def _requests(size: Size) -> tuple[Row, ...]:
    alone = Job(1, size.requests, seconds=size.seconds, warm=20)
    alone_big = Job(1, size.requests, seconds=size.seconds, warm=20, big=True)
    crowd = Job(size.connections, size.requests, seconds=size.seconds, warm=2 * size.connections)
    crowd_big = Job(size.connections, size.requests, seconds=size.seconds, warm=2 * size.connections, big=True)
    small_added = Measure("added p50 ms", "<= 0.5", "0.28")
    big_added = Measure("added p50 ms", "<= 0.8", "0.51")
    at_once = f"{size.connections} at once"
    small = Row(f"small requests, {at_once}", crowd, _REQUEST_SMALL, ALL, size.repetitions)
    big = Row(f"100 KB requests, {at_once}", crowd_big, _REQUEST_BIG, PASSERS, size.repetitions)
    return (
        Row("small request, one at a time", alone, (*_ALONE, small_added), ALL, size.repetitions),
        small,
        _translated(small, _TRANSLATED_SMALL, TRANSLATORS),
        Row("100 KB request, one at a time", alone_big, (*_ALONE, big_added), PASSERS, size.repetitions),
        big,
        _translated(big, _TRANSLATED_BIG, TRANSLATORS),
    )


def _rapid(size: Size) -> tuple[Row, ...]:
    count = size.requests // 100 if size.requests > 1000 else size.requests
    job = Job(size.connections, count, chunks=size.chunks, seconds=size.seconds, warm=size.connections)
    title = f"{size.connections} streams at once, {size.chunks} chunks each, without delay"
    row = Row(title, job, _RAPID, ALL, size.repetitions)
    return row, _translated(row, row.measures, (GATEWAY,))


def _spaced(size: Size) -> tuple[Row, ...]:
    few = _spaced_row(size, size.few, tuple(Measure(name) for name in _PACED), size.few_targets)
    many = _spaced_row(size, size.many, _MANY, PASSERS)
    return tuple(each for row in (few, many) for each in (row, _translated(row, row.measures, (GATEWAY,))))


def _spaced_row(size: Size, streams: int, measures: tuple[Measure, ...], targets: tuple[str, ...]) -> Row:
    warm = min(streams, size.connections)
    job = Job(streams, streams, chunks=size.chunks, spacing=SPACING, ramp=size.ramp, warm=warm)
    title = f"{streams} streams, {size.chunks} chunks each, {SPACING} ms apart"
    return Row(title, job, measures, targets, size.spaced_repetitions)
