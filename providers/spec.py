"""What a provider is, as data: the catalog's row, and the row once an operator's settings are laid over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from providers.secret import Secret


class Auth(StrEnum):
    """How a provider wants its key."""

    X_API_KEY = "x-api-key"
    BEARER = "bearer"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Quirks:
    """Where a provider departs from its dialect: how a request's body is written, and how an answer is read."""

    max_output_tokens: int | None = None  # a larger max_tokens is cut to this
    untyped_tools: bool = False  # refuses a custom tool that says "type": "custom"
    max_tokens_field: str = "max_tokens"  # what Chat Completions calls it here
    files: bool = False  # takes documents as Chat Completions' file parts
    effort_models: tuple[str, ...] = ()  # beginnings of the models that take reasoning_effort
    efforts: tuple[str, ...] = ()  # the values that they take, rising
    guarded_calls: bool = False  # its models write tool calls as text, or wrong: they are looked for and repaired


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; None waits for ever."""

    connect: float = 10.0
    write: float = 10.0
    read: float | None = 180.0  # between two reads of an answer
    first_token: float = 120.0  # from sending to the first content of a stream


class KeyOrder(StrEnum):
    """Which usable key serves next."""

    LEAST_RECENT = "least_recent"  # the least busy one, of those the one unused for longest
    WEIGHTED = "weighted"  # in proportion to the keys' weights
    STICKY = "sticky"  # the same one until it rests or is used up


class UsageWindow(StrEnum):
    """When the count of a key's successful requests begins again."""

    ROUND = "round"  # once every key has had its turn
    DAY = "day"  # at midnight UTC
    MONTH = "month"  # on the first, UTC


@dataclass(frozen=True, slots=True)
class Limits:
    """What one key, or one model whatever the key, may be asked; None = as much as comes."""

    requests: int | None = None  # a minute
    tokens: int | None = None  # a minute, of input, as estimated before and reported after
    concurrency: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one provider may be asked by this process, and how long calls queue for it."""

    rate: int | None = None  # attempts in any ``window``
    window: float = 60.0  # seconds
    concurrency: int | None = None  # open attempts; a stream holds its place to its end
    queue_limit: int = 100  # calls that may wait at once
    queue_wait: float = 30.0  # seconds that one call may wait in all: in the queue, and for keys that rest


@dataclass(frozen=True, slots=True)
class Retries:
    """Repeats after a failure that is nobody's in particular: 5xx, timeouts, broken connections."""

    most: int = 8  # per call
    base_delay: float = 2.0  # seconds, doubling
    max_delay: float = 120.0


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a pool of keys takes turns."""

    order: KeyOrder = KeyOrder.LEAST_RECENT
    usage_limit: int = 0  # successful requests after which the next key is taken; 0 = no such limit
    usage_window: UsageWindow = UsageWindow.ROUND
    affinity: float | None = 300.0  # seconds for which a session's prompt cache is taken to be warm; None = off


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """One row of the catalog: the facts about a provider, with nothing of an operator's in it."""

    id: str
    title: str
    prefixes: tuple[str, ...]  # of its variables; the first is the one we write
    dialect: str
    base_url: str
    auth: Auth = Auth.BEARER
    aliases: tuple[str, ...] = ()
    key_variables: tuple[str, ...] = ()  # further names of the primary key's variable
    key_url: str = ""  # where a person gets a key
    default_model: str = ""
    namespaces: tuple[str, ...] = ()  # vendors whose "vendor/model" is one model name here
    keeps: tuple[str, ...] = ()  # beginnings of the model names that clients use and this provider serves itself
    counts_tokens: bool = False  # has /v1/messages/count_tokens
    local: bool = False  # runs on the user's machine; no proxy variables hold for it
    root_dialect: str = ""  # in this dialect its base URL never ends in /v1: such a one belongs to its other face
    quirks: Quirks = Quirks()
    rate: int | None = None  # requests per ``window`` that a key of the usual plan may make, where known
    window: float = 60.0  # seconds
    concurrency: int | None = None  # open requests, likewise
    pooling: str = ""  # what the provider's terms say on several keys, with its source, where known

    @property
    def needs_key(self) -> bool:
        """Hosted providers do; local runtimes and the demo take a key only where one is set."""
        return not self.local

    @property
    def key_variable(self) -> str:
        """The variable to name when a key is missing, such as ``GROQ_API_KEY``."""
        return f"{self.prefixes[0]}_API_KEY"


@dataclass(frozen=True, slots=True)
class KeySource:
    """One key, and the variable or TOML key that a person would change to replace it."""

    secret: Secret
    variable: str
    label: str = ""  # "" = made of the provider's id and the key's number
    weight: float = 1.0  # for KeyOrder.WEIGHTED
    account: str = ""  # keys of one account share its quota; "" = an account of its own
    limits: Limits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A row with an operator's settings laid over it: all that one live provider is built from."""

    spec: ProviderSpec
    base_url: str
    keys: tuple[KeySource, ...] = ()
    proxy: Secret | None = None  # a URL, which may hold a password
    timeouts: Timeouts = Timeouts()
    quirks: Quirks = Quirks()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # sent with every call; may hold a credential
    traffic: Traffic = Traffic()
    retries: Retries = Retries()
    rotation: Rotation = Rotation()
    models: tuple[tuple[str, Limits], ...] = ()  # limits of single models, by name
    stream_floor: float = 0.0  # bytes a second, over half a minute, below which a stream counts as stalled; 0 = none
    chosen: bool = False  # an operator configured it: a key, a base URL, or a TOML entry

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def usable(self) -> bool:
        """Has what a call needs."""
        return bool(self.keys) or not self.spec.needs_key
