"""Why something rests, or was passed over, in the words of the admin pages and of ``keyturn status``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from providers.errors import ErrorKind
from providers.state import OPERATOR

WORDS: Mapping[str, str] = {
    ErrorKind.INVALID_REQUEST: "the request is wrong",
    ErrorKind.CONTEXT_OVERFLOW: "more tokens than the model's window holds",
    ErrorKind.CONTENT_FILTER: "refused for what it says",
    ErrorKind.UNSUPPORTED: "the model cannot do what is asked",
    ErrorKind.TOO_LARGE: "the request is too large",
    ErrorKind.NOT_FOUND: "no such path at the provider",
    ErrorKind.MODEL_NOT_FOUND: "no such model for this key",
    ErrorKind.KEY_REFUSED: "not a valid key",
    ErrorKind.KEY_UNPAID: "nothing left to pay with",
    ErrorKind.KEY_FORBIDDEN: "not allowed",
    ErrorKind.NO_KEY: "no key",
    ErrorKind.CREDENTIAL: "its credentials give no token",
    ErrorKind.RATE_LIMITED: "rate limited",
    ErrorKind.KEY_WINDOW: "the key's hours or its day are used up",
    ErrorKind.ACCOUNT_QUOTA: "the account's quota is used up",
    ErrorKind.MODEL_OVERLOADED: "model overloaded",
    ErrorKind.OVERLOADED: "provider overloaded",
    ErrorKind.SERVER_ERROR: "server error",
    ErrorKind.UNREACHABLE: "cannot be reached",
    ErrorKind.FIRST_TOKEN_TIMEOUT: "no content in time",
    ErrorKind.STALLED: "fell silent",
    ErrorKind.CUT: "the connection broke",
    ErrorKind.DISCONNECTED: "the connection had been closed",
    ErrorKind.MALFORMED: "an answer that is none",
    OPERATOR: "rested by hand",
    "requests": "at its limit of requests a minute",
    "tokens": "at its limit of tokens a minute",
    "concurrency": "at its limit of open requests",
    "usage": "its usage limit is reached",
    "queue_full": "too many wait already",
    "queue_wait": "waited as long as it may",
    "limit": "until a key may be free",
    "backoff": "before another try",
}

# What a client's token stood in the way with.
BARRED: Mapping[str, str] = {
    "requests": "its token's requests a minute are used up",
    "tokens": "its token's tokens a minute are used up",
    "concurrency": "its token has as many requests open as it may",
    "model": "a model that its token may not use",
    "web_tools": "web tools, which its token may not use",
}


def words(reason: str) -> str:
    """``rate limited`` for ``rate_limited``; "" for ""."""
    return WORDS.get(reason) or reason.replace("_", " ")


def spell(seconds: float) -> str:
    """``42 s``, ``30 min``, ``12 h``, ``3 days``."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1.0, seconds):.0f} s"


SHOWN = 3  # patterns of each kind
_LIMITS = (
    ("requests_per_minute", "requests/min"),
    ("tokens_per_minute", "tokens/min"),
    ("max_concurrency", "at once"),
    ("web_tools_per_minute", "web tools/min"),
)


def limits_in_words(token: Mapping[str, Any]) -> str:
    """``60 requests/min, no web tools``, of a client's token as /admin/tokens shows it; "" where it has none."""
    parts = [f"{token[name]:,} {words}" for name, words in _LIMITS if token[name]]
    return ", ".join([*parts, *([] if token["web_tools"] else ["no web tools"])])


def allowed_in_words(token: Mapping[str, Any]) -> str:
    """Which models it may use; "" where it may use all."""
    models, providers = _listed(token["models"]), _listed(token["providers"])
    return f"{models or 'all'} of {providers}" if providers else models


def _listed(patterns: Sequence[str]) -> str:
    more = f" and {len(patterns) - SHOWN} more" if len(patterns) > SHOWN else ""
    return ", ".join(patterns[:SHOWN]) + more
