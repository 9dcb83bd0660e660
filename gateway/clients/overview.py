"""Every client as people see it: its token, what it may, what it has open and what it used. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.clients.office import shown
from gateway.pool_view import moment
from gateway.usage import Row, Tally, by_client
from middleware.grant import Grant

MOST = 500  # clients that are shown

Json = dict[str, Any]


def overview(tokens: Iterable[tuple[Grant, bool]], rows: Iterable[Row], running: Iterable[str], now: float) -> Json:
    """``tokens`` with whether they are of the settings, ``running`` the clients of open requests. Of tokens that share
    a name the good one is shown, of those that ended the ones that were used.
    """
    known = {each[0].name: each for each in sorted(tokens, key=lambda each: not each[0].ended(now))}
    tallies = {row.who.client: row.tally for row in by_client(rows)}
    counts = _counts(running)
    good = [name for name, (grant, _) in known.items() if not grant.ended(now)]
    names = list(dict.fromkeys([*tallies, *counts, *sorted(good)]))
    tokens_shown = {name: shown(*known[name], now) for name in names[:MOST] if name in known}
    found = [
        _client(name, tokens_shown.get(name), tallies.get(name) or Tally(), counts.get(name, 0))
        for name in names[:MOST]
    ]
    return {"clients": found, "further_clients": len(names) - len(found)}


def counted(tally: Tally) -> Json:
    """A tally as JSON."""
    return {
        "requests": tally.requests,
        "failed": tally.failed,
        "refused": tally.refused,
        "input_tokens": tally.usage.input_tokens,
        "cache_read_tokens": tally.usage.cache_read_tokens,
        "cache_write_tokens": tally.usage.cache_write_tokens,
        "output_tokens": tally.usage.output_tokens,
        "reasoning_tokens": tally.usage.reasoning_tokens,
        "cost_usd": round(tally.cost, 6),
        "unpriced_tokens": tally.unpriced,
        "last": moment(tally.last) if tally.last else None,
    }


def _client(name: str, token: Json | None, tally: Tally, running: int) -> Json:
    own = token or {**shown(Grant(name), False, 0.0), "state": "gone" if name else "no token", "from": None}
    return {**own, "open": running, "used": counted(tally)}


def _counts(running: Iterable[str]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for name in running:
        counts[name] = counts.get(name, 0) + 1
    return counts
