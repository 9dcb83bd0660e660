"""One call through its targets, up to the first content of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from gateway.routing import Target
from middleware.context import RequestContext
from providers import policy
from providers.answer import Answer
from providers.call import Call
from providers.errand import Terms
from providers.errors import ErrorKind, UpstreamFailure
from providers.ports import Clock, Step
from providers.registry import Registry
from providers.visit import Visit


class Relay:
    """Opens calls at live providers and keeps the request's context true."""

    def __init__(self, registry: Registry, clock: Clock, deadline: float) -> None:
        """``deadline`` in seconds from the request's start to its first content."""
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
        began: float | None = None,
    ) -> Answer:
        """The first answer that a target gives; with ``once``, of the first target's first attempt.

        A target whose window is known to be too small is passed over while another is left. Whatever the answer holds
        is on ``stack``. ``began`` is when the client began to wait for it, where that is not the request's start.
        Raises UpstreamFailure.
        """
        failures: list[UpstreamFailure] = []
        context.targets, context.session = targets, bool(call.session)
        end = (context.started if began is None else began) + self._deadline
        context.sent = context.sent or self._clock()
        targets = self._fitting(call, targets, context)
        self._registry.hold((target.provider for target in targets), stack)
        try:
            for number, target in enumerate(targets, 1):
                if self._is_smaller(target, failures):
                    self._skip(context, target)
                    continue
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
        provider = self._registry.get(target.provider)
        return await Visit(provider, call, target.model, target.thinking, terms, stack).run()

    def _fitting(self, call: Call, targets: Sequence[Target], context: RequestContext) -> Sequence[Target]:
        """Those that may hold the prompt; all of them where none does, since only an upstream knows for certain."""
        if len(targets) == 1:
            return targets
        size = len(call.body.raw)
        fitting = [target for target in targets if not self._outgrows(call, target, size)]
        if not fitting:
            return targets
        for target in targets:
            if target not in fitting:
                self._skip(context, target)
        return fitting

    def _outgrows(self, call: Call, target: Target, size: int) -> bool:
        return self._registry.measures[target.provider].outgrows(call.estimate, target.model, size)

    def _is_smaller(self, target: Target, failures: Sequence[UpstreamFailure]) -> bool:
        """Whether the prompt that another target could not hold would not fit here either."""
        sizes = [failure.overflow.prompt or 0 for failure in failures if failure.overflow]
        return bool(sizes) and self._registry.measures[target.provider].smaller(target.model, max(sizes))

    def _skip(self, context: RequestContext, target: Target) -> None:
        reason = ErrorKind.CONTEXT_OVERFLOW.value
        context.trail.note(Step(self._clock(), "skipped", target.provider, target.model, reason))

    def _note(self, context: RequestContext, what: str, failure: UpstreamFailure, to: str = "") -> None:
        step = Step(self._clock(), what, *context.target, failure.kind.value, to=to, answering=context.status != 0)
        context.trail.note(step)
