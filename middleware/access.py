"""Tells an observer about every request when it is over."""

from __future__ import annotations

from collections.abc import Callable

from middleware.asgi import App, Message, Receive, Scope, Send
from middleware.context import RequestContext, context_of

RequestObserver = Callable[[RequestContext], None]


class Access:
    """Calls ``observe`` once per request, whatever became of it."""

    def __init__(self, app: App, observe: RequestObserver) -> None:
        self.app = app
        self.observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = context_of(scope)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            context.outcome = context.outcome or _outcome(context.status)
            self.observe(context)


def _outcome(status: int) -> str:
    if status == 0:
        return "client_gone"
    return "ok" if status < 400 else "error"
