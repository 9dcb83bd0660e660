"""Gives every request an id and a context, and every reply the headers that tell its story.

The only middleware that sees what is sent: each one that does costs every chunk of every stream.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from middleware.asgi import App, Headers, Message, Receive, Scope, Send, header
from middleware.context import RequestContext, attach

_UNFIT = re.compile(r"[^ -~]")
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """``request-id`` is the client's where it sent a plain one (as ``request-id`` or ``x-request-id``), else ours."""

    def __init__(self, app: App, clock: Callable[[], float]) -> None:
        self.app = app
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = RequestContext(_id(scope), self.clock())
        attach(scope, context)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_story(context, self.clock())]
            await send(message)

        await self.app(scope, receive, told)


def _id(scope: Scope) -> str:
    offered = header(scope, b"request-id") or header(scope, b"x-request-id")
    return offered if _ACCEPTED.fullmatch(offered) else f"req_{secrets.token_hex(12)}"


def _story(context: RequestContext, now: float) -> Headers:
    headers = [
        (b"request-id", context.request_id.encode()),
        (b"server-timing", b"keyturn;dur=%.2f" % (context.own_seconds(now) * 1000)),
    ]
    provider, model = context.target
    if provider:
        headers += [
            (b"x-keyturn-provider", provider.encode()),
            (b"x-keyturn-model", _plain(model)),
            (b"x-keyturn-attempts", b"%d" % len(context.attempts)),
        ]
    if attempt := context.attempt:
        headers.append((b"x-keyturn-key", attempt.key.encode()))
        if lost := (*attempt.lost, *attempt.untold):
            headers.append((b"x-keyturn-lost", _plain(", ".join(lost))))
    return headers


def _plain(text: str) -> bytes:
    """What a client or an upstream may have chosen, fit for a header."""
    return _UNFIT.sub("?", text[:1000]).encode()
