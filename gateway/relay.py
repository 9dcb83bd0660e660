"""One call through its targets, up to the first content of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from gateway.logs import RouteLog
from gateway.routing import Target
from middleware.context import RequestContext
from providers import policy
from providers.answer import Answer
from providers.call import Call
from providers.errand import Terms
from providers.errors import UpstreamFailure
from providers.ports import Clock, Step
from providers.registry import Registry
from providers.visit import Visit


class Relay:
    """Opens calls at live providers and keeps the request's context true."""

    def __init__(self, registry: Registry, clock: Clock, deadline: float, log: RouteLog | None = None) -> None:
        """``deadline`` in seconds from the request's start to its first content."""
        self._log = log or RouteLog()
        self._registry = registry
        self._clock = clock
        self._deadline = deadline

    async def open(
        self,
        call: Call,
        targets: Sequence[Target],
        context: RequestContext,
        stack: AsyncExitStack,
        once: bool = False,
    ) -> Answer:
        """The first answer that a target gives; with ``once``, of the first target's first attempt.

        Whatever it holds is on ``stack``. Raises UpstreamFailure.
        """
        failures: list[UpstreamFailure] = []
        context.targets, context.session = targets, bool(call.session)
        end = context.started + self._deadline
        context.sent = context.sent or self._clock()
        self._log.routed(call, targets)
        self._registry.hold((target.provider for target in targets), stack)
        try:
            for number, target in enumerate(targets, 1):
                terms = Terms(end, once or number == len(targets), once, context.trail)
                try:
                    return await self._visit(call, target, terms, context, stack)
                except UpstreamFailure as failure:
                    failures.append(failure)
                    if terms.last or self._clock() >= end or not policy.CONSEQUENCES[failure.kind].other_target:
                        self._note(context, "given_up", failure)
                        break
                    self._note(context, "moved", failure, to=targets[number].provider)
        finally:
            context.content = self._clock()
        raise policy.most_telling(failures)

    async def _visit(
        self, call: Call, target: Target, terms: Terms, context: RequestContext, stack: AsyncExitStack
    ) -> Answer:
        context.target = (target.provider, target.model)
        self._log.sending(call, target)
        provider = self._registry.get(target.provider)
        return await Visit(provider, call, target.model, target.thinking, terms, stack).run()

    def _note(self, context: RequestContext, what: str, failure: UpstreamFailure, to: str = "") -> None:
        step = Step(self._clock(), what, *context.target, failure.kind.value, to=to, answering=context.status != 0)
        context.trail.note(step)
