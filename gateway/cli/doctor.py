"""``keyturn doctor``: each configured key is asked for each model it may serve; what fails is told with its cure."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gateway.app import TIME
from gateway.cli.banner import columns
from gateway.cli.out import say, show
from gateway.doctor.findings import Finding, State, Verdict, keyless, verdicts
from gateway.doctor.plan import duties, subjects
from gateway.doctor.probes import Doctor
from gateway.lasting import LOGINS, TRANSPORTS
from gateway.observers import Observers
from gateway.settings import Settings
from gateway.state.memory import MemoryStore
from providers.dialects import discover
from providers.registry import Registry

PATIENCE = 60.0  # seconds that one answer may take
HEAD = ("provider", "key", "model", "state", "first token", "streams", "tools", "thinking", "quota left")
STYLES = {
    r"\A.*": "bold",
    r"(?m)^\S+/\S+$": "bold cyan",
    r"(?m)(?<=  )ok(?= )|(?<=  )works(?=: .* answers)": "green",
    r"(?m)(?<=  )limited(?= )": "yellow",
    r"(?m)(?<=  )failed(?= )|(?<=  )cannot work(?=: )": "red",
}


def doctor(settings: Settings, as_json: bool = False, patience: float = PATIENCE) -> int:
    """Prints what was found; returns the exit status, 1 where a tier or a rule has nothing that can answer."""
    findings = asyncio.run(_examined(settings, patience))
    found = verdicts(duties(settings), findings)
    if as_json:
        say(json.dumps(report(findings, found), indent=2))
    elif sys.stdout.isatty():
        show(grouped(findings, found), STYLES)
    else:
        say(text(findings, found))
    return 1 if any(verdict.state is State.FAILED for verdict in found) else 0


async def _examined(settings: Settings, patience: float) -> list[Finding]:
    asked = subjects(settings)
    store = MemoryStore(TIME.clock, TIME.wall)
    registry = Registry(settings.providers, discover(), TRANSPORTS, store, Observers(), TIME, LOGINS)
    try:
        with ExitStack() as stack:
            examiner = Doctor(registry, patience)
            examiner.done = _progress(stack, examiner.count(asked))
            findings = await examiner.examine(asked, settings.routing.thinking)
    finally:
        await registry.aclose()
    without = [duty.primary for duty in duties(settings) if duty.primary.provider not in settings.routing.usable]
    configs = {config.id: config for config in settings.providers}
    return [*findings, *(keyless(configs[ref.provider], ref.model) for ref in dict.fromkeys(without))]


def _progress(stack: ExitStack, total: int) -> Callable[[], None]:
    """A bar where somebody watches; it is gone at the end."""
    if not sys.stderr.isatty():
        return lambda: None
    columns = (TextColumn("asking"), BarColumn(), MofNCompleteColumn())
    bar = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
    task = bar.add_task("asking", total=total)
    return lambda: bar.advance(task)


def report(findings: Sequence[Finding], found: Sequence[Verdict]) -> dict[str, Any]:
    """What ``--json`` prints. Its names stay as they are; null is what was not asked."""
    return {
        "ok": all(verdict.state is not State.FAILED for verdict in found),
        "tiers": [
            {
                "name": verdict.name,
                "target": str(verdict.target),
                "state": verdict.state,
                "answered_by": str(verdict.answered_by) if verdict.answered_by else None,
            }
            for verdict in found
        ],
        "probes": [asdict(finding) for finding in findings],
    }


def text(findings: Sequence[Finding], found: Sequence[Verdict]) -> str:
    """The same for programs that read lines: each with all that was found of a key and a model."""
    return _with_verdicts(columns([HEAD, *map(_cells, findings)]), findings, found)


def grouped(findings: Sequence[Finding], found: Sequence[Verdict]) -> str:
    """The same for people, narrow enough for a terminal: each model with its keys below."""
    rows = [("  key", *HEAD[3:]), *((f"  {key}", *more) for _, key, _, *more in map(_cells, findings))]
    head, *lines = columns(rows)
    by_model = groupby(zip(findings, lines, strict=True), key=lambda pair: str(pair[0].ref))
    return _with_verdicts(
        [head, *(line for ref, pairs in by_model for line in (ref, *(each for _, each in pairs)))], findings, found
    )


def _with_verdicts(table: list[str], findings: Sequence[Finding], found: Sequence[Verdict]) -> str:
    problems = ["\n".join(_problem(finding)) for finding in findings if finding.kind]
    return "\n\n".join(["\n".join(table), "\n".join(columns([_tier(verdict) for verdict in found])), *problems])


def _cells(finding: Finding) -> tuple[str, ...]:
    seconds = finding.first_content
    return (
        finding.provider,
        finding.key or "-",
        finding.model,
        str(finding.state),
        "-" if seconds is None else f"{seconds:.2f} s",
        *(_answer(each) for each in (finding.streams, finding.tools, finding.thinking)),
        finding.quota or "-",
    )


def _answer(known: bool | None) -> str:
    return "-" if known is None else "yes" if known else "no"


def _tier(verdict: Verdict) -> tuple[str, str]:
    if verdict.state is State.FAILED:
        return verdict.name, f"cannot work: {verdict.target} does not answer, and nothing takes over"
    answering = verdict.answered_by
    instead = "" if answering == verdict.target else f", in place of {verdict.target}"
    rests = "" if verdict.state is State.OK else " once its limit has passed"
    return verdict.name, f"works: {answering} answers{rests}{instead}"


def _problem(finding: Finding) -> list[str]:
    return [f"{finding.key or finding.provider}, {finding.model}: {finding.says}", f"  {finding.fix}"]
