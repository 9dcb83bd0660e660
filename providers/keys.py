"""Keys in use: which one serves an attempt, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType

from providers import policy
from providers.errors import ErrorKind, UpstreamFailure
from providers.ports import Attempt, Clock, Observer
from providers.secret import Secret
from providers.spec import KeySource

STATES = ("ready", "limited", "refused")


@dataclass(slots=True, eq=False)
class Key:
    """One key of a provider. ``label`` is what people see: ``groq-03``."""

    label: str
    variable: str
    secret: Secret | None  # None for a provider that takes none
    in_flight: int = 0
    last_used: int = 0  # the pool's count of leases when it was last taken; 0 = never
    state: str = "ready"


def key_label(provider: str, number: int) -> str:
    """What people see of a provider's n-th key, counted from 1: ``groq-03``."""
    return f"{provider}-{number:02}"


class KeyPool:
    """The keys of one provider. The least busy one serves next, among those the one that rested longest."""

    def __init__(self, provider: str, sources: Sequence[KeySource], observer: Observer, clock: Clock) -> None:
        self.provider = provider
        self._keys = [
            Key(key_label(provider, number), source.variable, source.secret) for number, source in enumerate(sources, 1)
        ]
        self._observer = observer
        self._clock = clock
        self._leases = 0
        for key in self._keys:
            observer.key_state(provider, key.label, key.state)

    @classmethod
    def keyless(cls, provider: str, observer: Observer, clock: Clock, variable: str = "") -> KeyPool:
        """The pool of a provider that takes no key: one lease-holder without a secret.

        ``variable`` is the one to set where the provider wants a key after all.
        """
        pool = cls(provider, (), observer, clock)
        pool._keys.append(Key(provider, variable, None))
        observer.key_state(provider, provider, "ready")
        return pool

    @property
    def keys(self) -> tuple[Key, ...]:
        return tuple(self._keys)

    def lease(self, attempt: Attempt) -> Lease:
        """Enter it to get a key for one attempt; leaving it settles the key, whatever the reason."""
        return Lease(self, attempt)

    def take(self) -> Key:
        """Raises UpstreamFailure (NO_KEY) where there is none."""
        if not self._keys:
            raise UpstreamFailure(ErrorKind.NO_KEY, "no key is configured", provider=self.provider)
        key = min(self._keys, key=lambda each: (each.in_flight, each.last_used))
        self._leases += 1
        key.in_flight += 1
        key.last_used = self._leases
        return key

    def give_back(self, key: Key, attempt: Attempt) -> None:
        key.in_flight -= 1
        state = policy.key_state(attempt.reason)
        if attempt.outcome != "abandoned" and state != key.state:
            key.state = state
            self._observer.key_state(self.provider, key.label, state)

    def settle(self, key: Key, attempt: Attempt, error: BaseException | None) -> None:
        attempt.ended = self._clock()
        attempt.outcome, attempt.reason = _verdict(error)
        self.give_back(key, attempt)
        self._observer.attempt_ended(attempt)

    def began(self, attempt: Attempt) -> None:
        self._observer.attempt_began(attempt)


class Lease(AbstractAsyncContextManager[Key, None]):
    """The whole life of a key in one attempt."""

    __slots__ = ("_attempt", "_key", "_pool")

    def __init__(self, pool: KeyPool, attempt: Attempt) -> None:
        self._pool = pool
        self._attempt = attempt
        self._key: Key | None = None

    async def __aenter__(self) -> Key:
        self._key = self._pool.take()
        self._attempt.key = self._key.label
        self._pool.began(self._attempt)
        return self._key

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._key is None:
            return
        if isinstance(error, UpstreamFailure):
            error.provider, error.key_label = self._pool.provider, self._key.label
            error.key_variable = self._key.variable
            _scrub(error, self._key.secret)
        self._pool.settle(self._key, self._attempt, error)


def _scrub(failure: UpstreamFailure, secret: Secret | None) -> None:
    """An upstream may echo the key that it refuses."""
    if secret:
        failure.words = secret.scrub(failure.words)
        if failure.body is not None:
            failure.body = secret.scrub(failure.body.decode("utf-8", "replace")).encode()


def _verdict(error: BaseException | None) -> tuple[str, str]:
    match error:
        case None:
            return "ok", ""
        case UpstreamFailure():
            return "failed", error.kind.value
        case _:
            return "abandoned", ""
