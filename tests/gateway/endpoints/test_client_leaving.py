"""The client leaves: the upstream is let go at once, and nothing stays behind."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from tests.serving import AT_ONCE, Gateway, ask, leave, post
from tests.upstream import (
    Hang,
    Head,
    Pause,
    Reply,
    Request,
    Send,
    Signal,
    Upstream,
    block,
    block_delta,
    block_start,
    frames,
    message,
    message_start,
    stream,
    text,
)
from tests.upstream.bare_client import Client, connected

START = message_start("claude-opus-4-8")
OPENED = (START, block_start(0, text("x")))
CONTENT = block_delta(0, {"type": "text_delta", "text": "first words"})
HOW = pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])

# what the upstream does, whether the call is streamed, what the client has seen when it leaves
STAGES: dict[str, tuple[Reply, bool, bytes]] = {
    "before the head": (Reply((Hang(),)), True, b""),
    "after the head": (stream(Hang()), True, b""),
    "after message_start": (stream(START, Hang()), True, b""),
    "after an opened block": (stream(*OPENED, Hang()), True, b""),
    "after content": (stream(*OPENED, CONTENT, Hang()), True, CONTENT),
    "in a flood": (stream(*OPENED, *[CONTENT] * 200_000), True, CONTENT),
    "in a whole call": (Reply((Hang(),)), False, b""),
    "in the body of a whole call": (Reply((Head(200), Send(b'{"type":'), Hang())), False, b""),
    "in the body of an error": (Reply((Head(500), Send(b"{"), Hang())), True, b""),
}


async def call(client: Client, upstream: Upstream, streamed: bool, seen: bytes, path: str = "/v1/messages") -> Request:
    """Ask, wait until the upstream has the request and the client these bytes."""
    number = len(upstream.requests)
    client.write(post(json.dumps(ask(stream=streamed)).encode(), path))
    request = await upstream.request(number)
    if seen:
        await client.until(seen)
    return request


@HOW
@pytest.mark.parametrize(("reply", "streamed", "seen"), STAGES.values(), ids=STAGES)
async def test_the_upstream_is_let_go_at_once(
    gateway: Gateway, upstream: Upstream, reply: Reply, streamed: bool, seen: bytes, reset: bool
) -> None:
    upstream.script(reply)
    async with connected(gateway.port) as client:
        request = await call(client, upstream, streamed, seen)
        assert await gateway.metric("keyturn_inflight", provider="anthropic", key="anthropic-01") == 1
        leave(client.writer, reset)
        await request.gone.wait(AT_ONCE)
    await gateway.settled()
    assert await gateway.metric("keyturn_inflight", provider="anthropic") == 0
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages", outcome="client_gone") == 1
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages") == 1
    assert await gateway.metric("keyturn_attempts_total", outcome="abandoned", reason="") == 1
    assert await gateway.metric("keyturn_key_state", key="anthropic-01", state="ready") == 1
    assert [line["outcome"] for line in gateway.log.events("request") if line["route"] == "/v1/messages"] == [
        "client_gone"
    ]


@HOW
async def test_in_a_token_count(gateway: Gateway, upstream: Upstream, reset: bool) -> None:
    upstream.on("/v1/messages/count_tokens", Reply((Hang(),)))
    async with connected(gateway.port) as client:
        request = await call(client, upstream, False, b"", "/v1/messages/count_tokens")
        leave(client.writer, reset)
        await request.gone.wait(AT_ONCE)
    await gateway.settled()
    assert await gateway.metric("keyturn_requests_total", outcome="client_gone") == 1
    assert await gateway.metric("keyturn_inflight", provider="anthropic") == 0


@HOW
async def test_before_its_body_is_whole(gateway: Gateway, upstream: Upstream, reset: bool) -> None:
    async with connected(gateway.port) as client:
        client.write(post(json.dumps(ask()).encode(), expect="100-continue")[:-9])
        await client.until(b"100 Continue\r\n\r\n")
        leave(client.writer, reset)
    await gateway.settled()
    assert upstream.requests == []
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages", outcome="client_gone") == 1


async def test_after_the_whole_reply_is_no_leaving(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(message(text("Hello")))
    for streamed in (True, False):
        async with connected(gateway.port) as client:
            client.write(post(json.dumps(ask(stream=streamed)).encode()))
            await client.answer()
            leave(client.writer, reset=True)
    await gateway.settled()
    assert await gateway.metric("keyturn_requests_total", outcome="client_gone", route="/v1/messages") == 0
    assert await gateway.metric("keyturn_requests_total", outcome="ok", route="/v1/messages") == 2


async def test_a_client_that_leaves_does_not_disturb_its_neighbour(gateway: Gateway, upstream: Upstream) -> None:
    more = Signal()
    written = frames("claude-opus-4-8", [text("Hello there")])
    upstream.script(stream(*OPENED, CONTENT, Hang()), stream(*written[:4], Pause(more), *written[4:]))
    async with connected(gateway.port) as leaver, connected(gateway.port) as stayer:
        request = await call(leaver, upstream, True, CONTENT)
        await call(stayer, upstream, True, written[3])
        leave(leaver.writer, reset=True)
        await request.gone.wait(AT_ONCE)
        more.set()
        rest = await stayer.until(written[-1])
    assert rest.count(b"content_block_delta") > 0


async def test_two_hundred_random_disconnects_leave_nothing_behind(gateway: Gateway, upstream: Upstream) -> None:
    dice = random.Random(20260711)  # noqa: S311 - nothing is kept secret by it
    replies = [
        Reply((Hang(),)),
        stream(Hang()),
        stream(START, Hang()),
        stream(*OPENED, CONTENT, Hang()),
        stream(START, *block(0, text("one two three"))),
        stream(*frames("claude-opus-4-8", [text("Hello")])),
        stream(*frames("claude-opus-4-8", [text("Hello")]), Hang()),
        stream(*OPENED, *[CONTENT] * 2000),
        Reply((Head(529), Send(b"{"))),
    ]
    upstream.always(lambda request: dice.choice(replies))
    before = await _tasks(gateway)

    async def visit() -> None:
        sent = post(json.dumps(ask(stream=dice.random() < 0.7)).encode())
        async with connected(gateway.port) as client:
            client.write(sent[: dice.choice([len(sent), len(sent), len(sent), dice.randrange(len(sent))])])
            await client.writer.drain()
            for _ in range(dice.randrange(12)):
                await asyncio.sleep(0)  # turns of the loop: the moments at which a client may leave
            leave(client.writer, reset=dice.random() < 0.5)

    for _ in range(10):
        await asyncio.gather(*(visit() for _ in range(20)))
    await gateway.settled()
    assert await gateway.metric("keyturn_inflight", provider="anthropic") == 0
    # some left before their request was sent on
    attempts = await gateway.metric("keyturn_attempts_total", provider="anthropic")
    assert attempts is not None
    assert attempts >= len(upstream.requests) > 20
    assert await _tasks(gateway) == before
    assert "Traceback" not in gateway.log.text


async def _tasks(gateway: Gateway) -> set[asyncio.Task[object]]:
    """What runs in this loop beside requests and the connections of the scripted upstream."""
    await gateway.settled()
    return {task for task in asyncio.all_tasks() if "Connection._perform_all" not in repr(task)}
