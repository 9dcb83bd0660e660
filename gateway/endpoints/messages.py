"""POST /v1/messages, /v1/chat/completions and /v1/responses: one endpoint for each dialect that clients speak."""

from __future__ import annotations

import time

from gateway import sessions
from gateway.clients.permits import permitted, refuse_web_tools
from gateway.local_reply import LocalReplies
from gateway.reply import Desk, Reply
from gateway.request_log import RequestLog
from gateway.routing import RoutingTable
from gateway.tokens import Estimate
from middleware.asgi import Receive, Scope, Send, header
from middleware.context import RequestContext, context_of
from providers.call import Call, ClientDialect, Operation
from providers.errors import Fault
from providers.json_object import JsonObject, NotJson
from providers.queue.fair_line import Caller


class MessagesEndpoint:
    """Reads, checks and routes; the reply does the rest, or ``local`` where it finds a probe."""

    def __init__(
        self,
        dialect: ClientDialect,
        routing: RoutingTable,
        desk: Desk,
        log: RequestLog,
        local: LocalReplies | None = None,
    ) -> None:
        self._dialect = dialect
        self._routing = routing
        self._desk = desk
        self._log = log
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        call = await read_call(scope, receive, self._dialect, Operation.MESSAGES)
        context.requested = call.model
        context.conversation, context.agent = call.session, header(scope, sessions.AGENT)[: sessions.LONGEST]
        self._log.incoming(context)
        refuse_web_tools(call.body, context)
        targets = permitted(self._routing.targets(call.model, context.pin, context.principal), context)
        context.routed = self._desk.time.clock()
        if self._local and await self._local.answered(call, context, send):
            return
        context.targets = targets
        self._log.resolved(context)
        await Reply(self._desk, call, self._dialect, targets, context)(receive, send)


async def read_call(scope: Scope, receive: Receive, dialect: ClientDialect, operation: Operation) -> Call:
    """The request as a Call. Raises Fault (400, 408, 413) for a body that is none."""
    encoding = header(scope, b"content-encoding").strip().lower()
    if encoding not in ("", "identity"):
        raise Fault(
            400,
            "invalid_request_error",
            f"content-encoding: bodies in {encoding[:20]!r} are not read here; send the body uncompressed.",
        )
    raw = await _read(receive, context_of(scope))
    try:
        body = JsonObject(raw)
        dialect.check(body)
    except NotJson as error:
        raise Fault(400, "invalid_request_error", f"body: {error}") from error
    context = context_of(scope)
    context.entry = dialect.name
    context.stream = operation is Operation.MESSAGES and body.get("stream") is True
    return Call(
        request_id=context.request_id,
        dialect=dialect.name,
        operation=operation,
        body=body,
        model=body.get("model"),
        stream=context.stream,
        received=int(time.time()),
        estimate=Estimate(body, body.get("model")),
        session=sessions.session(header(scope, sessions.HEADER), body),
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
        caller=Caller(context.principal, sessions.rank(header(scope, sessions.AGENT), header(scope, sessions.APP))),
    )


async def _read(receive: Receive, context: RequestContext) -> bytes:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            context.outcome = "client_gone"
            raise Fault(400, "invalid_request_error", "body: the client left before it was whole.")
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)
