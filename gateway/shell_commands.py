"""What a plain shell command is, for the two probes that ask about one. Pure.

Only commands without any operator, substitution, redirection, glob or escape are read; of all others this module says
nothing, or that they hide something. Words: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

NONE = "none"
INJECTED = "command_injection_detected"

_MOST = 4096  # characters of a command that is looked at
_HIDES = re.compile(r"[\n\r`]|\$\(|\$\{|[<>]\(")
# A word of plain characters and of quotations that the shell takes literally; ~ and ^ mean nothing inside a word.
_PLAIN = r"[A-Za-z0-9_@%+=:,./-]"
_QUOTED = r"\"[A-Za-z0-9_@%+=:,./ *?|&;()\[\]{}<>~^#'-]*\"|'[A-Za-z0-9_@%+=:,./ *?|&;()\[\]{}<>~^#\"-]*'"
_WORD = re.compile(rf"(?:{_PLAIN}|{_QUOTED})(?:{_PLAIN}|{_QUOTED}|[~^])*")
_QUOTES = re.compile(r"\"([^\"]*)\"|'([^']*)'")

# Commands that run nothing else, whatever their arguments are.
_LOOK = frozenset({"basename", "cd", "df", "dirname", "du", "ls", "pwd", "stat", "uname", "wc", "which", "whoami"})
_ALONE = _LOOK | {"cat", "echo", "file", "grep", "head", "mkdir", "sleep", "tail", "touch"}
_FIND_RUNS = re.compile(r"-(?:exec|ok|delete|fprint|fls)")
_GIT = frozenset({"add", "blame", "branch", "checkout", "commit", "diff", "log", "push", "show", "stash"})


def words(command: str) -> list[str]:
    """The words of a plain command, as they are written; none where it is anything else."""
    if len(command) > _MOST or "  " in command:
        return []
    written: list[str] = []
    at = 0
    while at < len(command):
        found = _WORD.match(command, at)
        if found is None or command[found.end() : found.end() + 1] not in ("", " "):
            return []
        written.append(found[0])
        at = found.end() + 1
    return written if command == " ".join(written) else []


def unquoted(word: str) -> str:
    """A word as its command gets it."""
    return _QUOTES.sub(lambda quoted: quoted[1] or quoted[2] or "", word)


def prefix(command: str) -> str | None:
    """What a permission may be given for, by the examples that Claude Code's own policy has for it (2.1.197).

    NONE and INJECTED make the client ask its user. None where a model has to say: the command is not plain, or not
    one of those that are known here.
    """
    if _HIDES.search(command):
        return INJECTED
    written = words(command)
    if not written:
        return None
    reader = _PREFIXES.get(written[0])
    if reader is not None:
        return reader(written)
    return written[0] if written[0] in _ALONE else None


def _git(written: Sequence[str]) -> str | None:
    subcommand = written[1] if len(written) > 1 else ""
    if subcommand == "status" or (subcommand in ("diff", "log") and len(written) == 2):
        return f"git {subcommand}"
    options = any(unquoted(word).startswith("-") for word in written)
    if subcommand not in _GIT or (subcommand == "push" and (options or any("::" in word for word in written))):
        return None  # an option of push can name a program, and so can an address such as ext::...
    return f"git {subcommand}" if len(written) > 2 else NONE


def _npm(written: Sequence[str]) -> str | None:
    if written[1:2] == ["test"] or written[1:2] == ["start"]:
        return f"npm {written[1]}" if len(written) > 2 else NONE
    if written[1:2] == ["run"] and len(written) > 2 and not written[2].startswith("-"):
        return f"npm run {written[2]}" if len(written) > 3 else NONE
    return None


def _find(written: Sequence[str]) -> str | None:
    return None if any(_FIND_RUNS.match(unquoted(word)) for word in written) else "find"


_PREFIXES: Mapping[str, Callable[[Sequence[str]], str | None]] = {"git": _git, "npm": _npm, "find": _find}

_SILENT = _LOOK | {"find", "mkdir", "rm", "rmdir", "sleep", "touch", "tree"}
_SHOWS_ALL = frozenset({"bat", "cat", "less", "more", "nl"})
_TAKES_VALUE: Mapping[str, frozenset[str]] = {
    "head": frozenset(("-n", "-c")),
    "tail": frozenset(("-n", "-c")),
    "grep": frozenset(("-e", "-f", "-m", "-A", "-B", "-C")),
}
_DIFF_FILE = re.compile(r"^\+\+\+ b/(.+)$", re.MULTILINE)


def shown_files(command: str, output: str) -> list[str] | None:
    """The files whose contents a plain command has shown; None where a model has to say."""
    written = [unquoted(word) for word in words(command)]
    if not written:
        return None
    name = written[0]
    if name in _SILENT:
        return []
    if name == "git" and written[1:2] in (["diff"], ["show"]):
        return _DIFF_FILE.findall(output)
    if name in _SHOWS_ALL or name in _TAKES_VALUE:
        files, pattern_given = _positional(written[1:], _TAKES_VALUE.get(name, frozenset()))
        return files[1:] if name == "grep" and not pattern_given else files
    return None


def _positional(arguments: Sequence[str], takes_value: frozenset[str]) -> tuple[list[str], bool]:
    """The arguments that are no options and no values of options, and whether -e or -f gave a pattern."""
    files: list[str] = []
    given = options_over = False
    rest = iter(arguments)
    for argument in rest:
        if options_over or not argument.startswith("-") or argument == "-":
            files.append(argument)
        elif argument == "--":
            options_over = True
        else:
            given = given or argument[:2] in ("-e", "-f")
            if argument in takes_value:
                next(rest, "")
    return files, given
