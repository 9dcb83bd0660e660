"""``keyturn completion``: what a shell needs to complete the commands, their options and the names of models."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import argcomplete
from argcomplete.shell_integration import shellcode

from providers.errors import ConfigError

SHELLS = ("bash", "zsh", "fish")
PROGRAMS = ("keyturn", "claude-pick")


def script(shell: str, started_as: str | None = None) -> str:
    """Lines for the shell to read. The programs beside the running one are asked by their paths, so that an alias
    of a checkout's claude-pick is completed too; where there are none, by their names.
    """
    started = Path(sys.argv[0] if started_as is None else started_as)
    return "".join(_lines(shell, name, started) for name in PROGRAMS)


def _lines(shell: str, name: str, started: Path) -> str:
    beside = started.absolute().with_name(name)
    found = str(beside) if started.name in PROGRAMS and beside.is_file() else None
    if found and shell == "fish":
        found = "'" + found.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return shellcode([name], shell=shell, argcomplete_script=found)


def complete(parser: ArgumentParser) -> None:
    """Answers a shell that asks what may come next, and ends the process; does nothing where none asks."""
    argcomplete.autocomplete(parser, always_complete_options="long")


def models(prefix: str, parsed_args: Namespace, **_: object) -> list[str]:
    """The references of models that begin with ``prefix``: the running gateway's, else those that settings name."""
    from gateway.cli.running import NoAnswer, served
    from gateway.endpoints.models import references
    from gateway.pick.offers import offers
    from gateway.settings.picking import load_for_pick

    try:
        settings = load_for_pick(getattr(parsed_args, "config", None)).settings
    except ConfigError:
        return []
    try:
        found = [offer.ref for offer in offers(served(settings))]
    except NoAnswer:
        found = [str(ref) for ref in references(settings.routing)]
    return [ref for ref in found if ref.startswith(prefix)]
