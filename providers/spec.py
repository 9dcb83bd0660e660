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
    """Where a provider departs from its dialect. Each one is a way to write the request's body."""

    max_output_tokens: int | None = None  # a larger max_tokens is cut to this
    untyped_tools: bool = False  # refuses a custom tool that says "type": "custom"
    max_tokens_field: str = "max_tokens"  # what Chat Completions calls it here
    files: bool = False  # takes documents as Chat Completions' file parts
    effort_models: tuple[str, ...] = ()  # beginnings of the models that take reasoning_effort
    efforts: tuple[str, ...] = ()  # the values that they take, rising


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; None waits for ever."""

    connect: float = 10.0
    write: float = 10.0
    read: float | None = 180.0  # between two reads of an answer
    first_token: float = 120.0  # from sending to the first content of a stream


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
    chosen: bool = False  # an operator configured it: a key, a base URL, or a TOML entry

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def usable(self) -> bool:
        """Has what a call needs."""
        return bool(self.keys) or not self.spec.needs_key
