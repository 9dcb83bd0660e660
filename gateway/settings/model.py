"""The frozen tree that everything else is built from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.routing import RoutingTable
from middleware.loopback import is_loopback
from providers.secret import Secret
from providers.spec import ProviderConfig

SHARED = "shared"  # the name of the client behind ANTHROPIC_AUTH_TOKEN


@dataclass(frozen=True, slots=True)
class ClientToken:
    """A token that a client may send, and who that client is in logs and metrics."""

    name: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class Certificate:
    """Two PEM files for HTTPS; ``key`` may be the same file as ``chain``."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Times are in seconds, sizes in bytes."""

    host: str
    port: int
    token: Secret | None  # the shared one
    tokens: tuple[ClientToken, ...]  # all, the shared one included
    allow_open: bool
    metrics_token: Secret | None
    admin_token: Secret | None
    body_limit: int
    body_read_timeout: float
    drain_timeout: float
    request_deadline: float  # from the request to the first content of its answer
    keepalive_after: float  # without content, until a client that waits is told so
    log_level: str
    log_format: str  # json or console
    providers: tuple[ProviderConfig, ...]  # every known one, configured or not
    routing: RoutingTable
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # that were read, lowest first
    sources: tuple[Path, ...] = ()  # those, and the files of keys and tokens
    moved: tuple[str, ...] = ()  # what an earlier system's configuration means here
    metrics: bool = True  # /metrics is served
    tells_routes: bool = False  # the log has every route at INFO
    certificate: Certificate | None = None  # None: HTTP
    believed_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-For names the client
    run_folders: tuple[Path, ...] = ()  # for what is of use only while Keyturn runs, the best first

    @property
    def loopback(self) -> bool:
        """Only this machine reaches the address."""
        return is_loopback(self.host)

    @property
    def protected(self) -> bool:
        """Reachable by others and without a token: nobody but this machine is served until that is settled."""
        return not (self.loopback or self.tokens or self.allow_open)
