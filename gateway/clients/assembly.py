"""The client tokens as the settings have them, and where made ones are kept."""

from __future__ import annotations

from typing import Any

from gateway.clients.overview import overview
from gateway.clients.roster import Roster
from gateway.clients.table import Grants
from gateway.settings import Settings
from gateway.state.stores import Store, make_book
from gateway.stories import Stories
from gateway.usage import UsageLedger
from providers.ports import Time


def make_roster(settings: Settings, store: Store, time: Time) -> Roster:
    """Reads nothing yet."""
    return Roster(fixed(settings), make_book(settings, store), time.wall, lambda: store.away is not None)


def fixed(settings: Settings) -> Grants:
    """The tokens of the settings, by digest."""
    return {token.digest: token.grant for token in settings.tokens}


async def every_client(roster: Roster, usage: UsageLedger, stories: Stories) -> dict[str, Any]:
    """See clients/overview."""
    running = [context.principal for context in stories.running()]
    return overview(roster.all(), (await usage.used()).rows, running, roster.now())
