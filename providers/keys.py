"""Keys in use: which one serves an attempt, and what became of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from itertools import count, repeat
from types import TracebackType

from providers import policy
from providers.affinity import Affinity
from providers.errors import Scope, UpstreamFailure
from providers.logins.credentials import NO_LOGINS, Credential, Logins
from providers.ports import Attempt, Observer, Time
from providers.secret import Secret
from providers.spec import NO_LIMITS, NO_TRAFFIC, KeySource, Limits, ProviderConfig, UsageWindow
from providers.standing import Standing, standing
from providers.state import (
    Admission,
    Ask,
    Candidate,
    KeyState,
    KeyView,
    Passed,
    RestOrder,
    Settlement,
    Snapshot,
    StateStore,
)
from providers.turns import Turns
from providers.unwinding import to_the_end

STANDS_BACK = 30.0  # seconds
MOST_WORDS = 2000  # characters of an upstream's error that its attempt keeps
STATES = ("ready", "limited", "refused", "spent", "rested")
Views = Mapping[str, KeyView]  # by the identity of a key


class NoneFits(Exception):
    """No key can serve right now; ``admission`` says why and for how long."""

    def __init__(self, admission: Admission) -> None:
        super().__init__(admission.reason)
        self.admission = admission


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """One key of a provider. ``label`` is what people see: ``groq-03``."""

    label: str
    variable: str
    secret: Secret | None  # None for a provider that takes none
    candidate: Candidate
    weight: float = 1.0
    account: str = ""  # as an operator named it
    credential: Credential | None = None  # authorises each request, where the secret is none

    @property
    def in_flight(self) -> int:
        return self.candidate.view.meter.open


@dataclass(frozen=True, slots=True)
class Wish:
    """What an attempt wants of a pool."""

    model: str
    session: str = ""
    tried: Collection[str] = ()  # ids of the keys that this call was already sent with
    tokens: int = 0  # of input, as estimated; counted only where a limit is set


def key_label(provider: str, number: int) -> str:
    """What people see of a provider's n-th key, counted from 1: ``groq-03``."""
    return f"{provider}-{number:02}"


