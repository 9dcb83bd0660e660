"""One call at one provider: its attempts, and the waits between them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from providers.answer import Answer
from providers.call import Call
from providers.errand import Errand, Terms, refused, spell
from providers.errors import ErrorKind, Scope, UpstreamFailure
from providers.keys import Lease, NoneFits, Wish
from providers.ports import Attempt, Step
from providers.provider import Provider
from providers.queue.gate import Place, QueueFull
from providers.state import Admission, Passed
from providers.unwinding import to_the_end

SLACK = 0.05  # seconds that a call waits on which was told how long: its turn comes a little later
NOTED = 0.001  # seconds in the queue from which on a call's story tells of it


class QueueTooLong(Exception):
    """The call waited for its turn as long as it may."""


class Visit:
    """What ``errand`` decides, done. Whatever the answer holds is entered on ``stack``."""

    def __init__(
        self, provider: Provider, call: Call, model: str, thinking: bool, terms: Terms, stack: AsyncExitStack
    ) -> None:
        self._provider = provider
        self._call = call
        self._model = model
        self._thinking = thinking
        self._terms = terms
        self._stack = stack
        config = provider.config
        self._errand = Errand(config.retries, config.traffic, terms, provider.budget, len(provider.pool.keys))
        self._next = 0.0  # seconds until the next attempt
        self._room: int | None = None  # tokens for the answer, where the last refusal counted them
        self._refusal: Admission | None = None  # what the last attempt was, where there was no key for it
        self._place: Place | None = None
        self._paced = False  # the last refusal was for the provider's own slots or window, which a store keeps
        counts = provider.pool.counts_tokens
        self._tokens = provider.measures.corrected(call.estimate, model)() if counts else 0

    async def run(self) -> Answer:
        """Raises UpstreamFailure."""
        self._provider.budget.called(self._now)
        try:
            return await self._attempts()
        except (UpstreamFailure, NoneFits, QueueFull, QueueTooLong) as failure:
            raise self._final(failure) from failure
        finally:
            if self._place is not None:
                self._provider.gate.forget(self._place)

    async def _attempts(self) -> Answer:
        """The first attempt stands outside of the retrying, which costs 24 us to set up."""
        try:
            return await self._attempt()
        except (UpstreamFailure, NoneFits, QueueFull, QueueTooLong) as failure:
            if not self._goes_on(failure):
                raise
        retrying = AsyncRetrying(
            retry=retry_if_exception(self._goes_on), wait=self._wait, sleep=self._pause, reraise=True
        )
        await self._pause(self._next)
        return await retrying(self._attempt)

    async def _attempt(self) -> Answer:
        own = AsyncExitStack()
        try:
            answer = await self._asked(own)
        except BaseException as error:
            await to_the_end(own.__aexit__(type(error), error, error.__traceback__))
            raise
        self._stack.push_async_exit(own)
        return answer

    async def _asked(self, own: AsyncExitStack) -> Answer:
        lease = await self._enter(own)
        call, provider = self._call, self._provider.config.id
        attempt = Attempt(call.request_id, provider, self._model, "", self._now, call.stream)
        self._errand.began(lease.key.candidate.id)
        self._terms.trail.attempts.append(attempt)
        lease.begin(attempt)
        answer = await self._provider.ask(
            self._call, self._thinking, lease.key, attempt, self._patience(), own, self._room
        )
        await lease.proved()
        return answer

    async def _enter(self, own: AsyncExitStack) -> Lease:
        """A turn, a key, a slot, a token of the window, or a place to wait for them."""
        gate, pool = self._provider.gate, self._provider.pool
        if gate.open(self._model):
            return await own.enter_async_context(pool.lease(self._wish))
        began = self._now
        patience = 0.0 if self._terms.once else self._errand.patience(began)
        patient = patience > 0
        slack = SLACK if self._refusal else 0.0
        place = self._placed()
        # Where there is another target, the provider's own pace is waited for, but no key.
        place.until = began + patience + SLACK if self._terms.last or self._paced else 0.0
        try:
            # Without patience nothing is waited for but the store.
            async with asyncio.timeout(patience + slack if patience else None), gate.turn(place, patient):
                lease = await own.enter_async_context(pool.lease(self._wish))
                await gate.enter(own)
        except (TimeoutError, QueueFull) as error:
            if patient and isinstance(error, QueueFull):
                raise
            raise QueueTooLong from error
        finally:
            took = self._now - began
            self._errand.waited += took
            if took >= NOTED:
                self._note("waited", "limit", took) if self._refusal else self._note("queued", "", took)
        return lease

    def _placed(self) -> Place:
        if self._place is None:
            self._place = Place(self._call.caller, self._model)
        return self._place

    @property
    def _wish(self) -> Wish:
        return Wish(self._model, self._call.session, self._errand.tried, self._tokens)

    @property
    def _now(self) -> float:
        return self._provider.time.clock()

    def _patience(self) -> tuple[float, float]:
        """Seconds for the first content, and for an answer that comes whole. The last chance gets all that is left."""
        limits = self._provider.config.timeouts
        left = max(0.0, self._terms.deadline - self._now)
        others = not self._terms.last or self._provider.pool.fresh(self._wish)
        return (
            min(limits.first_token, left) if others else left,
            left if limits.read is None else min(limits.read, left),
        )

    def _goes_on(self, error: BaseException) -> bool:
        wait: float | None = None
        if isinstance(error, UpstreamFailure):
            fresh = self._provider.pool.fresh(self._wish)
            wait = self._errand.after_failure(error, fresh, self._now, self._provider.time.chance())
            self._room = error.room
        elif isinstance(error, NoneFits):
            self._paced = error.admission.paces(self._provider.config.id)
            wait = self._errand.after_refusal(error.admission, self._now, self._paced)
            self._note("refused", error.admission.reason, error.admission.wait, error.admission.passed)
        else:
            self._note("refused", "queue_full" if isinstance(error, QueueFull) else "queue_wait", 0.0)
        self._next, self._refusal = wait or 0.0, error.admission if isinstance(error, NoneFits) else None
        return wait is not None

    def _wait(self, _: RetryCallState) -> float:
        return self._next

    async def _pause(self, seconds: float) -> None:
        """Nothing is held meanwhile but a place in the queue. Raises QueueFull."""
        if seconds <= 0:
            return
        if self._refusal:  # the next attempt waits for its turn
            self._provider.gate.refused(self._placed(), self._refusal)
            return
        began = self._now
        await self._provider.gate.rest(Place(self._call.caller), seconds)
        self._note("waited", "backoff", self._now - began)

    def _note(self, what: str, reason: str, seconds: float, passed: Sequence[Passed] = ()) -> None:
        began = self._now if what == "refused" else self._now - seconds
        self._terms.trail.note(Step(began, what, self._provider.config.id, self._model, reason, seconds, passed))

    def _final(self, error: Exception) -> UpstreamFailure:
        provider = self._provider.config.id
        match error:
            case UpstreamFailure():
                return error
            case NoneFits():
                failure = refused(provider, error.admission, self._errand, self._model)
                failure.key_variable = failure.key_variable or self._provider.pool.variable(failure.key_label)
                return failure
            case QueueFull():
                words = f"{self._provider.gate.waiting} calls wait for it already (QUEUE_LIMIT)"
            case _:
                longest = spell(self._errand.traffic.queue_wait)
                words = f"its limits let nothing more through within {longest} (QUEUE_MAX_WAIT)"
        backlog = self._provider.gate.backlog(self._call.caller.token, self._model)
        return UpstreamFailure(ErrorKind.RATE_LIMITED, words, retry_after=backlog, scope=Scope.US, provider=provider)
