"""What a client's token lets its holder do. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from providers.spec import NO_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class Grant:
    """``models`` and ``providers`` are patterns such as ``groq/*``; () is all. Times are seconds since 1970."""

    name: str
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    limits: Limits = NO_LIMITS
    web_tools: bool = True
    expires: float | None = None
    revoked: float | None = None
    created: float | None = None
    web_tools_per_minute: int | None = None  # uses of the gateway's own

    def allows(self, provider: str, model: str) -> bool:
        """A pattern for models that has a slash is held against ``provider/model``, any other against the model.

        So ``anthropic/*`` is that provider, and not what another one calls ``anthropic/claude``.
        """
        return _any(self.providers, provider) and (not self.models or self._allows_model(provider, model))

    def _allows_model(self, provider: str, model: str) -> bool:
        whole = f"{provider}/{model}"
        return any(fnmatchcase(whole if "/" in pattern else model, pattern) for pattern in self.models)

    def ended(self, now: float) -> str:
        """``revoked``, ``expired``, or "" while it is good."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and now >= self.expires else ""


def digest(token: str) -> str:
    """By which a token is found: SHA-256, in hexadecimal. Made tokens hold 256 random bits, so none can be guessed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _any(patterns: Sequence[str], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