class KeyPool:
    """The keys of one provider: their order, and the life of their leases. The store says which of them fit."""

    def __init__(
        self,
        config: ProviderConfig,
        store: StateStore,
        observer: Observer,
        time: Time,
        logins: Logins = NO_LOGINS,
        before: KeyPool | None = None,
    ) -> None:
        """Of a key that the pool ``before`` had too, what is known of it holds on."""
        self.provider = config.id
        views = {each.id: each.view for each in before.candidates} if before else {}
        self.keys = _keys(config, logins, time, views)
        self.config = config
        self._models = dict(config.models)
        self._by_id = {key.candidate.id: key for key in self.keys}
        self._by_label = {key.label: key for key in self.keys}
        self._candidates = tuple(key.candidate for key in self.keys)
        self._turns = Turns(self._candidates, [key.weight for key in self.keys], config.rotation.order)
        self._affinity = Affinity(config.rotation.affinity)
        self.keeps_traffic = store.keeps_traffic
        self._store = store
        self._observer = observer
        self._time = time
        self._lease_ids = map("{}-{}".format, repeat(secrets.token_hex(8)), count())
        self._changed: Callable[[bool], None] = _nobody
        self.counts_tokens = any(
            limits.tokens for limits in (*self._models.values(), *(key.candidate.limits for key in self.keys))
        )

    @property
    def candidates(self) -> Sequence[Candidate]:
        """Its keys as the store has them."""
        return self._candidates

    def lease(self, wish: Wish) -> Lease:
        """Enter it to get a key for one attempt; leaving it settles the key, whatever the reason."""
        return Lease(self, wish)

    def variable(self, label: str) -> str:
        """The setting that holds this key; the first key's where the label is none of a key."""
        return next((key.variable for key in self.keys if key.label == label), self.keys[0].variable)

    def next_lease(self) -> str:
        """An id that no other lease has, in this process or another."""
        return next(self._lease_ids)

    def _spent(self) -> Collection[str]:
        """Keys that have served as many calls as they may in a round: at its end another one begins the next."""
        rotation = self.config.rotation
        if not rotation.usage_limit or rotation.usage_window is not UsageWindow.ROUND:
            return ()
        return {each.id for each in self._candidates if each.view.used >= rotation.usage_limit}

    def fresh(self, wish: Wish) -> bool:
        """Whether a key is left that this call was not sent with and that does not rest."""
        now = self._time.clock()
        return any(each.id not in wish.tried and not each.view.rests_now(wish.model, now) for each in self._candidates)

    async def admit(self, lease: str, wish: Wish) -> tuple[Key, Admission]:
        """Raises NoneFits."""
        preferred = self._affinity.preferred(wish.session, self._time.clock()) if wish.session else None
        rotation = self.config.rotation
        ask = Ask(
            lease,
            self.provider,
            wish.model,
            self._turns.order(self._time.clock(), wish.tried, preferred, self._spent()),
            wish.tokens,
            self._models.get(wish.model, NO_LIMITS),
            rotation.usage_limit,
            rotation.usage_window,
            self.config.traffic if self.keeps_traffic else NO_TRAFFIC,
        )
        try:
            admission = await self._store.admit(ask)
        except BaseException:  # the lease may have been given, and its answer was on the way
            await to_the_end(self._store.settle(self.provider, lease, Settlement("abandoned")))
            raise
        if admission.candidate is None:
            raise NoneFits(admission)
        self._turns.took(admission.candidate)
        return self._by_id[admission.candidate.id], admission

    async def proved(self, lease: str) -> None:
        await self._store.proved(self.provider, lease)
        self._changed(False)

    def served(self, session: str, key: Key) -> None:
        """The key began to answer a call of this session."""
        self._affinity.served(session, key.candidate.id, self._time.clock())

    def affinity(self, session: str, key: Key) -> str:
        """``hit`` where a session met the key that it prefers, ``moved`` where another, ``new`` where it has none."""
        preferred = self._affinity.preferred(session, self._time.clock())
        return "new" if preferred is None else "hit" if preferred == key.candidate.id else "moved"

    def began(self, attempt: Attempt) -> None:
        self._observer.attempt_began(attempt)

    async def settle(self, lease: str, key: Key, settlement: Settlement) -> None:
        order = settlement.rest
        if order and order.scope is Scope.MODEL:
            self._turns.stand_back(key.candidate, self._time.clock() + STANDS_BACK)
        elif settlement.outcome == "ok":
            self._turns.worked(key.candidate)
        try:
            await self._store.settle(self.provider, lease, settlement)
        finally:
            self._changed(True)

    def order(self, failure: UpstreamFailure) -> RestOrder | None:
        """What rests after a failure here."""
        return policy.order(failure, self._time.wall(), self._time.chance(), len(self.keys))

    def ended(self, attempt: Attempt, outcome: str, reason: str) -> None:
        attempt.ended, attempt.outcome, attempt.reason = self._time.clock(), outcome, reason
        self._observer.attempt_ended(attempt)

    def scrub(self, failure: UpstreamFailure) -> None:
        """An upstream may repeat the key that it refuses, or one that it was sent before."""
        for secret in (key.credential or key.secret for key in self.keys):
            if secret:
                failure.words = secret.scrub(failure.words)
                if failure.body is not None:
                    failure.body = secret.scrub(failure.body.decode("utf-8", "replace")).encode()

    async def rest(self, key: Key, model: str, order: RestOrder) -> None:
        await self._store.rest(self.provider, key.candidate, model, order)

    async def wake(self, key: Key) -> None:
        await self._store.wake(self.provider, key.candidate)
        self._changed(False)

    async def wake_all(self) -> None:
        """Every key, and the provider itself."""
        for key in self.keys:
            await self._store.wake(self.provider, key.candidate)
        await self._store.wake(self.provider, None)
        self._changed(False)

    async def snapshot(self) -> Snapshot:
        return await self._store.snapshot(self.provider, self._candidates)

    async def states(self) -> dict[str, str]:
        """Each key's state by its label, one of STATES: the key's own rest decides, else that of any model."""
        seen = await self.snapshot()
        return {each.label: self.standing(each, seen).state for each in seen.keys}

    def standing(self, key: KeyState, seen: Snapshot) -> Standing:
        """A key's state, with what its account adds to it."""
        account = self.named(key.label).candidate.account
        shared = [rest for rest in seen.rests if rest.account == account]
        return standing(key, shared, self.config.rotation.usage_limit)

    def named(self, label: str) -> Key:
        """The key with this label. Raises KeyError."""
        return self._by_label[label]

    def watch(self, changed: Callable[[bool], None]) -> None:
        """``changed`` is called when something did that those who wait for a key may be glad of: did a lease end?"""
        self._changed = changed


