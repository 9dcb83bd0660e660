"""The observer is told once per request, whatever became of it."""

from __future__ import annotations

import asyncio

import pytest

from middleware.access import Access
from middleware.asgi import App, Receive, Scope, Send, respond
from middleware.context import RequestContext, context_of
from middleware.request_id import RequestId
from tests.serving import Wire, http_scope


async def observed(app: App) -> RequestContext:
    """The context that the observer saw; what ``app`` raised is dropped."""
    seen: list[RequestContext] = []
    wire = Wire()
    guarded = RequestId(Access(app, seen.append, str), lambda: 0.0)
    await asyncio.gather(guarded(http_scope(), wire.receive, wire.send), return_exceptions=True)
    [context] = seen
    return context


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "ok"), (204, "ok"), (399, "ok"), (400, "error"), (500, "error"), (529, "error")]
)
async def test_the_outcome_follows_from_the_status(status: int, outcome: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, status, [], b"")

    context = await observed(app)
    assert (context.status, context.outcome) == (status, outcome)


async def test_an_outcome_that_is_known_stays() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, [], b"")
        context_of(scope).outcome = "cut"

    assert (await observed(app)).outcome == "cut"


async def test_no_reply_at_all_is_a_client_that_left() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        return

    assert (await observed(app)).outcome == "client_gone"


async def test_an_exception_is_observed_and_raised() -> None:
    seen: list[RequestContext] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 500, [], b"")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await RequestId(Access(app, seen.append, str), lambda: 0.0)(http_scope(), Wire().receive, Wire().send)
    assert [context.outcome for context in seen] == ["error"]


async def test_a_reply_that_an_exception_breaks_off_is_cut() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("broken")

    assert (await observed(app)).outcome == "cut"


async def test_what_is_no_request_is_not_observed() -> None:
    seen: list[RequestContext] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})

    wire = Wire()
    await Access(app, seen.append, str)({"type": "lifespan"}, wire.receive, wire.send)
    assert seen == []
    assert wire.sent == [{"type": "lifespan.startup.complete"}]


async def test_the_beginning_is_told_too() -> None:
    told: list[tuple[str, str, str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        told.append(("served", context_of(scope).route, ""))
        await respond(send, 200, [], b"")

    def began(context: RequestContext) -> None:
        told.append(("began", context.route, context.outcome))

    def ended(context: RequestContext) -> None:
        told.append(("ended", context.route, context.outcome))

    wire = Wire()
    await RequestId(Access(app, ended, str, began), lambda: 0.0)(http_scope(), wire.receive, wire.send)
    assert told == [("began", "/v1/messages", ""), ("served", "/v1/messages", ""), ("ended", "/v1/messages", "ok")]
