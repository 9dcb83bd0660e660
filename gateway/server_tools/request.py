"""One HTTP request to a place outside. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from providers.version import VERSION

USER_AGENT = f"Mozilla/5.0 (compatible; Keyturn/{VERSION})"


@dataclass(frozen=True, slots=True)
class WebRequest:
    """``addresses`` are those that may be connected to; () leaves that to the resolver: only for an operator's URL."""

    url: str  # percent-encoded
    addresses: tuple[str, ...] = ()
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
