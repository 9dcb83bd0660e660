"""The headers that Keyturn itself sends to an upstream. Pure."""

from __future__ import annotations

from providers.spec import Auth, ProviderConfig
from providers.version import VERSION

Pairs = tuple[tuple[str, str], ...]


def own_headers(config: ProviderConfig, key: str, accept: str) -> Pairs:
    """Content type, identity encoding, who we are, the key where there is one, and what the operator says instead."""
    ours = (
        ("content-type", "application/json"),
        ("accept", accept),
        ("accept-encoding", "identity"),
        ("user-agent", f"keyturn/{VERSION}"),
        *_credential(config.spec.auth, key),
    )
    said = {name.lower() for name, _ in config.headers}
    return (*(pair for pair in ours if pair[0] not in said), *config.headers) if said else ours


def _credential(auth: Auth, key: str) -> Pairs:
    if not key or auth is Auth.NONE:
        return ()
    return (("authorization", f"Bearer {key}"),) if auth is Auth.BEARER else ((auth.value, key),)
