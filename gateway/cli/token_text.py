"""Client tokens as text: a table, and lines for keyturn.toml. Pure: the JSON of GET /admin/tokens in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.cli.banner import columns
from gateway.clients import expiry
from gateway.clients.table import LIMITS
from gateway.words import allowed_in_words, limits_in_words
from middleware.grant import Grant

Json = Any
HEAD = ("name", "state", "models", "limits", "expires", "from")
NOBODY = "There is no client token. `keyturn token create <name>` makes one."


def table(tokens: Sequence[Json]) -> str:
    """Every token, the good ones first."""
    if not tokens:
        return NOBODY
    ordered = sorted(tokens, key=lambda token: (token["state"] != "good", token["name"]))
    return "\n".join(columns([HEAD, *map(_row, ordered)]))


def _row(token: Json) -> tuple[str, ...]:
    return (
        token["name"],
        token["state"],
        allowed_in_words(token) or "all",
        limits_in_words(token) or "none",
        token["expires"] or "never",
        "keyturn.toml, .env" if token["from"] == "settings" else "the store",
    )


def toml(grant: Grant, digest: str) -> str:
    """A [[tokens]] entry, without the token."""
    return "\n".join(["[[tokens]]", *(f"{name} = {value}" for name, value in _members(grant, digest))])


def _members(grant: Grant, digest: str) -> Iterator[tuple[str, str]]:
    yield "name", _text(grant.name)
    yield "hash", _text(f"sha256:{digest}")
    for name, patterns in (("models", grant.models), ("providers", grant.providers)):
        if patterns:
            yield name, f"[{', '.join(map(_text, patterns))}]"
    most = (grant.limits.requests, grant.limits.tokens, grant.limits.concurrency)
    yield from ((name, str(value)) for name, value in zip(LIMITS, most, strict=True) if value)
    if ends := expiry.written(grant.expires):
        yield "expires", ends
    if not grant.web_tools:
        yield "web_tools", "false"
    if grant.web_tools_per_minute:
        yield "web_tools_per_minute", str(grant.web_tools_per_minute)


def _text(value: str) -> str:
    """A JSON string of printable characters is one of TOML's too."""
    return json.dumps(value, ensure_ascii=False)
