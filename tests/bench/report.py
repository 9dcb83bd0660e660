"""The figures as a table for people and as JSON for programs."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from tests.bench import plan, targets
from tests.bench.run import Bench

_NAME = 24
_CELL = 27
_GOAL = 9
_BUSY = 0.25  # of a core, taken by other programs


def table(bench: Bench, wanted: plan.Plan) -> str:
    """Median [min-max] of each measure for each target, with the goals beside."""
    names = [name for name in plan.ALL if any(target == name for _, _, target in bench.figures)]
    lines = [_machine(bench), "", _line("", [*names], "must", "stretch")]
    for title, measures in _rows(wanted):
        lines += ["", title]
        for measure in measures:
            cells = [_cell(bench.figures.get((title, measure.name, name), ())) for name in names]
            if any(cells):
                lines.append(_line(f"  {measure.name}", cells, measure.must, measure.stretch))
    return "\n".join([*lines, "", *_notes(bench, names)])


def as_json(bench: Bench, wanted: plan.Plan) -> dict[str, Any]:
    """Every figure with its goals."""
    return {
        "machine": _machine(bench),
        "foreign_cpu": _summary(bench.foreign) if bench.foreign else None,
        "failures": bench.failures,
        "figures": [
            {"row": title, "measure": measure.name, "target": name, **_summary(values), "goal": measure.must}
            for title, measures in _rows(wanted)
            for measure in measures
            for name in plan.ALL
            if (values := bench.figures.get((title, measure.name, name)))
        ],
    }


def _rows(wanted: plan.Plan) -> Iterator[tuple[str, Sequence[plan.Measure]]]:
    for row in wanted.rows:
        yield row.title, row.measures
    yield plan.PROCESS, (plan.STARTUP, plan.IDLE)


def _summary(values: Sequence[float]) -> dict[str, Any]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "repetitions": len(values)}


def _machine(bench: Bench) -> str:
    where = f"harness on core {bench.cores[0]}, target on core {bench.cores[1]}" if bench.cores else "nothing pinned"
    return f"{platform.system()} {platform.release()}, Python {platform.python_version()}; {where}"


def _notes(bench: Bench, names: Sequence[str]) -> list[str]:
    notes = [
        "median [min-max]. CPU is the target's own, from /proc. direct: the upstream alone, on the harness's core.",
        "The goals are the gateway's.",
    ]
    if bench.foreign:
        middle, most = statistics.median(bench.foreign), max(bench.foreign)
        notes.append(f"Other programs took {middle:.0%} of a core (median; at most {most:.0%}).")
        if middle > _BUSY:
            notes.append("That is too much: trust no time here, and CPU time only beside that of nginx or direct.")
    if targets.NGINX not in names:
        notes.append("nginx is not installed here: there is no practical limit to compare with.")
    return notes


def _line(name: str, cells: Sequence[str], must: str, stretch: str) -> str:
    columns = "".join(f"{cell:>{_CELL}}" for cell in cells)
    return f"{name:<{_NAME}}{columns}{must:>{_GOAL}}{stretch:>{_GOAL}}".rstrip()


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle = _number(statistics.median(values))
    return f"{middle} [{_number(min(values))}-{_number(max(values))}]" if len(values) > 1 else middle


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"
