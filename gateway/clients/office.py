"""Tokens made, listed and revoked: by /admin/tokens in a running gateway, by ``keyturn token`` where none runs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from gateway.clients import expiry, table
from gateway.clients.book import Book
from gateway.clients.table import Refused, Table
from gateway.settings.model import SHARED
from middleware.grant import Grant, digest
from providers.ports import Clock
from providers.spec import Limits

PREFIX = "kt_"
BYTES = 32  # that are random
LONGEST = 40  # characters of a name: it stands in metrics and tables
MOST = 100  # patterns of each kind
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
FIELDS = ("name", "models", "providers", *table.LIMITS, "expires", "web_tools", "web_tools_per_minute")

NO_PLACE = (
    "Made tokens have no place here to outlast a restart. Set KEYTURN_STATE_FILE (one process) or REDIS_URL (many) and "
    "restart Keyturn; or put a token's hash into [[tokens]] of keyturn.toml: `keyturn token create <name> --toml`."
)

READ_AGAIN = "A Keyturn that runs reads its files again by itself; what stands in its environment needs a restart."

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Office:
    """``reserved`` are the names in the settings; ``changed`` hears of every change, before anybody is told of it."""

    book: Book
    reserved: Collection[str]
    wall: Clock
    changed: Callable[[Table], None] = lambda _: None

    async def create(self, wanted: Json) -> tuple[str, Json]:
        """A new token, to be shown once, and what it is. Raises Refused and BookAway."""
        now = self.wall()
        grant = replace(grant_of(wanted, now), created=now)
        if grant.name in self.reserved:
            raise Refused(f"The name {grant.name} is taken in the settings. Choose another one.")
        token = mint()
        self.changed(await self.book.change(lambda grants: table.added(grants, digest(token), grant, now)))
        return token, shown(grant, False, now)

    async def revoke(self, name: str) -> None:
        """Raises Refused and BookAway."""
        if name in self.reserved and not await self._made(name):
            where = "ANTHROPIC_AUTH_TOKEN" if name == SHARED else "[[tokens]] of keyturn.toml"
            raise Refused(f"The token {name} stands in the settings: take it out of {where}. {READ_AGAIN}")
        now = self.wall()
        self.changed(await self.book.change(lambda grants: table.revoked(grants, name, now)))

    async def made(self) -> list[Grant]:
        """By name. Raises BookAway."""
        return sorted((await self.book.read() or Table()).grants.values(), key=lambda grant: grant.name)

    async def _made(self, name: str) -> bool:
        return any(each.name == name for each in await self.made())


def mint() -> str:
    """256 random bits."""
    return PREFIX + secrets.token_urlsafe(BYTES)


def shown(grant: Grant, fixed: bool, now: float) -> Json:
    """A token as people see it. ``fixed``: it is of the settings."""
    return {
        "name": grant.name,
        "state": grant.ended(now) or "good",
        "from": "settings" if fixed else "store",
        "models": list(grant.models),
        "providers": list(grant.providers),
        "requests_per_minute": grant.limits.requests,
        "tokens_per_minute": grant.limits.tokens,
        "max_concurrency": grant.limits.concurrency,
        "web_tools": grant.web_tools,
        "web_tools_per_minute": grant.web_tools_per_minute,
        "expires": expiry.written(grant.expires),
        "revoked": expiry.written(grant.revoked),
        "created": expiry.written(grant.created),
    }


def grant_of(wanted: Json, now: float) -> Grant:
    """What somebody asked for, checked. Raises Refused naming the field."""
    for field in wanted.keys() - set(FIELDS):
        raise Refused(f"{field[:50]}: there is no such field; there are {', '.join(FIELDS)}.")
    name = wanted.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > LONGEST:
        raise Refused(f"name: write up to {LONGEST} letters, digits, ., _, - and @, such as ada or ci-runner.")
    if name == SHARED:
        raise Refused(f"name: {SHARED} is the name of the token in ANTHROPIC_AUTH_TOKEN. Choose another one.")
    web = wanted.get("web_tools", True)
    if not isinstance(web, bool):
        raise Refused("web_tools: write true or false.")
    return Grant(
        name,
        _patterns(wanted, "models"),
        _patterns(wanted, "providers"),
        Limits(*(_whole(wanted, field) for field in table.LIMITS)),
        web,
        _expires(wanted.get("expires"), now),
        web_tools_per_minute=_whole(wanted, "web_tools_per_minute"),
    )


def _patterns(wanted: Json, field: str) -> tuple[str, ...]:
    value = wanted.get(field) or []
    good = isinstance(value, list) and len(value) <= MOST
    if not good or not all(isinstance(each, str) and each.strip() and each.isprintable() for each in value):
        raise Refused(f"{field}: write a list of up to {MOST} patterns, such as groq/* or *haiku*.")
    return tuple(each.strip() for each in value)


def _whole(wanted: Json, field: str) -> int | None:
    value = wanted.get(field)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**12):
        return value
    raise Refused(f"{field}: write a whole number above 0.")


def _expires(value: Any, now: float) -> float | None:
    if value is None:
        return None
    try:
        when = expiry.moment(value, now) if isinstance(value, str) else float("nan")
    except (ValueError, OverflowError):
        when = float("nan")
    if when > now:
        return when
    raise Refused(f"expires: write a time to come, such as {expiry.EXAMPLES}.")
