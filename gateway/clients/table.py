"""The tokens that were made with ``keyturn token create``: by their digests, as JSON, and what changes them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from middleware.grant import Grant
from providers.spec import Limits

KEPT = 1000  # tokens that ended, the latest
MOST = 10_000  # that are good
LIMITS = ("requests_per_minute", "tokens_per_minute", "max_concurrency")

Grants = Mapping[str, Grant]  # by digest


class Refused(Exception):
    """Why a change is not made, and what to do: one or two plain sentences."""


@dataclass(frozen=True, slots=True)
class Table:
    """``version`` grows with every change, and is 0 where there never was one."""

    version: int = 0
    grants: Grants = field(default_factory=dict)


def added(grants: Grants, digest: str, grant: Grant, now: float) -> Grants:
    """With one more. Raises Refused where a good token has its name."""
    if digest in grants:  # asked twice
        return grants
    good = [each for each in grants.values() if not each.ended(now)]
    if any(each.name == grant.name for each in good):
        raise Refused(
            f"There is a token {grant.name} already. Choose another name, or `keyturn token revoke {grant.name}` first."
        )
    if len(good) >= MOST:
        raise Refused(f"There are {MOST} tokens already. Revoke some that nobody uses.")
    return _bounded({**grants, digest: grant}, now)


def revoked(grants: Grants, name: str, now: float) -> Grants:
    """With every token of this name revoked. Raises Refused where there is no good one."""
    mine = {key: each for key, each in grants.items() if each.name == name}
    good = {key: replace(each, revoked=now) for key, each in mine.items() if not each.ended(now)}
    if any(each.revoked == now for each in mine.values()):  # asked twice
        return grants
    if good:
        return {**grants, **good}
    if mine:
        raise Refused(f"The token {name} has ended already.")
    raise Refused(f"There is no token {name[:100]!r}. `keyturn token list` shows all.")


def joined(one: Grants, other: Grants) -> Grants:
    """Of two tables that went their own ways: all of both, and what one revoked is revoked."""
    both = dict(one)
    for key, grant in other.items():
        known = both.get(key)
        both[key] = grant if known is None or known.revoked is None else known
    return both


def _bounded(grants: Grants, now: float) -> Grants:
    """What is refused in its own words is remembered for the latest only."""
    over = sorted((key for key in grants if grants[key].ended(now)), key=lambda key: grants[key].created or 0.0)
    forgotten = set(over[:-KEPT])
    return {key: grant for key, grant in grants.items() if key not in forgotten}


def plain(grant: Grant) -> dict[str, Any]:
    """As JSON, without what says nothing."""
    limits = zip(LIMITS, (grant.limits.requests, grant.limits.tokens, grant.limits.concurrency), strict=True)
    found: dict[str, Any] = {
        "name": grant.name,
        "models": list(grant.models),
        "providers": list(grant.providers),
        **dict(limits),
        "web_tools_per_minute": grant.web_tools_per_minute,
        "expires": grant.expires,
        "revoked": grant.revoked,
        "created": grant.created,
    }
    return {name: value for name, value in found.items() if value} | ({} if grant.web_tools else {"web_tools": False})


def read(kept: Any) -> Grant | None:
    """What ``plain`` made; None where it is none. A field that is not as it was made ends the token: it may have been
    a limit.
    """
    if not isinstance(kept, Mapping) or not isinstance(kept.get("name"), str):
        return None
    try:
        return Grant(
            kept["name"],
            _texts(kept.get("models")),
            _texts(kept.get("providers")),
            Limits(*(_whole(kept.get(name)) for name in LIMITS)),
            kept.get("web_tools") is not False,
            _number(kept.get("expires")),
            _number(kept.get("revoked")),
            _number(kept.get("created")),
            _whole(kept.get("web_tools_per_minute")),
        )
    except ValueError:
        return Grant(kept["name"], revoked=0.0)


def grants_of(kept: Iterable[tuple[str, Any]]) -> Grants:
    """Of digests and what ``plain`` made."""
    return {key: grant for key, value in kept if (grant := read(value))}


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise ValueError(value)


def _whole(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise ValueError(value)


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(value)
