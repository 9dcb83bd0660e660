"""All client tokens that this process knows: those of the settings, and those that were made, as the book has them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from structlog.typing import FilteringBoundLogger

from gateway.clients.book import Book, BookAway
from gateway.clients.table import Grants, Table, joined
from middleware.grant import Grant, digest
from providers.ports import Clock

EVERY = 0.3  # seconds between two looks at the book: within a second a revocation is everywhere
TWINS = (
    "client tokens: the settings have a name that a made token has too; both are served, under one usage. "
    "`keyturn token revoke <name>` ends the made one"
)


class Roster:
    """See middleware.auth.Clients. Enter nothing: ``look`` once, then ``watch`` while it is of use."""

    def __init__(self, fixed: Grants, book: Book | None, wall: Clock, away: Callable[[], bool] = lambda: False) -> None:
        """``fixed`` are by digest, and nothing ends them but their settings. ``away``: it is of no use to look now."""
        self._fixed = fixed
        self.book = book
        self._wall = wall
        self._away = away
        self._table: Table | None = None
        self._said = ""
        self._twins = frozenset[str]()
        self._log: FilteringBoundLogger = structlog.get_logger("keyturn")

    @property
    def required(self) -> bool:
        return bool(self._fixed or (self._table and self._table.grants))

    @property
    def complete(self) -> bool:
        return self.book is None or self._table is not None

    def configured(self, fixed: Grants) -> None:
        """Other settings: these are their tokens."""
        self._fixed = fixed
        self._compare()

    def now(self) -> float:
        return self._wall()

    def find(self, offered: str) -> Grant | None:
        key = digest(offered)
        made = self._table.grants.get(key) if self._table else None
        return self._fixed.get(key, made)

    @property
    def reserved(self) -> frozenset[str]:
        """Names in the settings."""
        return frozenset(grant.name for grant in self._fixed.values())

    def all(self) -> list[tuple[Grant, bool]]:
        """Every token, with whether it is of the settings."""
        made = sorted(self._table.grants.values(), key=lambda grant: grant.name) if self._table else ()
        return [*((grant, True) for grant in self._fixed.values()), *((grant, False) for grant in made)]

    def took(self, table: Table) -> None:
        """What was just written or read."""
        self._table = table
        self._compare()

    async def look(self) -> None:
        """Takes in what is new. Never raises: what is known goes on where the book is away."""
        if self.book is None or self._away():
            return
        try:
            found = await self.book.read(self._table.version if self._table else None)
            if found is not None:
                self.took(await self._healed(self.book, found))
        except BookAway as error:
            self._complain(str(error))
        else:
            self._complain("")

    async def watch(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        while True:
            await sleep(EVERY)
            await self.look()

    async def _healed(self, book: Book, found: Table) -> Table:
        """A book that was begun anew, or is a copy of an older one, is told what it lacks."""
        known = self._table
        if known is None or found.version >= known.version:
            return found
        return await book.change(lambda theirs: joined(theirs, known.grants), known.version)

    def _compare(self) -> None:
        """Two tokens of one name, of which each is good, are told once: a reload may bring a name that was made."""
        made = self._table.grants.values() if self._table else ()
        twins = self.reserved.intersection(grant.name for grant in made if not grant.ended(self.now()))
        for name in sorted(twins - self._twins):
            self._log.warning(TWINS, client=name)
        self._twins = twins

    def _complain(self, problem: str) -> None:
        """Once for each problem."""
        if problem != self._said:
            self._said = problem
            if problem:
                self._log.warning(f"client tokens: {problem}; those that are known go on")
