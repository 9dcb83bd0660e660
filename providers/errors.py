"""What can go wrong, and whose it is.

::

    KeyturnError
    |-- Fault             an answer for the client: status, error type, words, headers
    |-- UpstreamFailure   one attempt at one provider failed; policy.py says what the client gets
    `-- ConfigError       the configuration cannot work; every problem of it, named

Foreign exceptions are mapped to these once, where the foreign library is called: the HTTP client's in
``transport.py``, the JSON decoder's in ``json_object.py``, pydantic's in ``gateway/settings.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class ErrorKind(StrEnum):
    """What happened to one attempt. ``policy.py`` has a consequence for each."""

    INVALID_REQUEST = "invalid_request"  # 400, 422: the request itself
    CONTEXT_OVERFLOW = "context_overflow"  # more tokens than the model's window holds
    CONTENT_FILTER = "content_filter"  # refused for what it says
    UNSUPPORTED = "unsupported"  # this model cannot do what the request asks for
    TOO_LARGE = "too_large"  # 413, or larger than a whole minute's tokens
    NOT_FOUND = "not_found"  # 404 that names no model: the path, or the base URL
    MODEL_NOT_FOUND = "model_not_found"  # the model is unknown, or closed to this key
    KEY_REFUSED = "key_refused"  # 401
    KEY_UNPAID = "key_unpaid"  # 402, and every other way to say that money is missing
    KEY_FORBIDDEN = "key_forbidden"  # 403
    NO_KEY = "no_key"  # the pool is empty
    CREDENTIAL = "credential"  # the credentials that stand in for a key give no token
    RATE_LIMITED = "rate_limited"  # 429: seconds to minutes
    KEY_WINDOW = "key_window"  # the key's hours or its day are used up
    ACCOUNT_QUOTA = "account_quota"  # the account's day, week or month is used up
    MODEL_OVERLOADED = "model_overloaded"  # this model, whatever the key
    OVERLOADED = "overloaded"  # 529, or its event inside a stream
    SERVER_ERROR = "server_error"  # other 5xx, 408, 409, or an error event inside a stream
    UNREACHABLE = "unreachable"  # DNS, connect, TLS, proxy
    FIRST_TOKEN_TIMEOUT = "first_token_timeout"  # noqa: S105 - not a password
    STALLED = "stalled"  # silence between two reads
    CUT = "cut"  # the connection ended before the answer did
    DISCONNECTED = "disconnected"  # it had gone before the request was looked at; nobody's fault
    MALFORMED = "malformed"  # an answer that is not one


class Scope(StrEnum):
    """Whose fault a failure is, and so what rests after it."""

    REQUEST = "request"
    MODEL = "model"  # for every key
    KEY_MODEL = "key_model"  # one key for one model
    KEY = "key"
    ACCOUNT = "account"  # every key of one account
    PROVIDER = "provider"
    US = "us"  # our settings, our address, our connection


class Calendar(StrEnum):
    """A reset that the calendar gives: the next midnight, or the next month's first."""

    UTC_DAY = "utc_day"
    PACIFIC_DAY = "pacific_day"  # America/Los_Angeles, where Google's days begin
    CHINA_DAY = "china_day"  # UTC+8
    UTC_MONTH = "utc_month"


@dataclass(frozen=True, slots=True)
class Rest:
    """How long what failed should rest.

    ``seconds`` count from the answer. With a ``calendar`` too, the upstream's seconds are known to be too short for
    this failure: rest for them once, then until the calendar's reset. ``honest`` says that the upstream gave the
    seconds; otherwise they are ours, and grow when the failure comes again.
    """

    seconds: float | None = None
    calendar: Calendar | None = None
    honest: bool = False


@dataclass(frozen=True, slots=True)
class Overflow:
    """How a request did not fit, in tokens; None where nobody knows.

    With ``answer``, ``limit`` is on prompt and answer together. ``at_least``: the upstream stopped counting the prompt.
    """

    prompt: int | None = None
    limit: int | None = None
    answer: int | None = None
    at_least: bool = False


class KeyturnError(Exception):
    """Root of all errors that Keyturn raises itself."""


@dataclass(eq=False)
class Fault(KeyturnError):
    """An error for the client, in no dialect yet.

    ``type`` is an Anthropic error type (``invalid_request_error``, ...); ``message`` says what to do next.
    ``body``, where given, is already in the client's dialect and goes out as it is (an upstream's own words).
    """

    status: int
    type: str
    message: str
    retry: bool | None = None  # x-should-retry; None leaves the choice to the client
    retry_after: int | None = None  # whole seconds
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None
    param: str | None = None  # the field of the request that is wrong, where one is
    code: str | None = None  # OpenAI's word for it, where that says more than the type
    overflow: Overflow | None = None  # where the request is larger than the model's window

    def __str__(self) -> str:
        return f"{self.status} {self.type}: {self.message}"


def bad_request(path: str, problem: str) -> Fault:
    """A 400 in the words that Anthropic's API uses for its own: ``messages.0.role: ...``."""
    return Fault(400, "invalid_request_error", f"{path}: {problem}", param=path)


@dataclass(eq=False)
class UpstreamFailure(KeyturnError):
    """One attempt failed. ``words`` are the upstream's own where it sent some, free of key material."""

    kind: ErrorKind
    words: str
    status: int | None = None  # the upstream's HTTP status, None where none came
    body: bytes | None = None  # the upstream's error body where its shape is the client's own
    retry_after: int | None = None
    scope: Scope | None = None  # None: as policy.py has it for the kind
    rest: Rest | None = None  # None: as policy.py has it for the kind
    evidence: bytes | None = field(default=None, repr=False)  # an error inside a 200, until its provider is known
    provider: str = ""
    key_label: str = ""
    key_variable: str = ""
    room: int | None = None  # tokens that are left for the answer, where the upstream counted them
    mendable: bool = False  # the same request, put otherwise, may pass: what was refused is known now
    overflow: Overflow | None = None  # of CONTEXT_OVERFLOW
    code: str | None = None  # the upstream's own, and the field that it names
    param: str | None = None

    def __str__(self) -> str:
        return f"{self.provider}: {self.kind}: {self.words}"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the configuration."""

    name: str  # the variable or TOML key
    problem: str
    fix: str
    origin: str = ""  # environment, a file's path, a flag
    line: int = 0  # of that file, from 1; 0 = not known

    def __str__(self) -> str:
        return f"{placed(self.name, self.origin, self.line)}: {self.problem}. {self.fix}"


def placed(name: str, origin: str, line: int = 0) -> str:
    """A setting and where it stands."""
    if not origin:  # the name is a file's
        return f"{name}, line {line}" if line else name
    where = f"{origin}, line {line}" if line else origin
    return f"{name} (from {where})"


@dataclass(eq=False)
class ConfigError(KeyturnError):
    """Every problem of a configuration that cannot work."""

    problems: list[Problem] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)
