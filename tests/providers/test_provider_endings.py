"""A stream that breaks off after its first content, and keys that upstreams refuse or repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest

from providers import policy
from providers.answer import StreamAnswer
from providers.errors import ErrorKind, UpstreamFailure
from providers.patience import SPAN
from tests.providers.support import BOUND, KEY, MODEL, SPEC, Rig, call, config, quick, rig
from tests.upstream import (
    Cut,
    Hang,
    Head,
    Pause,
    Reply,
    Reset,
    Send,
    Signal,
    Step,
    Upstream,
    error,
    error_event,
    frames,
    json_reply,
    message,
    message_start,
    stream,
    text,
)

START = message_start(MODEL)
OPENED = frames(MODEL, [text("Hello")])[:4]  # up to the first delta
SOON = 0.1
A_DAY = 86400.0  # seconds; a refused key is asked again by then


# After the first content


async def begun(live: Rig, go: Signal) -> tuple[bytes, UpstreamFailure]:
    """What was passed on before the failure that ended the stream, and that failure; ``go`` comes after content."""
    sent: list[bytes] = []
    with pytest.raises(UpstreamFailure) as raised:
        await take(live, go, sent)
    assert live.in_flight == 0
    return b"".join(sent), raised.value


async def take(live: Rig, go: Signal, sent: list[bytes]) -> None:
    async with asyncio.timeout(BOUND), AsyncExitStack() as stack:
        answer = await live.open(call(), stack)
        assert isinstance(answer, StreamAnswer)
        sent.append(answer.held)
        go.set()
        while not answer.reader.failure:
            assert not answer.reader.ended
            sent.append(await answer.more())
        raise answer.reader.failure


@dataclass(frozen=True)
class After:
    """What follows the first content, and what it must come to."""

    steps: tuple[bytes | Step, ...]
    kind: ErrorKind
    words: str
    left: bool = False
    read: float = BOUND


AFTER = {
    "stall": After((Hang(),), ErrorKind.STALLED, "nothing for 0.1 seconds", left=True, read=SOON),
    "cut": After((Cut(),), ErrorKind.CUT, "closed the connection"),
    "reset": After((Reset(),), ErrorKind.CUT, "closed the connection"),
    "clean end too soon": After((), ErrorKind.CUT, "in the middle of its answer"),
    "half an event": After((b'event: content_block_delta\ndata: {"type":"content_bl',), ErrorKind.CUT, "in the middle"),
    "error event": After(
        (error_event("overloaded_error", "So full"), Hang()), ErrorKind.OVERLOADED, "So full", left=True
    ),
    "an unreadable message_delta": After(
        (b"event: message_delta\ndata: {\n\n", Hang()), ErrorKind.MALFORMED, "message_delta", left=True
    ),
}


@pytest.mark.parametrize("row", AFTER.values(), ids=AFTER.keys())
async def test_a_stream_that_breaks_off(row: After) -> None:
    go = Signal()
    async with Upstream() as upstream, rig(config(upstream.url, timeouts=quick(read=row.read))) as live:
        upstream.script(stream(*OPENED, Pause(go), *row.steps))
        sent, failure = await begun(live, go)
        if row.left:
            await upstream.requests[0].gone.wait()
    assert sent == b"".join(OPENED)
    assert failure.kind is row.kind
    assert row.words in failure.words
    assert live.watcher.told[-1] == ("ended", "acme-01", "failed", row.kind.value)


# No key is given away

ECHO = f"the key {KEY} is not good"


def said(words: str, content_type: str, status: int = 200) -> Reply:
    return Reply((Head(status, (("content-type", content_type),)), Send(words.encode())))


ECHOES: dict[str, tuple[Callable[[], Reply], bool]] = {
    "error status": (lambda: error(401, "authentication_error", ECHO), False),
    "error status in another shape": (lambda: json_reply({"error": {"message": ECHO}}, 403), False),
    "plain text": (lambda: said(ECHO, "text/plain", 500), False),
    "bad request": (lambda: error(400, "invalid_request_error", ECHO), False),
    "json error in a stream's place": (lambda: error(200, "authentication_error", ECHO), False),
    "error event": (lambda: stream(error_event("authentication_error", ECHO)), False),
    "error event after message_start": (lambda: stream(START, error_event("api_error", ECHO)), False),
    "error in a whole answer's place": (lambda: error(200, "authentication_error", ECHO), True),
    "no JSON in a whole answer's place": (lambda: said(ECHO, "text/event-stream"), True),
    "html in a stream's place": (
        lambda: said(f"<title>{ECHO}</title>", "text/html"),
        False,
    ),
}


@pytest.mark.parametrize(("reply", "whole"), ECHOES.values(), ids=ECHOES.keys())
async def test_a_key_that_is_echoed_is_blotted_out(reply: Callable[[], Reply], whole: bool) -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(reply())
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask(call(stream=not whole))
    failure = raised.value
    fault = policy.fault(failure)
    for told in (failure.words, str(failure), repr(failure), fault.message, repr(fault)):
        assert KEY not in told
    assert KEY.encode() not in (failure.body or b"") + (fault.body or b"")


async def test_a_key_that_is_echoed_after_content_is_blotted_out() -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        go = Signal()
        upstream.script(stream(*OPENED, Pause(go), error_event("api_error", ECHO)))
        _, failure = await begun(live, go)
    assert failure.kind is ErrorKind.SERVER_ERROR
    assert KEY not in repr(failure)


# Refused keys


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_refused_key_is_marked_and_named(status: int) -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(error(status, "authentication_error", "invalid x-api-key"), message(text("well again")))
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask()
        fault = policy.fault(raised.value)
        assert await live.pool.states() == {"acme-01": "refused"}
        live.moments.ahead += A_DAY
        await live.ask()
        assert await live.pool.states() == {"acme-01": "ready"}
    assert (fault.status, fault.retry) == (502, False)
    for part in ("acme", "acme-01", "ACME_API_KEY", str(status)):
        assert part in fault.message
    assert "x-api-key" not in fault.message.lower()


async def test_a_refusal_where_no_key_was_sent_names_the_variable_to_set() -> None:
    local = replace(SPEC, local=True)
    async with Upstream() as upstream, rig(config(upstream.url, keys=(), spec=local)) as live:
        upstream.script(error(401, "authentication_error", "a key is needed"))
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask()
    fault = policy.fault(raised.value)
    assert (fault.status, fault.retry) == (502, False)
    assert "ACME_API_KEY" in fault.message
    assert "a key is needed" in fault.message


# Streams that crawl


async def crawling(floor: float, passes: float) -> bytes:
    """What a client gets of a stream of which ``passes`` seconds bring a few bytes."""
    go, sent = Signal(), b""
    opening = [*frames(MODEL, [text("Hi")])]
    async with Upstream() as upstream, rig(config(upstream.url, stream_floor=floor)) as live:
        upstream.script(stream(*opening[:4], Pause(go), *opening[4:]))
        async with asyncio.timeout(BOUND), AsyncExitStack() as stack:
            answer = await live.open(call(), stack)
            assert isinstance(answer, StreamAnswer)
            live.moments.ahead += passes
            go.set()
            while not answer.reader.ended:
                sent += await answer.more()
    return sent


async def test_a_stream_that_crawls_counts_as_stalled_where_a_floor_is_set() -> None:
    with pytest.raises(UpstreamFailure) as raised:
        await crawling(floor=1000.0, passes=SPAN)
    assert raised.value.kind is ErrorKind.STALLED
    assert "STREAM_FLOOR" in raised.value.words


@pytest.mark.parametrize(("floor", "passes"), [(0.0, 10 * SPAN), (1000.0, SPAN / 2), (1.0, SPAN)])
async def test_a_stream_that_does_not_is_read_to_its_end(floor: float, passes: float) -> None:
    assert b"message_stop" in await crawling(floor, passes)
