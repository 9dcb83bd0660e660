"""A Fault becomes a reply in the path's shape; anything else a 500 that says nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from middleware.asgi import Message, Receive, Scope, Send, respond
from middleware.context import RequestContext, attach
from middleware.errors import Errors
from providers.errors import Fault
from tests.serving import Wire, http_scope

RETRYABLE = Fault(429, "rate_limit_error", "Wait a little.", retry=True, retry_after=7, headers=((b"allow", b"POST"),))


async def replied(error: BaseException, path: str = "/v1/messages", started: bool = False, **headers: str) -> Wire:
    """What the client got; what is raised again is dropped where it is the error itself."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    scope = http_scope(path, **headers)
    context, wire = RequestContext("req_1", 0.0), Wire()
    attach(scope, context)

    async def noted(message: Message) -> None:
        context.status = message.get("status", context.status)
        await wire.send(message)

    try:
        await Errors(app)(scope, wire.receive, noted)
    except type(error):
        wire.sent.append({"type": "raised"})
    return wire


def body(wire: Wire) -> Any:
    return json.loads(wire.body)


async def test_a_fault_in_anthropics_shape() -> None:
    wire = await replied(RETRYABLE)
    assert wire.status == 429
    assert body(wire) == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "Wait a little."},
        "request_id": "req_1",
    }
    assert wire.headers == {
        "content-type": "application/json",
        "allow": "POST",
        "x-should-retry": "true",
        "retry-after": "7",
        "content-length": str(len(wire.body)),
    }


async def test_a_fault_in_openais_shape() -> None:
    wire = await replied(RETRYABLE, "/v1/chat/completions")
    assert wire.status == 429
    assert body(wire) == {
        "error": {"message": "Wait a little.", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}
    }
    assert wire.headers["retry-after"] == "7"


async def test_a_fault_that_leaves_the_retry_to_the_client() -> None:
    wire = await replied(Fault(500, "api_error", "x"))
    assert not {"x-should-retry", "retry-after"} & set(wire.headers)


async def test_an_upstreams_own_body_goes_out_as_it_came() -> None:
    wire = await replied(Fault(400, "invalid_request_error", "x", body=b'{"type": "error" }'))
    assert wire.body == b'{"type": "error" }'


async def test_anything_unforeseen_is_a_500_without_detail_and_is_raised_for_the_log() -> None:
    wire = await replied(ValueError("the secret"))
    assert wire.status == 500
    assert body(wire)["error"]["type"] == "api_error"
    assert b"secret" not in wire.body
    assert wire.sent[-1] == {"type": "raised"}


@pytest.mark.parametrize("error", [RETRYABLE, ValueError("x")])
async def test_a_reply_that_has_started_is_not_started_again(error: Exception) -> None:
    wire = await replied(error, started=True)
    assert [message["type"] for message in wire.sent] == ["http.response.start", "raised"]


async def test_a_reply_without_an_error_passes() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, [(b"a", b"b")], b"fine")

    wire = Wire()
    await Errors(app)(http_scope(), wire.receive, wire.send)
    assert (wire.status, wire.body) == (200, b"fine")


async def test_what_is_no_request_is_not_guarded() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise Fault(500, "api_error", "startup failed")

    with pytest.raises(Fault):
        await Errors(app)({"type": "lifespan"}, Wire().receive, Wire().send)
