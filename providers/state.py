"""What keys, models and providers may be asked right now: the questions to a store of that state, and its answers.

The verbs are the domain's, each atomic, so that two stores can fulfil them: memory for one process, Redis for many.
A store knows keys by an identity that tells nothing about them. Its times are seconds on a clock of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from providers.errors import Scope
from providers.spec import NO_LIMITS, NO_TRAFFIC, Limits, Traffic, UsageWindow

WHOLE = ""  # in place of a model: a rest that holds for all of them
REFUNDED = "refunded"  # an outcome: nothing was asked, so all that was charged is given back
OPERATOR = "operator"  # the reason of a rest that a person ordered


@dataclass(slots=True)
class Resting:
    """That a key, an account, a model or a provider is not asked for a while, or was not since it last worked.

    When it is over and ``probe`` is set, one attempt goes through; the others wait for what becomes of it.
    """

    until: float
    reason: str  # an ErrorKind, or OPERATOR
    since: float
    step: int = 0  # rests since the last success: each is twice as long as the one before
    strikes: int = 0  # failures in a row, where it takes several
    probe: bool = False
    prober: str = ""  # the lease that is finding out

    def active(self, now: float) -> bool:
        return self.until > now


@dataclass(slots=True)
class Meter:
    """How much of the limits of a key, or of a model, is taken. The moments are GCRA's theoretical arrival times."""

    requests: float = 0.0
    tokens: float = 0.0
    open: int = 0


@dataclass(slots=True)
class KeyView:
    """What is known of a key. Its store keeps it up to date; the pool orders by it."""

    meter: Meter = field(default_factory=Meter)
    last_used: float = 0.0
    turns: int = 0  # leases so far
    used: int = 0  # requests that count against the usage limit
    period: int = 0  # which window they belong to
    rests: dict[str, Resting] = field(default_factory=dict)  # by model, and WHOLE

    def rests_now(self, model: str, now: float) -> bool:
        """Whether the key itself cannot serve this model."""
        return any(rest.active(now) for each in (WHOLE, model) if (rest := self.rests.get(each)))


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A key that may serve."""

    id: str
    label: str
    account: str
    limits: Limits = NO_LIMITS
    view: KeyView = field(default_factory=KeyView)


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish for the first of ``candidates`` that fits."""

    lease: str  # unique; asking twice with one gives one lease
    provider: str
    model: str
    candidates: Sequence[Candidate]
    tokens: int = 0  # of input, as estimated
    model_limits: Limits = NO_LIMITS
    usage_limit: int = 0
    usage_window: UsageWindow = UsageWindow.ROUND
    traffic: Traffic = NO_TRAFFIC  # the provider's own limits, where the store is to keep them
    bucket: bool = False  # a key's requests and tokens of a minute may come at once; they are free again evenly


PACE = ("concurrency", "requests")  # the reasons of a provider's own limits


@dataclass(frozen=True, slots=True)
class Passed:
    """A candidate that could not serve, why, and for how many seconds."""

    label: str
    reason: str  # an ErrorKind, OPERATOR, or one of the limits: requests, tokens, concurrency, usage
    wait: float


@dataclass(frozen=True, slots=True)
class Admission:
    """``candidate`` is leased; None where none fits, and then ``wait`` says for how long at least."""

    candidate: Candidate | None
    wait: float = 0.0
    reason: str = ""
    passed: Sequence[Passed] = ()  # those before the candidate; the provider itself has its id for a label
    probe: bool = False  # others wait for what becomes of it: say ``proved`` as soon as it is known

    def paces(self, provider: str) -> bool:
        """Whether it is the provider's own slots or window that let nobody through, and no key's."""
        return any(each.label == provider and each.reason in PACE for each in self.passed)


@dataclass(frozen=True, slots=True)
class RestOrder:
    """What rests after a failure, and for how long."""

    scope: Scope
    reason: str
    seconds: float
    longest: float = 0.0  # what doubling leads to at most
    honest: bool = False  # the upstream gave the seconds: they do not grow
    later: float | None = None  # seconds from the second time on
    probe: bool = False
    strikes: int = 1  # failures in a row that it takes
    common: bool = False  # when all keys fail so at once, it is not the keys
    all_keys: bool = False  # nothing rests before every key that is usable has failed so since the last success


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt ended: ok, failed or abandoned; or REFUNDED."""

    outcome: str
    tokens: int | None = None  # of input, as the upstream reported them
    rest: RestOrder | None = None


@dataclass(frozen=True, slots=True)
class RestState:
    """A rest as people see it."""

    reason: str
    seconds: float  # that are left; 0 = over, or with ``probe``, one attempt is to find out
    model: str = WHOLE
    account: str = ""
    probe: bool = False


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key as people see it."""

    label: str
    in_flight: int
    used: int
    turns: int
    rests: tuple[RestState, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A provider's state as people see it."""

    keys: tuple[KeyState, ...] = ()
    rests: tuple[RestState, ...] = ()  # of the provider, its models and its accounts


class StateStore(Protocol):
    """Every verb is atomic, and none raises because of a store that is away.

    ``keeps_traffic``: it keeps the providers' own limits too, and no process has to.
    """

    @property
    def keeps_traffic(self) -> bool: ...

    async def admit(self, ask: Ask) -> Admission:
        """Leases the first candidate that fits, with its share of every limit; brings every view up to date."""

    async def proved(self, provider: str, lease: str) -> None:
        """The attempt got an answer: its key, model and provider work."""

    async def settle(self, provider: str, lease: str, settlement: Settlement) -> None:
        """Ends a lease; a second time does nothing."""

    async def rest(self, provider: str, candidate: Candidate | None, model: str, order: RestOrder) -> None:
        """Rests a key (None: the provider) for a model (or WHOLE) outside of any attempt's end."""

    async def wake(self, provider: str, candidate: Candidate | None) -> None:
        """Ends every rest of a key (None: of the provider, its models and accounts)."""

    async def snapshot(self, provider: str, candidates: Sequence[Candidate]) -> Snapshot:
        """The state of these keys, in their order, and of what they share."""
