"""Runs a plan: starts everything, interleaves the targets, reads their CPU time around each job."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.bench import plan, process, targets
from tests.bench.jobs import Job, Order, Result, Warm
from tests.bench.process import Program
from tests.bench.targets import Target

Key = tuple[str, str, str]  # row, measure, target
_GRACE = 10.0  # seconds beyond a job's own limit
_LONG_ENOUGH = 0.3  # seconds of a job in which other work can be told from the kernel's ticks of 10 ms


class Bench:
    """What was measured so far. ``foreign`` is other work during each job, as a share of one core."""

    def __init__(self) -> None:
        self.figures: defaultdict[Key, list[float]] = defaultdict(list)
        self.failures: list[str] = []
        self.foreign: list[float] = []
        self.cores = process.cores()

    def add(self, row: str, target: str, figures: Mapping[str, float]) -> None:
        for measure, value in figures.items():
            self.figures[row, measure, target].append(value)


class Listening(msgspec.Struct):
    """What the upstream says first."""

    port: int


@dataclass(frozen=True, slots=True)
class Done:
    """A job, done: the target's CPU seconds, its most MiB, and other work as a share of a core."""

    result: Result
    cpu: float
    most: float
    foreign: float | None


class Harness:
    """The programs of one run. ``patience`` is the seconds that are left to wait for a quiet machine."""

    def __init__(self, load: Program, tested: Mapping[str, Target], patience: float) -> None:
        self.tested = tested
        self._patience = patience
        self._load = load
        self._pids = {load.pid, *(target.pid for target in tested.values())}

    def perform(self, job: Job, target: Target) -> Done:
        """One job for one target, with all readings around it."""
        most = 0.0

        def look() -> None:
            nonlocal most
            most = max(most, process.resident_mib(target.pid))

        self._load.say(Order(target.port, job))
        self._load.hear(Warm, job.limit + _GRACE)
        self._patience -= process.await_quiet(self._patience)
        busy, own, began = process.busy_seconds(), self._own(), time.monotonic()
        cpu = process.cpu_seconds(target.pid)
        self._load.say("go")
        result = self._load.hear(Result, job.limit + _GRACE, look)
        cpu = process.cpu_seconds(target.pid) - cpu
        foreign = process.busy_seconds() - busy - (self._own() - own)
        took = time.monotonic() - began
        look()
        return Done(result, cpu, most, max(0.0, foreign) / took if took > _LONG_ENOUGH else None)

    def _own(self) -> float:
        return time.process_time() + sum(process.cpu_seconds(pid) for pid in self._pids)


def run(wanted: plan.Plan) -> Bench:
    """Everything in the plan. Raises Silent where a part of the harness does not do its own."""
    bench = Bench()
    with tempfile.TemporaryDirectory(prefix="keyturn-bench-") as folder, ExitStack() as stack:
        harness = stack.enter_context(_harness(bench, Path(folder), wanted))
        for repetition in range(max(row.repetitions for row in wanted.rows)):
            print(f"bench: repetition {repetition + 1}", file=sys.stderr)
            for row in wanted.rows:
                if repetition < row.repetitions:
                    measure(bench, harness, row)
    return bench


@contextmanager
def _harness(bench: Bench, folder: Path, wanted: plan.Plan) -> Iterator[Harness]:
    with ExitStack() as stack:
        if bench.cores:
            before = os.sched_getaffinity(0)
            stack.callback(os.sched_setaffinity, 0, before)
            os.sched_setaffinity(0, {bench.cores[0]})
        upstream = stack.enter_context(process.program("tests.bench.upstream"))
        port = upstream.hear(Listening, _GRACE).port
        load = stack.enter_context(process.program("tests.bench.load"))
        tested = {targets.DIRECT: Target(targets.DIRECT, port, upstream.pid)}
        if binary := targets.nginx_binary():
            tested[targets.NGINX] = stack.enter_context(targets.nginx(binary, port, folder / "nginx"))
        for number in range(1, wanted.startups):
            with targets.gateway(targets.GATEWAY, port, folder / f"startup-{number}") as target:
                _note_process(bench, target)
        for name in targets.SETTINGS:
            tested[name] = stack.enter_context(targets.gateway(name, port, folder / name))
        for target in tested.values():
            _note_process(bench, target)
            if bench.cores and target.name != targets.DIRECT:
                process.pin(target.pid, bench.cores[1])
        yield Harness(load, tested, wanted.patience)


def _note_process(bench: Bench, target: Target) -> None:
    if target.startup is not None and target.idle is not None:
        bench.add(plan.PROCESS, target.name, {plan.STARTUP.name: target.startup, plan.IDLE.name: target.idle})


def measure(bench: Bench, harness: Harness, row: plan.Row) -> None:
    """One repetition of a row, target after target."""
    measured: dict[str, dict[str, float]] = {}
    for target in (harness.tested[name] for name in row.targets if name in harness.tested):
        done = harness.perform(row.job, target)
        _note_trouble(bench, f"{row.title}, {target.name}", done)
        if done.result.done:
            measured[target.name] = {**_figures(row.job, done.result, done.cpu), "RSS MiB": done.most}
    for name, figures in measured.items():
        bench.add(row.title, name, {**figures, **_compared(figures, measured)})


def _note_trouble(bench: Bench, what: str, done: Done) -> None:
    result = done.result
    if done.foreign is not None:
        bench.foreign.append(done.foreign)
    if result.failed:
        bench.failures.append(
            f"{what}: {result.failed} of {result.done + result.failed} requests failed: {result.failure}"
        )


def _figures(job: Job, result: Result, cpu: float) -> dict[str, float]:
    figures = {"CPU us/request": cpu * 1e6 / result.done, "req/s": result.done / result.seconds}
    if result.chunks:
        figures |= {"CPU us/chunk": cpu * 1e6 / result.chunks, "chunks/s": result.chunks / result.seconds}
    if job.spacing:
        figures["time : ideal"] = result.seconds / job.ideal
    spreads = {"": result.latency, "first chunk ": result.first, "transit ": result.transit}
    for name, spread in spreads.items():
        if spread:
            figures |= {f"{name}p50 ms": spread.p50 / 1000, f"{name}p99 ms": spread.p99 / 1000}
    return figures


def _compared(figures: Mapping[str, float], measured: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Against what others did in the same repetition."""
    compared = {}
    if targets.DIRECT in measured:
        compared["added p50 ms"] = figures["p50 ms"] - measured[targets.DIRECT]["p50 ms"]
    if targets.NGINX in measured:
        compared["req/s : nginx"] = figures["req/s"] / measured[targets.NGINX]["req/s"]
    return compared
