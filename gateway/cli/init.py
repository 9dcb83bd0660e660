"""``keyturn init``: a .env file of one's own, from the template, with what an earlier file held."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from gateway.cli.env_example import text as template
from gateway.cli.out import say
from gateway.cli.template import filled, values
from gateway.settings.layers import HOME_FILES
from gateway.settings.row_settings import KEY, takes_settings, variables
from providers.catalog import CATALOG, names
from providers.spec import ProviderSpec

OWN, *EARLIER = HOME_FILES
SEVERAL = 20  # files put aside, after which something else is wrong


class NotWritten(Exception):
    """One plain sentence: why there is no file, and what to do."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Who is asked: ``ask`` shows what is typed, ``ask_secret`` does not. Both raise EOFError at the end of input."""

    ask: Callable[[str], str]
    ask_secret: Callable[[str], str]


@dataclass(slots=True)
class Written:
    """What ``write`` did."""

    path: Path
    kept: bool = False  # it was there, and stays as it was
    aside: Path | None = None  # where the file that it replaces is now
    copied_from: Path | None = None
    copied: tuple[str, ...] = ()
    given: list[str] = field(default_factory=list)


def init(force: bool, name: str = OWN) -> int:
    """Prints what was done; returns the exit status, 1 where nothing could be written."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    questions = Questions(input, getpass.getpass) if terminal else None
    home = Path(os.path.expanduser("~"))
    try:
        done = write(home, name, force, questions)
    except NotWritten as problem:
        print(problem, file=sys.stderr)
        return 1
    say("\n".join(told(done, home)))
    return 0


def legacy() -> int:
    """``ccp-init`` and ``fcc-init`` of the earlier systems: the same file, where those looked for it."""
    return init(force=False, name=EARLIER[0])


def write(home: Path, name: str = OWN, force: bool = False, questions: Questions | None = None) -> Written:
    """The file ``name`` under ``home``, readable by its owner alone. Raises NotWritten."""
    path = home / name
    try:
        if path.exists() and not force:
            return Written(path, kept=True)
        earlier = _earlier(home, name)
        given = values(earlier.read_text(encoding="utf-8-sig")) if earlier else {}
        done = Written(path, copied_from=earlier, copied=tuple(given))
        if questions:
            answers = _asked(questions, given)
            done.given = list(answers)
            given |= answers
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = _created(path, filled(template(), given))
        done.aside = _put_aside(path) if path.exists() else None
        fresh.rename(path)
    except UnicodeDecodeError as error:
        raise NotWritten(
            f"{earlier} is not UTF-8 text, so its values cannot be taken over: save it as UTF-8."
        ) from error
    except OSError as error:
        raise NotWritten(
            f"{error.filename or path}: {error.strerror}. Correct its rights, or make {path} by hand."
        ) from error
    return done


def told(done: Written, home: Path) -> list[str]:
    """What happened, and what to do next; no value of the file."""
    if done.kept:
        return [f"{done.path} is there already and stays as it is. `keyturn init --force` makes it anew."]
    lines = [f"{done.path} is written; only you can read it."]
    if done.aside:
        lines.append(f"The one before it is now {done.aside}.")
    if done.copied_from:
        lines.append(f"Taken over from {done.copied_from}: {', '.join(done.copied) or 'nothing, it sets no value'}.")
    if done.given:
        lines.append(f"Set: {', '.join(done.given)}.")
    if (first := home / OWN) != done.path and first.is_file():
        lines.append(f"It is not read while {first} is there: that one counts.")
    lines.append(
        "Next: `keyturn doctor` tries your keys, `keyturn` starts the gateway."
        if done.given or done.copied
        else "Next: put a key into it, then `keyturn doctor` tries it and `keyturn` starts the gateway."
    )
    return lines


def _earlier(home: Path, name: str) -> Path | None:
    """The file whose values are taken over: the one that would be replaced, else an earlier system's."""
    candidates = (name, *(other for other in (EARLIER if name == OWN else ()) if other != name))
    return next((home / each for each in candidates if (home / each).is_file()), None)


def _put_aside(path: Path) -> Path:
    for number in range(1, SEVERAL + 1):
        aside = path.with_name(f"{path.name}.old{number}")
        if not aside.exists():
            return path.rename(aside)
    raise NotWritten(f"{path.parent} holds {SEVERAL} old files already: delete some {path.name}.old*.")


def _created(path: Path, text: str) -> Path:
    """The new file beside ``path``: whole before it takes the name, and never readable by others, not for a moment."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return beside


def _asked(questions: Questions, given: Mapping[str, str]) -> dict[str, str]:
    """Keys that a person pastes, by variable. Ctrl+D and an empty answer end it."""
    answers: dict[str, str] = {}
    known = {name: spec for spec in CATALOG if takes_settings(spec) for name in (spec.id, *spec.aliases)}
    try:
        while answer := questions.ask(_which(bool(answers or given))).strip():
            spec = known.get(answer.lower())
            if spec is None:
                say(_unknown(answer))
            elif key := questions.ask_secret(_key(spec)).strip():
                answers[variables(spec, KEY)[0]] = key
    except EOFError:
        say("")
    return answers


def _unknown(answer: str) -> str:
    near = get_close_matches(answer.lower(), names(CATALOG), n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"It knows {', '.join(spec.id for spec in CATALOG)}."
    return f"{answer!r} is no provider that Keyturn knows. {hint}"


def _which(some: bool) -> str:
    return (
        "Another provider that you have a key for (Enter: no more): "
        if some
        else "Which provider do you have a key for, such as open_router, nvidia_nim or groq (Enter: none yet)? "
    )


def _key(spec: ProviderSpec) -> str:
    where = f" (made at {spec.key_url})" if spec.key_url else ""
    return f"Its key{where}, not shown while you paste it: "
