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
    web_tools: bool = True  # may have them, where they are switched on
    web_tools_rate_limit: int | None = None  # uses in any minute, besides the limit for all


@dataclass(frozen=True, slots=True)
class WebToolSettings:
    """web_search and web_fetch, switched on."""

    engine: str = "duckduckgo"  # or searxng, brave, tavily
    url: str = ""  # the engine's base URL; "" = its own
    key: Secret | None = None
    schemes: frozenset[str] = frozenset({"http", "https"})
    private: bool = False  # pages of private networks may be fetched
    rate: int = 60  # uses in any minute, by all clients together


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
    web_tools: WebToolSettings | None = None  # None: they are off
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # that were read, lowest first
    run_folders: tuple[Path, ...] = ()  # for what is of use only while Keyturn runs, the best first

    @property
    def loopback(self) -> bool:
        """Only this machine reaches the address."""
        return is_loopback(self.host)

    @property
    def protected(self) -> bool:
        """Reachable by others and without a token: nobody but this machine is served until that is settled."""
        return not (self.loopback or self.tokens or self.allow_open)
