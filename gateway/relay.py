"""One call through its targets, up to the first content of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from gateway.routing import Target
from middleware.context import RequestContext
from providers.call import Call
from providers.ports import Attempt, Clock
from providers.provider import Answer
from providers.registry import Registry


class Relay:
    """Opens calls at live providers and keeps the request's context true."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    async def open(
        self, call: Call, targets: Sequence[Target], context: RequestContext, stack: AsyncExitStack
    ) -> Answer:
        """The first target's answer. Whatever it holds is on ``stack``. Raises UpstreamFailure."""
        target = targets[0]
        provider = self._registry.get(target.provider)
        attempt = Attempt(call.request_id, target.provider, target.model, "", self._clock())
        context.attempts.append(attempt)
        context.sent = context.sent or attempt.started
        try:
            return await provider.open(call, attempt, target.thinking, stack)
        finally:
            context.content = self._clock()
