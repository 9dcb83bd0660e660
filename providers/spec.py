"""What a provider is, as data: the catalog's row, and the row once an operator's settings are laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urljoin

from providers.addresses import Part, Site
from providers.errors import Calendar
from providers.logins.kinds import Login
from providers.quirks import NO_QUIRKS, Quirks
from providers.secret import Secret


class Auth(StrEnum):
    """How a provider wants its key."""

    X_API_KEY = "x-api-key"
    BEARER = "bearer"
    NONE = "none"
    API_KEY = "api-key"
    X_GOOG_API_KEY = "x-goog-api-key"


class LoginKind(StrEnum):
    """Credentials of a cloud that stand in for a key."""

    GOOGLE = "google"
    AWS = "aws"


class UnseenImages(StrEnum):
    """What becomes of an image for a model that cannot see."""

    NOTE = "note"  # words say that there was one
    REFUSE = "refuse"  # the target is passed over, and with the last one the request is refused


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; None waits for ever."""

    connect: float = 10.0
    write: float = 10.0
    read: float | None = 180.0  # between two reads of an answer
    first_token: float = 120.0  # from sending to the first content of a stream


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultracode")
POLICIES = ("preserve", "fill_missing", "cap", "force")


@dataclass(frozen=True, slots=True)
class PromptCache:
    """Which parts of a Messages request are marked where none is, and OpenAI's key and retention ("" = none)."""

    system: bool = True
    tools: bool = True
    last_message: bool = True
    key: str = ""
    retention: str = ""


@dataclass(frozen=True, slots=True)
class ReasoningPolicy:
    """``policy`` is one of POLICIES, the efforts are of EFFORTS or "".

    ``tells``: nothing is known of the provider's models, so they are told efforts until they refuse them.
    """

    policy: str
    default: str = ""
    most: str = ""
    tells: bool = False


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

    @property
    def limited(self) -> bool:
        return bool(self.rate or self.concurrency)


NO_TRAFFIC = Traffic()


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
class Face:
    """Another dialect that a provider speaks, at another address, with the same keys.

    The rest is as in ProviderSpec; None is what the row has.
    """

    dialect: str
    base_url: str  # or where it is from the row's, such as ../v2: then it moves with an operator's
    auth: Auth = Auth.BEARER
    models: str = ""
    serves: tuple[str, ...] = ()  # beginnings of the models that only this face has: they are asked here unchosen
    counts_tokens: bool | None = None
    quirks: Quirks | None = None
    default_model: str | None = None
    key_variables: tuple[str, ...] | None = None
    base_variables: tuple[str, ...] | None = None  # given, and none of the row's, they choose this face
    parts: tuple[Part, ...] | None = None  # likewise


class Lack(NamedTuple):
    """Something that a provider cannot be used without."""

    what: str
    variable: str  # the one to set
    how: str = ""  # what to do, where setting it is not all that can be done


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
    base_variables: tuple[str, ...] = ()  # further names of the base URL's
    parts: tuple[Part, ...] = ()  # of the base URL
    site: Site | None = None  # addresses that are asked as this row is, whoever's base URL they are
    key_url: str = ""  # where a person gets a key
    default_model: str = ""
    namespaces: tuple[str, ...] = ()  # vendors whose "vendor/model" is one model name here
    keeps: tuple[str, ...] = ()  # beginnings of the model names that clients use and this provider serves itself
    counts_tokens: bool = False  # has /v1/messages/count_tokens
    local: bool = False  # runs on the user's machine; no proxy variables hold for it
    root_dialect: str = ""  # in this dialect its base URL never ends in /v1: such a one belongs to its other face
    quirks: Quirks = NO_QUIRKS
    elsewhere: Quirks | None = None  # at another host, where servers of many kinds answer in this row's name
    rate: int | None = None  # requests per ``window`` that a key of the usual plan may make, where known
    window: float = 60.0  # seconds
    concurrency: int | None = None  # open requests, likewise
    pooling: str = ""  # what the provider's terms say on several keys, with its source, where known
    faces: tuple[Face, ...] = ()  # the other dialects; PREFIX_DIALECT chooses one
    falls_back: str = ""  # the dialect to go on in, of these, where a 404 says that this one is not spoken
    models: str = ""  # the list of its models, relative to the base URL; "" = where the dialect has it
    reset: Calendar | None = None  # when its daily or monthly quotas begin again, where known
    examples: tuple[str, ...] = ()  # further models that it served at ``as_of``
    retired: tuple[tuple[str, str], ...] = ()  # names that it serves no more, each with the one to use instead
    as_of: str = ""  # year and month when its models and limits were read
    note: str = ""  # what a person must know before using it
    advice: str = ""  # one sentence behind its own words on a 400, a 404 or an overflow
    instance_of: str = ""  # the id of the row that this is once more, with keys or an address of its own
    login: LoginKind | None = None  # credentials that it takes in place of a key
    logged_in: Face | None = None  # where it takes them, if not where it takes keys
    not_keys: tuple[tuple[str, str], ...] = ()  # beginnings of what is taken for its key, each with what to do

    @property
    def family(self) -> str:
        """The id of the row whose rules for errors hold."""
        return self.instance_of or self.id

    @property
    def needs_key(self) -> bool:
        """Hosted providers do; local runtimes and the demo take a key only where one is set."""
        return not self.local

    @property
    def key_variable(self) -> str:
        """The variable to name when a key is missing, such as ``GROQ_API_KEY``."""
        return f"{self.prefixes[0]}_API_KEY"

    @property
    def placeless(self) -> bool:
        """Only an operator knows where it is: the base URL here is a pattern."""
        return any(part.needed for part in self.parts)

    @property
    def day(self) -> Calendar | None:
        """Where a day of its quotas begins, where known."""
        return None if self.reset is Calendar.UTC_MONTH else self.reset

    def with_face(self, face: Face, base_url: str = "") -> ProviderSpec:
        """The row as it is in one of its other dialects. ``base_url`` is where it is, if not where the row says."""
        names = ("counts_tokens", "quirks", "default_model", "key_variables", "base_variables", "parts")
        own = {name: value for name in names if (value := getattr(face, name)) is not None}
        where = urljoin(f"{base_url or self.base_url}/", face.base_url)
        return replace(self, dialect=face.dialect, base_url=where, auth=face.auth, models=face.models, **own)

    def models_url(self, base_url: str = "") -> str:
        """Where the models are listed: under the operator's ``base_url`` where there is one."""
        base = (base_url or self.base_url).rstrip("/")
        beside = self.dialect != "anthropic" or base.endswith("/v1")
        return urljoin(f"{base}/", self.models or ("models" if beside else "v1/models"))


