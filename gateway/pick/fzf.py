"""fzf: where it is, and one choice made with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import iterfzf  # type: ignore[import-untyped]

STARTS = "Enter starts claude with it, Esc leaves"
NO_GATEWAY = "no gateway runs: start one with `keyturn serve`"
WIDE = 130  # columns, from which on the preview has its place beside the list
NOTHING_CHOSEN = (1, 130)  # no match, or Esc and Ctrl+C


class NoFzf(Exception):
    """One plain sentence: why no list can be shown, and what to do."""


def find(path: str | None, bundled: str | Path | None = iterfzf.BUNDLED_EXECUTABLE) -> str:
    """fzf as ``path`` (the value of PATH) has it, else the one that came with this installation."""
    found = shutil.which("fzf", path=path)
    if found:
        return found
    if bundled and Path(bundled).is_file():
        return str(bundled)
    raise NoFzf("fzf is not installed: install it (brew install fzf, apt install fzf), or name a model with --model.")


def choose(
    program: str, lines: Sequence[str], previews: Sequence[str], environ: Mapping[str, str], running: bool = True
) -> int | None:
    """The number of the line that a person chose; None where they left. ``running`` is whether a gateway is."""
    with TemporaryDirectory(prefix="keyturn-") as folder:
        for number, text in enumerate(previews):
            Path(folder, str(number)).write_text(text, encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - a program by its full path, and options of our own
            [program, *_options(folder, STARTS if running else NO_GATEWAY)],
            input="\n".join(f"{number}\t{line}" for number, line in enumerate(lines)),
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=_environment(environ),
        )
    if done.returncode in NOTHING_CHOSEN:
        return None
    chosen = done.stdout.partition("\t")[0]
    if done.returncode != 0 or not chosen.isdigit():
        raise NoFzf(f"{program} failed with status {done.returncode}: name a model with --model instead.")
    return int(chosen)


def _options(folder: str, header: str) -> list[str]:
    # Each preview is a file: a program started for every move of the cursor would be felt.
    beside = shutil.get_terminal_size().columns >= WIDE
    show = f'type "{folder}\\{{1}}"' if os.name == "nt" else f"cat '{folder}'/{{1}}"
    return [
        "--delimiter=\t",
        "--with-nth=2",
        "--prompt=model> ",
        f"--header={header}",
        "--height=80%",
        "--reverse",
        "--no-sort",
        f"--preview={show}",
        f"--preview-window={'right,45%' if beside else 'down,50%'},wrap",
    ]


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Options of a person's own might change what comes back."""
    return {name: value for name, value in environ.items() if not name.startswith("FZF_DEFAULT_OPTS")}
