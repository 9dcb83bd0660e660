"""Remembers which trace a client's request belongs to (W3C Trace Context). Only there where traces are on."""

from __future__ import annotations

from middleware.asgi import App, Receive, Scope, Send, header
from middleware.context import context_of


class TraceParent:
    """Puts the header ``traceparent`` into the request's context."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            context_of(scope).trace_parent = header(scope, b"traceparent")
        await self.app(scope, receive, send)