class Lease(AbstractAsyncContextManager["Lease", None]):
    """The whole life of a key in one attempt."""

    __slots__ = ("_attempt", "_held", "_id", "_pool", "_probe", "_wish", "idle", "passed")

    def __init__(self, pool: KeyPool, wish: Wish) -> None:
        self.passed: Sequence[Passed] = ()
        self.idle = False  # what was done with the key says nothing of it, and is no use of it
        self._id = ""
        self._pool = pool
        self._wish = wish
        self._held: Key | None = None
        self._attempt: Attempt | None = None
        self._probe = False

    @property
    def key(self) -> Key:
        assert self._held is not None, "the lease was not entered"  # noqa: S101 - for the type checker
        return self._held

    @property
    def probing(self) -> bool:
        """Others wait for what becomes of this attempt."""
        return self._probe

    async def __aenter__(self) -> Lease:
        """Raises NoneFits."""
        self._id = self._pool.next_lease()
        self._held, admission = await self._pool.admit(self._id, self._wish)
        self._probe, self.passed = admission.probe, admission.passed
        return self

    def begin(self, attempt: Attempt) -> None:
        """The request goes out now."""
        attempt.key, attempt.passed = self.key.label, self.passed
        if self._wish.session:
            attempt.affinity = self._pool.affinity(self._wish.session, self.key)
        self._attempt = attempt
        self._pool.began(attempt)

    async def proved(self) -> None:
        """The key got its answer: who waits for that may go on, and the session comes back here."""
        if self._probe:
            await self._pool.proved(self._id)
        if self._wish.session:
            self._pool.served(self._wish.session, self.key)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is None:
            return
        outcome, reason = ("abandoned", "") if self.idle else _verdict(error)
        order = None
        if isinstance(error, UpstreamFailure) and not self.idle:
            error.provider, error.key_label = self._pool.provider, self._held.label
            error.key_variable = self._held.variable
            self._pool.scrub(error)
            if self._attempt:
                self._attempt.words = error.words[:MOST_WORDS]
            order = self._pool.order(error)
            if self._probe and policy.scope(error) is Scope.REQUEST:
                await self._pool.proved(self._id)  # whoever reads a request well enough to refuse it works
        try:
            await self._pool.settle(self._id, self._held, Settlement(outcome, self._tokens(outcome), order))
        finally:
            if self._attempt:
                self._pool.ended(self._attempt, outcome, reason)

    def _tokens(self, outcome: str) -> int | None:
        """Of input, as the upstream counts them; None where it did not say."""
        if self._attempt is None:
            return 0
        usage = self._attempt.usage
        counted = usage.input_tokens + usage.cache_write_tokens
        # An upstream that failed is taken to have counted nothing.
        return counted or (0 if outcome == "failed" else None)


def _keys(config: ProviderConfig, logins: Logins, time: Time, views: Views) -> tuple[Key, ...]:
    """A provider that takes no key has one lease-holder without a secret; its variable is the one to set instead."""
    if not config.keys:
        return (_key(config, config.id, config.spec.key_variable, None, views),)
    found = (_from_source(config, number, source, views) for number, source in enumerate(config.keys, 1))
    logged_in = zip(found, config.keys, strict=True)
    return tuple(_with_login(key, source, config, logins, time) for key, source in logged_in)


def _from_source(config: ProviderConfig, number: int, source: KeySource, views: Views) -> Key:
    label = source.label or key_label(config.id, number)
    return _key(config, label, source.variable, source.secret, views, source.account, source.limits, source.weight)


def _with_login(key: Key, source: KeySource, config: ProviderConfig, logins: Logins, time: Time) -> Key:
    if source.login is None:
        return key
    return replace(key, credential=logins[type(source.login)](source.login, config.timeouts, time))


def _key(
    config: ProviderConfig,
    label: str,
    variable: str,
    secret: Secret | None,
    views: Views,
    account: str = "",
    limits: Limits = NO_LIMITS,
    weight: float = 1.0,
) -> Key:
    # Other processes may have the same keys in another order, so a label tells them nothing.
    identity = secret.fingerprint() if secret else label
    # A key without a named account is an account of its own.
    view = views.get(identity) or KeyView()
    candidate = Candidate(identity, label, account or f"{config.id} {identity}", limits, view)
    return Key(label, variable, secret, candidate, weight, account)


def _nobody(_: bool) -> None:
    """Nobody waits."""


def _verdict(error: BaseException | None) -> tuple[str, str]:
    match error:
        case None:
            return "ok", ""
        case UpstreamFailure():
            return "failed", error.kind.value
        case _:
            return "abandoned", ""
