"""The headers that Keyturn itself sends to an upstream. Pure."""

from __future__ import annotations

from providers.spec import Auth, ProviderConfig
from providers.version import VERSION

Pairs = tuple[tuple[str, str], ...]


def own_headers(config: ProviderConfig, key: str, accept: str) -> Pairs:
    """Content type, identity encoding, who we are, what the operator adds, and the key where there is one."""
    return (
        ("content-type", "application/json"),
        ("accept", accept),
        ("accept-encoding", "identity"),
        ("user-agent", f"keyturn/{VERSION}"),
        *config.headers,
        *_credential(config.spec.auth, key),
    )


def _credential(auth: Auth, key: str) -> Pairs:
    if not key or auth is Auth.NONE:
        return ()
    return (("authorization", f"Bearer {key}"),) if auth is Auth.BEARER else ((auth.value, key),)
