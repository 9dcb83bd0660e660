"""POST /v1/messages/count_tokens: the upstream's own counter where its row has one, else an estimate."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.clients.permits import permitted
from gateway.endpoints.messages import read_call
from gateway.relay import Relay
from gateway.reply import ClientWatch
from gateway.routing import RoutingTable, Target
from middleware.asgi import Receive, Scope, Send, respond
from middleware.context import RequestContext, context_of
from providers import policy
from providers.answer import WholeAnswer
from providers.call import Call, ClientDialect, Operation
from providers.errors import UpstreamFailure
from providers.json_object import encode
from providers.registry import Registry
from providers.unwinding import ShieldedStack


class CountTokensEndpoint:
    """A counter that fails is replaced by the estimate; only its 400 is the client's to hear."""

    def __init__(self, dialect: ClientDialect, routing: RoutingTable, relay: Relay, registry: Registry) -> None:
        self._dialect = dialect
        self._routing = routing
        self._relay = relay
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        call = await read_call(scope, receive, self._dialect, Operation.COUNT_TOKENS)
        context.requested = call.model
        targets = permitted(self._routing.targets(call.model, context.pin, context.principal), context)
        async with ClientWatch(receive) as watch:
            counted = await self._counted(call, targets, context)
            body = counted or encode({"input_tokens": self._estimated(call, targets[0])})
            watch.stop()
            await respond(send, 200, [(b"content-type", b"application/json")], body)

    def _estimated(self, call: Call, target: Target) -> int:
        return self._registry.measures[target.provider].corrected(call.estimate, target.model)()

    async def _counted(self, call: Call, targets: Sequence[Target], context: RequestContext) -> bytes | None:
        if not self._registry.get(targets[0].provider).config.of(targets[0].model).spec.counts_tokens:
            return None
        body: bytes | None = None
        try:
            async with ShieldedStack() as stack:
                answer = await self._relay.open(call, targets, context, stack, once=True)
                body = answer.body if isinstance(answer, WholeAnswer) else None
        except UpstreamFailure as failure:
            if policy.blames_request(failure):
                raise policy.fault(failure) from failure
        return body
