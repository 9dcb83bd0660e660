"""The limits of client tokens: a place for each call, taken before anything is asked and given back last."""

from __future__ import annotations

import math
import secrets
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from itertools import count, repeat
from types import TracebackType

from middleware.context import RequestContext
from middleware.grant import Grant
from providers.call import Call
from providers.errors import Fault
from providers.ports import Usage
from providers.spec import NO_LIMITS
from providers.state import REFUNDED, Admission, Ask, Candidate, Settlement, StateStore
from providers.unwinding import to_the_end

_LIMIT = {
    "requests": ("may make {} requests a minute and has made them", "requests_per_minute"),
    "tokens": ("may use {} tokens a minute and has used them", "tokens_per_minute"),
    "concurrency": ("may have {} requests open at once and has them", "max_concurrency"),
}


class Turnstile:
    """Keeps the limits in the store, each client's under a name of its own."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._leases = map("{}-{}".format, repeat(secrets.token_hex(8)), count())
        self._known: dict[str, Candidate] = {}

    def place(self, call: Call, context: RequestContext) -> AbstractAsyncContextManager[object] | None:
        """To be entered before anything is asked; None where the token has no limits. Entering raises Fault (429)."""
        grant = context.grant
        if grant is None or grant.limits == NO_LIMITS:
            return None
        tokens = call.estimate() if grant.limits.tokens else 0
        ask = Ask(next(self._leases), provider(grant), "", (self._candidate(grant),), tokens, bucket=True)
        return Place(self._store, ask, context, grant)

    def _candidate(self, grant: Grant) -> Candidate:
        """With other limits, what the client used and has open goes on counting."""
        known = self._known.get(grant.name)
        if known is None:
            known = self._known[grant.name] = Candidate(provider(grant), grant.name, provider(grant), grant.limits)
        elif known.limits != grant.limits:
            known = self._known[grant.name] = replace(known, limits=grant.limits)
        return known


class Place(AbstractAsyncContextManager[object, None]):
    """One call's share of its token's limits. What was never asked costs nothing; else it is settled by real usage."""

    def __init__(self, store: StateStore, ask: Ask, context: RequestContext, grant: Grant) -> None:
        self._store = store
        self._ask = ask
        self._context = context
        self._grant = grant

    async def __aenter__(self) -> Place:
        try:
            admission = await self._store.admit(self._ask)
        except BaseException:  # it may have been given, and the answer was on the way
            await to_the_end(self._settle(Settlement(REFUNDED, 0)))
            raise
        if admission.candidate is None:
            self._context.barred = admission.reason
            raise refusal(self._grant, admission)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._settle(self._outcome(error))

    def _outcome(self, error: BaseException | None) -> Settlement:
        attempts = self._context.attempts
        if not attempts:
            return Settlement(REFUNDED, 0)
        used = sum(_counted(each.usage) for each in attempts)
        failed = attempts[-1].outcome == "failed"
        # An upstream that failed is taken to have used nothing; of one that did not say, the estimate stands.
        return Settlement("failed" if error else "ok", used or (0 if failed else None))

    async def _settle(self, settlement: Settlement) -> None:
        await self._store.settle(self._ask.provider, self._ask.lease, settlement)


def provider(grant: Grant) -> str:
    """Under what the store keeps a client's limits; no provider's id has a colon."""
    return f"client:{grant.name}"


def refusal(grant: Grant, admission: Admission) -> Fault:
    """What the client is told, who may try again in a while."""
    limits = grant.limits
    words, setting = _LIMIT[admission.reason]
    most = {"requests": limits.requests, "tokens": limits.tokens, "concurrency": limits.concurrency}[admission.reason]
    seconds = max(1, math.ceil(admission.wait))
    when = "as soon as one of them ends" if admission.reason == "concurrency" else f"in {seconds} s"
    return Fault(
        429,
        "rate_limit_error",
        f"Your client token {grant.name} {words.format(most)}: try again {when}. Whoever runs this Keyturn can raise "
        f"the limit ({setting}).",
        retry_after=seconds,
    )


def _counted(used: Usage) -> int:
    """As upstreams count against their own limits: what was read from a cache is free."""
    return used.input_tokens + used.cache_write_tokens + used.output_tokens
