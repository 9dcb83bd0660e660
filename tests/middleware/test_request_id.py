"""The id of a request, and the headers that tell its story."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from middleware.asgi import Headers, Message, Receive, Scope, Send
from middleware.context import RequestContext, context_of
from middleware.request_id import RequestId
from providers.ports import Attempt
from tests.serving import Json, Wire, http_scope

Story = dict[str, str]


def ticking(*times: float) -> Callable[[], float]:
    left = list(times)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


async def told(
    scope: Json, fill: Callable[[RequestContext], None] = lambda context: None, clock: Callable[[], float] | None = None
) -> Story:
    """The headers of a reply to this request, after ``fill`` did to the context what endpoints do."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        fill(context_of(scope))
        headers: Headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    wire = Wire()
    await RequestId(app, clock or ticking(0.0))(scope, wire.receive, wire.send)
    assert len(wire.sent) == 2
    assert wire.headers["content-type"] == "text/plain"
    return wire.headers


async def test_an_id_is_minted() -> None:
    ids = {(await told(http_scope()))["request-id"] for _ in range(20)}
    assert len(ids) == 20
    assert all(re.fullmatch(r"req_[0-9a-f]{24}", each) for each in ids)


@pytest.mark.parametrize("header", ["request_id", "x_request_id"])
@pytest.mark.parametrize("sent", ["a", "A.b_c-9", "x" * 64])
async def test_a_plain_one_is_taken(header: str, sent: str) -> None:
    assert (await told(http_scope(**{header: sent})))["request-id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a/b", "a\n", "\u00e9", 'a"', "<b>"])
async def test_an_odd_one_is_replaced(sent: str) -> None:
    assert (await told(http_scope(request_id=sent)))["request-id"].startswith("req_")


async def test_the_clients_own_goes_before_the_proxys() -> None:
    assert (await told(http_scope(request_id="mine", x_request_id="theirs")))["request-id"] == "mine"


async def test_without_an_attempt_nothing_is_told_of_one() -> None:
    assert set(await told(http_scope())) == {"content-type", "request-id", "server-timing"}


async def test_an_attempt_is_told() -> None:
    def fill(context: RequestContext) -> None:
        context.target = ("open_router", "deepseek/deepseek-chat:free")
        context.attempts.append(Attempt("r", "groq", "first", "groq-01", 0.0))
        context.attempts.append(Attempt("r", "open_router", "deepseek/deepseek-chat:free", "open_router-02", 0.0))

    headers = await told(http_scope(), fill)
    assert headers["x-keyturn-provider"] == "open_router"
    assert headers["x-keyturn-model"] == "deepseek/deepseek-chat:free"
    assert headers["x-keyturn-key"] == "open_router-02"
    assert headers["x-keyturn-attempts"] == "2"


async def test_a_target_that_had_no_key_to_give_is_told_without_one() -> None:
    def fill(context: RequestContext) -> None:
        context.target = ("groq", "m")

    headers = await told(http_scope(), fill)
    assert headers["x-keyturn-provider"] == "groq"
    assert headers["x-keyturn-attempts"] == "0"
    assert "x-keyturn-key" not in headers


@pytest.mark.parametrize("model", ["caf\u00e9", "m\r\nset-cookie: a=b", "m\n", "m\x00", "m\x7f", "\ud83d\ude00"])
async def test_a_models_name_cannot_break_a_header(model: str) -> None:
    def fill(context: RequestContext) -> None:
        context.target = ("demo", model)

    value = (await told(http_scope(), fill))["x-keyturn-model"]
    assert value.isascii()
    assert value.isprintable()


async def test_the_time_that_an_upstream_took_is_not_the_gateways() -> None:
    def fill(context: RequestContext) -> None:
        context.sent, context.content = 10.5, 17.5

    assert (await told(http_scope(), fill, ticking(10.0, 18.25)))["server-timing"] == "keyturn;dur=1250.00"


async def test_an_upstream_that_never_answered_took_all_the_time() -> None:
    def fill(context: RequestContext) -> None:
        context.sent = 10.5

    assert (await told(http_scope(), fill, ticking(10.0, 18.25)))["server-timing"] == "keyturn;dur=500.00"


async def test_what_is_no_request_passes_untouched() -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope))

    await RequestId(app, ticking(0.0))({"type": "lifespan"}, Wire().receive, Wire().send)
    assert seen == [{"type": "lifespan"}]
