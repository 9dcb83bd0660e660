"""What one call has tried at one provider, and whether and when it tries again. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from providers import policy
from providers.budget import RetryBudget
from providers.errors import ErrorKind, Scope, UpstreamFailure
from providers.ports import Trail
from providers.spec import Retries, Traffic
from providers.state import Admission

MENDS = 4  # an upstream names one of the things that it refuses at a time


@dataclass(frozen=True, slots=True)
class Terms:
    """What a call may take of a provider."""

    deadline: float  # on the Clock: the first content has come by then
    last: bool = True  # no other target remains
    once: bool = False  # one attempt, no waiting
    trail: Trail = field(default_factory=Trail)


@dataclass(slots=True)
class Errand:
    """One call at one provider."""

    retries: Retries
    traffic: Traffic
    terms: Terms
    budget: RetryBudget
    keys: int = 1  # of the pool
    tried: set[str] = field(default_factory=set)  # ids of keys
    repeats: int = 0  # attempts with a key that was tried before
    moves: int = 0  # after a failure that is nobody's in particular, to a key that was not
    waited: float = 0.0  # seconds, for limits
    mends: int = 0  # repeats of a request that was put otherwise
    reconnected: bool = False
    failure: UpstreamFailure | None = None  # the last

    def began(self, key: str) -> None:
        """An attempt with this key is about to be sent."""
        self.repeats += key in self.tried
        self.tried.add(key)

    def after_failure(self, failure: UpstreamFailure, fresh: bool, now: float, chance: float) -> float | None:
        """Seconds until the next attempt; None = give up. ``fresh``: a key is left that was not tried.

        Repeats are counted; a fresh key is always asked, but there are no more moves than keys.
        """
        self.failure = failure
        rule = policy.CONSEQUENCES[failure.kind]
        fresh = fresh and self.moves < self.keys
        if self.terms.once or now >= self.terms.deadline or (not fresh and self.repeats > self.retries.most):
            return None
        if failure.kind is ErrorKind.DISCONNECTED and not self.reconnected:
            self.reconnected = True
            return 0.0
        if failure.mendable and self.mends < MENDS:
            self.mends += 1
            return 0.0
        if rule.other_key and failure.scope is not Scope.REQUEST:
            return 0.0  # where no other key is free, the pool says for how long
        if not rule.again:
            return None
        wait = self._move(chance) if fresh else self._repeat(failure, rule, now, chance)
        return wait if wait is not None and now + wait < self.terms.deadline else None

    def after_refusal(self, admission: Admission, now: float, paced: bool = False) -> float | None:
        """The same where no key could be had. ``paced``: for the provider's own limits, which are waited for anyway."""
        wait = admission.wait
        if self.terms.once or not (self.terms.last or paced):
            return None
        if len(self.tried) >= self.keys and self.repeats >= self.retries.most:
            return None
        if self._was_refused(admission.reason):
            return None
        if self.waited + wait > self.traffic.queue_wait or now + wait >= self.terms.deadline:
            return None
        return wait

    def patience(self, now: float) -> float:
        """Seconds that it may still wait for a limit."""
        return max(0.0, min(self.traffic.queue_wait - self.waited, self.terms.deadline - now))

    def _was_refused(self, reason: str) -> bool:
        """Whether this call itself has just met what its keys, or all of the provider, now rest for."""
        own = self.failure
        return own is not None and own.kind == reason and policy.CONSEQUENCES[own.kind].key_state == "refused"

    def _move(self, chance: float) -> float:
        """The first other key is asked at once; if it fails alike it is hardly the key."""
        self.moves += 1
        return 0.0 if self.moves == 1 or not self.terms.last else self.retries.base_delay * (1.0 + chance / 4)

    def _repeat(self, failure: UpstreamFailure, rule: policy.Consequence, now: float, chance: float) -> float | None:
        most = rule.insistence if self.terms.last else rule.patience
        if self.repeats >= min(self.retries.most, most):
            return None
        own = min(self.retries.base_delay * 2.0**self.repeats, self.retries.max_delay)
        said = policy.rest(failure)
        told = said.seconds if said and said.honest and said.seconds else 0.0
        if told > own and not self.terms.last:
            return None  # the next target answers sooner
        return max(own, told) * (1.0 + chance / 4) if self.budget.allows(now) else None


def refused(provider: str, admission: Admission, errand: Errand, model: str = "") -> UpstreamFailure:
    """What the client hears when no key can be had: the call's own last failure where that says more."""
    passed = [each for each in admission.passed if each.reason]
    limited = [each for each in passed if policy.is_limit(each.reason)]
    own = errand.failure
    if limited:
        first = min(limited, key=lambda each: each.wait)
        if own is not None and policy.is_limit(own.kind.value):
            own.retry_after = max(1, math.ceil(first.wait))
            return own
        return _resting(
            provider, ErrorKind.RATE_LIMITED, _limit_words(len(passed), first.reason, first.wait), first.wait
        )
    if own is not None:
        if not own.retry_after and policy.CONSEQUENCES[own.kind].again:
            own.retry_after = math.ceil(admission.wait)
        return own
    if not passed:
        return UpstreamFailure(ErrorKind.NO_KEY, "no key is configured", provider=provider)
    first = passed[0]
    kind = ErrorKind(first.reason)
    words = _rest_words(kind, admission.wait)
    if kind is ErrorKind.MODEL_NOT_FOUND:
        words = _missing_words(provider, model, first.label, admission.wait)
    elif policy.CONSEQUENCES[kind].own_words:
        words = f"Provider {provider}: {words}"
    failure = _resting(provider, kind, words, admission.wait)
    failure.key_label = first.label
    if not policy.CONSEQUENCES[kind].again:
        failure.retry_after = None
    return failure


def _resting(provider: str, kind: ErrorKind, words: str, wait: float) -> UpstreamFailure:
    return UpstreamFailure(kind, words, provider=provider, retry_after=max(1, math.ceil(wait)))


def _limit_words(keys: int, reason: str, wait: float) -> str:
    why = reason.replace("_", " ")
    if keys == 1:
        return f"its limit is used up ({why}); it serves again in {spell(wait)}"
    return f"none of its {keys} keys can serve now; the first is back in {spell(wait)} ({why})"


def _rest_words(kind: ErrorKind, wait: float) -> str:
    reason = kind.value.replace("_", " ")
    return f"it failed ({reason}) and is not asked again for {spell(wait)}"


def _missing_words(provider: str, model: str, label: str, wait: float) -> str:
    return (
        f"Provider {provider} said that it has no model {model}, and is not asked for it again for {spell(wait)}. "
        f"GET /v1/models lists what it has; POST /admin/keys/{label}/wake has it asked at once."
    )


def spell(seconds: float) -> str:
    """``45 seconds``, ``12 minutes``, ``3 hours``, rounded up."""
    whole = max(1, math.ceil(seconds))
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if whole >= 2 * size:
            return f"{math.ceil(whole / size)} {name}s"
    return f"{whole} second{'s' if whole > 1 else ''}"
