"""Turns a Fault into a reply that the path's client can read, and anything unforeseen into a 500 without detail."""

from __future__ import annotations

import structlog

from middleware.asgi import App, Receive, Scope, Send, respond
from middleware.context import context_of
from middleware.shapes import error_body, error_headers, speaks_openai
from providers.errors import Fault

_UNFORESEEN = Fault(500, "api_error", "Keyturn failed at this request; its log has the reason under this request id.")


class Errors:
    """Nothing of an exception reaches the client but a Fault's own words."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        except Fault as fault:
            if context_of(scope).status:
                raise
            await _reply(scope, send, fault)
        except Exception:
            # The server logs it, in this task.
            structlog.contextvars.bind_contextvars(request_id=context_of(scope).request_id)
            if not context_of(scope).status:
                await _reply(scope, send, _UNFORESEEN)
            raise


async def _reply(scope: Scope, send: Send, fault: Fault) -> None:
    body = error_body(fault, context_of(scope).request_id, speaks_openai(scope))
    await respond(send, fault.status, error_headers(fault), body)
