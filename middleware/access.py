"""Tells an observer about every request when it is over."""

from __future__ import annotations

from collections.abc import Callable

from middleware.asgi import App, Receive, Scope, Send
from middleware.context import RequestContext, context_of

RequestObserver = Callable[[RequestContext], None]


class Access:
    """Calls ``observe`` once per request, whatever became of it, and ``begun`` before.

    ``route`` gives a path its label.
    """

    def __init__(
        self, app: App, observe: RequestObserver, route: Callable[[str], str], begun: RequestObserver | None = None
    ) -> None:
        self.app = app
        self.observe = observe
        self.route = route
        self.begun = begun or _nobody

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = context_of(scope)
        context.route = self.route(scope["path"])
        self.begun(context)

        try:
            await self.app(scope, receive, send)
        except BaseException:
            context.outcome = context.outcome or ("cut" if 0 < context.status < 400 else "error")
            raise
        finally:
            context.outcome = context.outcome or _outcome(context.status)
            self.observe(context)


def _nobody(_: RequestContext) -> None:
    return


def _outcome(status: int) -> str:
    if status == 0:
        return "client_gone"
    return "ok" if status < 400 else "error"
