"""``keyturn pick`` and ``claude-pick``: choose a model, and start Claude Code with it and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.cli.banner import url
from gateway.cli.out import say
from gateway.cli.running import NoAnswer, NoGateway, pool, served
from gateway.pick import client_settings, fzf, recents
from gateway.pick.launch import DROPPED, FORMATS, Room, environment
from gateway.pick.offers import Offer, lines, offers, preview
from gateway.settings import Settings
from gateway.settings.picking import PROVIDER, Picking, load_for_pick
from providers.catalog import names
from providers.errors import Fault

LEFT = 130
MISSING = 127  # what a shell reports for a program that is not there


class CannotPick(Exception):
    """One plain sentence: what stands in the way, and the next step."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for. ``model`` "" has a person choose."""

    model: str = ""
    list_only: bool = False
    print_as: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def starts(self) -> bool:
        """Whether claude is to be started, and nothing printed."""
        return not (self.list_only or self.print_as)


def pick(wanted: Wanted, config: Path | None = None) -> int:
    """Runs claude in this process's place; returns the exit status where it does not come to that."""
    try:
        return _picked(wanted, load_for_pick(config))
    except (CannotPick, NoAnswer, fzf.NoFzf) as problem:
        print(problem, file=sys.stderr)
        return 1


def _picked(wanted: Wanted, picking: Picking) -> int:
    settings = picking.settings
    items, running = _items(settings, must_run=wanted.starts and bool(wanted.model))
    found = _offers(items, picking)
    if wanted.list_only:
        say("\n".join(offer.ref for offer in found))
        return 0
    offer = _named(wanted.model, found, settings) if wanted.model else _chosen(found, picking, running)
    if offer is None:
        return LEFT
    own = environment(url(settings, settings.port), _token(settings), offer.ref, offer.room)
    if wanted.starts:
        _check(own, picking)
        if not running:
            served(settings)  # it may have been started meanwhile
    recents.remember(picking.recent, offer.ref)
    if wanted.print_as:
        say(FORMATS[wanted.print_as](own))
        return 0
    return _start(own, wanted.arguments, picking.environ)


def _items(settings: Settings, must_run: bool) -> tuple[list[Any], bool]:
    """What the gateway lists, and that it runs; else what its providers list. Raises NoAnswer."""
    try:
        return served(settings), True
    except NoGateway:
        if must_run:
            raise
        from gateway.cli.provider_lists import listed  # the transports take their time to import

        return listed(settings), False


def _offers(items: Sequence[Any], picking: Picking) -> list[Offer]:
    found = offers(items)
    if only := picking.provider:
        known = names(picking.settings.routing.specs.values())
        if only not in known:
            raise CannotPick(f"{PROVIDER}: {only!r} is no provider that Keyturn knows; `keyturn check` lists yours.")
        found = [offer for offer in found if offer.provider == known[only]]
    if not found:
        raise CannotPick("The gateway offers no model. `keyturn check` shows what is configured.")
    return found


def _check(own: Mapping[str, str], picking: Picking) -> None:
    """What would make the client ask another model than the one that was picked is told before it starts."""
    paths = client_settings.files(picking.environ, Path(os.path.expanduser("~")), Path.cwd())
    if found := client_settings.overruling(paths, own):
        path, name = found
        raise CannotPick(f"{path} sets {name}, which wins over what is picked here: take it out of `env` there.")


def _named(model: str, found: Sequence[Offer], settings: Settings) -> Offer:
    """The model that --model names, listed or not: a provider may serve more than it lists.

    What is listed is so called by the gateway, which may have been started with other settings than these.
    """
    if listed := next((offer for offer in found if offer.ref == model), None):
        return listed
    try:
        ref = str(settings.routing.parse(model))
    except Fault as fault:
        raise CannotPick(f"--model: {fault.message}") from fault
    return next((offer for offer in found if offer.ref == ref), Offer(ref, Room(), {}))


def _chosen(found: Sequence[Offer], picking: Picking, running: bool) -> Offer | None:
    if not sys.stdin.isatty():
        raise CannotPick("There is no terminal to choose in: name a model with --model; --list shows them.")
    program = fzf.find(picking.environ.get("PATH"))
    by_ref = {offer.ref: offer for offer in found}
    ordered = [by_ref[ref] for ref in recents.first(by_ref, recents.load(picking.recent))]
    health = _health(picking.settings)
    previews = [preview(each, health) for each in ordered]
    number = fzf.choose(program, lines(ordered, health), previews, picking.environ, running)
    return None if number is None else ordered[number]


def _health(settings: Settings) -> dict[str, Any]:
    """The live pool by provider; nothing where it is not ours to see."""
    try:
        return {each["provider"]: each for each in pool(settings)[1]["providers"]}
    except NoAnswer:
        return {}


def _token(settings: Settings) -> str:
    return next((token.secret.reveal() for token in settings.tokens if token.secret), "")


def _start(own: Mapping[str, str], arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    program = shutil.which("claude", path=environ.get("PATH"))
    if program is None:
        print(
            "claude is not on PATH: install it (npm install -g @anthropic-ai/claude-code). "
            "--print-env shows the variables for another client.",
            file=sys.stderr,
        )
        return MISSING
    env = {name: value for name, value in environ.items() if name not in DROPPED} | dict(own)
    if os.name == "nt":  # there is no exec that keeps the console
        return subprocess.run([program, *arguments], env=env).returncode  # noqa: S603 - it is what the user asked for
    sys.stdout.flush()
    os.execve(program, [program, *arguments], env)  # noqa: S606 - the same
