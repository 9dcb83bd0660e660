"""Where the tokens are kept that were made: the port, fulfilled by Redis and by the state file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.clients.table import Grants, Table

Change = Callable[[Grants], Grants]
"""Raises table.Refused."""


class BookAway(Exception):
    """It cannot be read or written now; the message says why."""


class Book(Protocol):
    """Every change is atomic, whichever process makes it."""

    async def read(self, known: int | None = None) -> Table | None:
        """All of it; None where its version is still the ``known`` one. Raises BookAway."""

    async def change(self, change: Change, least: int = 0) -> Table:
        """``change`` is told what is there, maybe more than once. The version grows beyond ``least``, too.

        Raises BookAway, and what ``change`` raises.
        """
