"""A body's size and time are bounded, and what comes after it is not."""

from __future__ import annotations

import asyncio

import pytest

from middleware.asgi import Receive, Scope, Send
from middleware.body_limit import BodyLimit
from providers.errors import Fault
from tests.serving import Json, Wire, http_scope

MB = 1 << 20


def part(body: bytes, more: bool) -> Json:
    return {"type": "http.request", "body": body, "more_body": more}


async def collect(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads its body and sends its length on."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "size", "size": size})


async def limited(parts: list[Json], limit: int, seconds: float = 10, **headers: str) -> int:
    wire = Wire(parts)
    await BodyLimit(collect, limit, seconds)(http_scope(**headers), wire.receive, wire.send)
    return int(wire.sent[0]["size"])


async def test_a_body_up_to_the_limit_passes() -> None:
    assert await limited([part(b"a" * 6, True), part(b"b" * 4, False)], 10, content_length="10") == 10
    assert await limited([part(b"a" * 6, True), part(b"b" * 4, False)], 10) == 10
    assert await limited([part(b"", False)], 10) == 0
    assert await limited([{"type": "http.request"}], 10) == 0


async def test_one_byte_more_is_413_at_once_where_it_is_announced() -> None:
    with pytest.raises(Fault, match="413 request_too_large") as raised:
        await limited([], MB, content_length=str(MB + 1))
    assert "1 MB (BODY_LIMIT_MB)" in raised.value.message


async def test_one_byte_more_is_413_where_it_is_not_announced() -> None:
    with pytest.raises(Fault, match="413 request_too_large"):
        await limited([part(b"a" * 6, True), part(b"b" * 5, True)], 10)


async def test_a_length_that_is_smaller_than_the_body_does_not_help() -> None:
    with pytest.raises(Fault, match="413"):
        await limited([part(b"a" * 11, False)], 10, content_length="5")


async def test_a_body_that_drips_is_408() -> None:
    with pytest.raises(Fault, match="408 timeout_error") as raised:
        await limited([part(b"a", True)], 10, seconds=0.01)
    assert "0.01 seconds (BODY_READ_TIMEOUT)" in raised.value.message
    assert (b"connection", b"close") in raised.value.headers


async def test_the_time_is_that_of_the_whole_body_not_of_each_part() -> None:
    async def slowly() -> Json:
        await asyncio.sleep(0)
        return part(b"a", True)

    with pytest.raises(Fault, match="408"):
        await BodyLimit(collect, MB, 0.05)(http_scope(), slowly, Wire().send)


async def test_after_the_body_the_wait_for_the_client_is_not_bounded() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        async with asyncio.timeout(0.05):
            await receive()

    wire = Wire([part(b"a", False)])
    with pytest.raises(TimeoutError):
        await BodyLimit(app, 10, 0.01)(http_scope(), wire.receive, wire.send)


async def test_a_disconnect_is_passed_on() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(await receive())

    wire = Wire([{"type": "http.disconnect"}])
    await BodyLimit(app, 10, 1)(http_scope(), wire.receive, wire.send)
    assert seen == [{"type": "http.disconnect"}]


async def test_what_is_no_request_is_not_bounded() -> None:
    wire = Wire([part(b"a" * 99, False)])
    await BodyLimit(collect, 10, 1)({"type": "lifespan"}, wire.receive, wire.send)
    assert wire.sent == [{"type": "size", "size": 99}]
