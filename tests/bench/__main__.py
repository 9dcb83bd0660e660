"""``python -m tests.bench``: prints the table; exits with 1 only where a request failed."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.bench import pairs, plan, process, report
from tests.bench.process import Silent
from tests.bench.run import run


def main(arguments: list[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    if chosen.pairs:
        print(pairs.table(pairs.measure(chosen.size.chunks * 5, chosen.size.repetitions * 11)))
        return 0
    if not (process.PROC / "self" / "stat").exists():
        print("bench: CPU time is read from /proc, which this system does not have. Run it on Linux.", file=sys.stderr)
        return 2
    wanted = plan.plan(chosen.size)
    try:
        bench = run(wanted)
    except Silent as silence:
        print(f"bench: {silence}", file=sys.stderr)
        return 1
    print(report.table(bench, wanted))
    if chosen.json:
        chosen.json.write_text(json.dumps(report.as_json(bench, wanted), indent=2) + "\n")
    for failure in bench.failures:
        print(f"bench: {failure}", file=sys.stderr)
    return 1 if bench.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What a request costs the gateway.")
    sizes = parser.add_mutually_exclusive_group()
    for name, size, words in (
        ("--quick", plan.QUICK, "less of everything, in about a minute"),
        ("--tiny", plan.TINY, "a few requests of each kind: shows that the bench works"),
    ):
        sizes.add_argument(name, dest="size", action="store_const", const=size, default=plan.FULL, help=words)
    parser.add_argument("--pairs", action="store_true", help="only what a chunk costs between each two dialects")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
