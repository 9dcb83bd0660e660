"""``keyturn token``: makes, lists and revokes client tokens, in the store of these settings or in a running gateway."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from gateway.cli.out import say
from gateway.cli.running import NoAnswer, answered
from gateway.cli.token_text import table, toml
from gateway.clients.book import BookAway
from gateway.clients.office import NO_PLACE, Office, grant_of, mint, shown
from gateway.clients.table import Refused
from gateway.settings import Settings
from gateway.state.stores import opened_book
from middleware.grant import digest

Json = dict[str, Any]
TOKENS = "/admin/tokens"
ONCE = "This is {name}'s token. It is shown this once: only its hash is kept. {name} sets ANTHROPIC_AUTH_TOKEN to it."
FIRST = "It is the first one: from now on, this Keyturn serves nobody without a token."
PASTE = "Put these lines into keyturn.toml. A Keyturn that runs with this file takes them within seconds."


@dataclass(frozen=True)
class Wanted:
    """``verb`` is create, list or revoke. ``fields`` are those of POST /admin/tokens."""

    verb: str
    fields: Json = field(default_factory=dict)
    url: str | None = None
    as_json: bool = False
    as_toml: bool = False


class Desk(Protocol):
    """Where tokens are made: an Office here, or one behind HTTP."""

    async def create(self, wanted: Json) -> tuple[str, Json]: ...

    async def revoke(self, name: str) -> None: ...

    async def listed(self) -> list[Json]: ...


def token(settings: Settings, wanted: Wanted) -> int:
    """What was made or found on stdout, words about it on stderr. Returns the exit status, 1 where it failed."""
    try:
        if wanted.as_toml:
            _written_down(wanted.fields)
        else:
            asyncio.run(_at_a_desk(settings, wanted))
    except (Refused, BookAway, NoAnswer) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


async def _at_a_desk(settings: Settings, wanted: Wanted) -> None:
    verbs: dict[str, Callable[[Desk, Wanted], Awaitable[None]]] = {"create": _create, "list": _list, "revoke": _revoke}
    if wanted.url:
        await verbs[wanted.verb](Elsewhere(settings, wanted.url), wanted)
        return
    async with opened_book(settings) as book:
        if book is None and wanted.verb != "list":
            raise Refused(NO_PLACE)
        await verbs[wanted.verb](Here(settings, Office(book, _fixed(settings), time.time) if book else None), wanted)


async def _create(desk: Desk, wanted: Wanted) -> None:
    first = not await desk.listed()
    made, what = await desk.create(wanted.fields)
    say(json.dumps({**what, "token": made}) if wanted.as_json else made)
    _beside(ONCE.format(name=what["name"]))
    if first:
        _beside(FIRST)


async def _list(desk: Desk, wanted: Wanted) -> None:
    found = await desk.listed()
    say(json.dumps({"tokens": found}) if wanted.as_json else table(found))


async def _revoke(desk: Desk, wanted: Wanted) -> None:
    await desk.revoke(wanted.fields["name"])
    _beside(f"The token {wanted.fields['name']} is revoked; within a second, no gateway takes it.")


def _written_down(fields: Json) -> None:
    """For whoever has no store: nothing is changed here."""
    grant, made = grant_of(fields, time.time()), mint()
    say(made)
    _beside(ONCE.format(name=grant.name))
    say("\n" + toml(grant, digest(made)))
    _beside(PASTE)


def _fixed(settings: Settings) -> list[str]:
    return [each.name for each in settings.tokens]


def _beside(words: str) -> None:
    print(words, file=sys.stderr)


@dataclass(frozen=True)
class Here:
    """The store of these settings, whether or not a gateway runs."""

    settings: Settings
    office: Office | None

    async def create(self, wanted: Json) -> tuple[str, Json]:
        return await self._placed().create(wanted)

    async def revoke(self, name: str) -> None:
        await self._placed().revoke(name)

    async def listed(self) -> list[Json]:
        now = time.time()
        fixed = [shown(each.grant, True, now) for each in self.settings.tokens]
        made = await self.office.made() if self.office else []
        return fixed + [shown(grant, False, now) for grant in made]

    def _placed(self) -> Office:
        if self.office is None:
            raise Refused(NO_PLACE)
        return self.office


@dataclass(frozen=True)
class Elsewhere:
    """A running gateway, whose admin token is known here."""

    settings: Settings
    url: str

    async def create(self, wanted: Json) -> tuple[str, Json]:
        made = await self._asked("POST", TOKENS, wanted)
        return made.pop("token"), made

    async def revoke(self, name: str) -> None:
        await self._asked("DELETE", f"{TOKENS}/{quote(name, safe='')}")

    async def listed(self) -> list[Json]:
        found: list[Json] = (await self._asked("GET", TOKENS))["tokens"]
        return found

    async def _asked(self, method: str, path: str, body: Json | None = None) -> Json:
        return await asyncio.to_thread(answered, self.settings, self.url, method, path, body)
