"""The frozen tree that everything else is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gateway.local_answers import Probe
from gateway.routing import RoutingTable
from gateway.settings.redis_address import RedisAddress
from middleware.grant import Grant
from middleware.loopback import is_loopback
from providers.secret import Secret
from providers.spec import ProviderConfig

SHARED = "shared"  # the name of the client behind ANTHROPIC_AUTH_TOKEN


@dataclass(frozen=True, slots=True)
class ClientToken:
    """A token that a client may send, who that client is in logs and metrics, and what it may use."""

    grant: Grant
    digest: str = field(repr=False)  # as middleware/grant.py makes it
    secret: Secret = Secret("")  # noqa: RUF009 - it does not change; empty where only the digest is known
    origin: str = field(default="", compare=False)  # where it is configured
    line: int = field(default=0, compare=False)

    @property
    def name(self) -> str:
        return self.grant.name


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
class Certificate:
    """Two PEM files for HTTPS; ``key`` may be the same file as ``chain``."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class LogFile:
    """``size`` in bytes, from which on the file is put aside; ``kept`` is how many of those stay."""

    path: Path
    level: str = "INFO"
    size: int = 50 * 1024 * 1024
    kept: int = 4


@dataclass(frozen=True, slots=True)
class Traces:
    """Where OpenTelemetry's traces go: a URL with its path, and headers that may hold a credential."""

    endpoint: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    service: str = "keyturn"


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
    catalog_refresh: float | None  # between two looks at the providers' lists of models; None = never
    local_answers: frozenset[Probe]  # probes that are answered here
    log_level: str
    log_format: str  # json or console
    providers: tuple[ProviderConfig, ...]  # every known one, configured or not
    routing: RoutingTable
    redis: RedisAddress | None = None  # where the state is that several processes share
    redis_prefix: str = "keyturn:"
    processes: int = 1  # that share the limits
    state_file: Path | None = None
    metrics_folder: Path | None = None  # where several workers keep their metrics together
    web_tools: WebToolSettings | None = None  # None: they are off
    warnings: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()  # how an earlier system's names are read, in sentences
    files: tuple[str, ...] = ()  # that were read, lowest first
    sources: tuple[Path, ...] = ()  # those, and the files of keys and tokens
    metrics: bool = True  # /metrics is served
    certificate: Certificate | None = None  # None: HTTP
    log_file: LogFile | None = None  # that the log is copied to
    log_payloads: bool = False  # requests as they come
    log_events: bool = False  # answers as they go out
    log_tracebacks: bool = False  # the texts of errors
    ferryllm_events: bool = False  # that system's log events at INFO, where they are at DEBUG
    traces: Traces | None = None
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
