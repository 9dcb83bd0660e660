"""``keyturn status``: the live pool of a running gateway."""

from __future__ import annotations

import sys

from gateway.cli.out import say, show
from gateway.cli.pool_table import STYLES, table
from gateway.cli.running import NoAnswer, pool, status_page
from gateway.settings import Settings


def status(settings: Settings, url: str | None = None, as_json: bool = False, page: bool = False) -> int:
    """Prints the pool as a table, or as the gateway sent it, or where the status page is and what opens it.

    Returns the exit status, 1 where nothing was to be had.
    """
    try:
        if page:
            say(status_page(settings, url))
            return 0
        text, found = pool(settings, url)
        if as_json:
            say(text)
        else:
            show(table(found), STYLES)
    except NoAnswer as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0