@dataclass(frozen=True, slots=True)
class KeySource:
    """One key, and the variable or TOML key that a person would change to replace it."""

    secret: Secret
    variable: str
    label: str = ""  # "" = made of the provider's id and the key's number
    weight: float = 1.0  # for KeyOrder.WEIGHTED
    account: str = ""  # keys of one account share its quota; "" = an account of its own
    limits: Limits = NO_LIMITS
    login: Login | None = None  # where the secret is empty: what authorises each request


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A row with an operator's settings laid over it: all that one live provider is built from."""

    spec: ProviderSpec
    base_url: str  # "" where only an operator knows it, and has not said; {model} in it stands for the model
    keys: tuple[KeySource, ...] = ()
    proxy: Secret | None = None  # a URL, which may hold a password
    timeouts: Timeouts = Timeouts()
    quirks: Quirks = NO_QUIRKS
    guardian: bool | None = None  # whether calls are looked for in text; None: as ``quirks`` say; False: nor repaired
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # sent with every call; may hold a credential
    traffic: Traffic = Traffic()
    retries: Retries = Retries()
    rotation: Rotation = Rotation()
    models: tuple[tuple[str, Limits], ...] = ()  # limits of single models, by name
    stream_floor: float = 0.0  # bytes a second, over half a minute, below which a stream counts as stalled; 0 = none
    chosen: bool = False  # an operator configured it: a key, a base URL, or a TOML entry
    extra_body: Mapping[str, Any] = field(default_factory=dict, hash=False)  # members for every body, over ours
    images: UnseenImages = UnseenImages.NOTE
    query: str = ""  # behind the URL of every call
    cache: PromptCache | None = None
    reasoning: ReasoningPolicy | None = None
    second: ProviderConfig | None = None  # the same in the dialect that it falls back to
    faces: tuple[tuple[tuple[str, ...], ProviderConfig], ...] = ()  # beginnings of models, and how those are asked
    missing: tuple[Lack, ...] = ()  # what it lacks, where that is more to the point than a base URL or a key

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def usable(self) -> bool:
        """Has what a call needs."""
        return not self.lacks

    @property
    def lacks(self) -> tuple[Lack, ...]:
        """What a call needs and nobody has set."""
        if self.missing:
            return self.missing
        base_url = Lack("base URL", f"{self.spec.prefixes[0]}_BASE_URL")
        key = Lack("key", self.spec.key_variable)
        missing = ((base_url, not self.base_url), (key, self.spec.needs_key and not self.keys))
        return tuple(lack for lack, missed in missing if missed)

    def of(self, model: str) -> ProviderConfig:
        """As this model is asked: by the face that alone has it, where one does."""
        return next((other for beginnings, other in self.faces if model.startswith(beginnings)), self)
