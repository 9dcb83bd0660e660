"""Whatever an upstream does wrong: one kind, words to act on, nothing left open, no key given away."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from providers import policy
from providers.errors import ErrorKind, UpstreamFailure
from providers.secret import Secret
from providers.spec import KeySource, Timeouts
from tests.providers.support import MODEL, Rig, call, config, quick, rig
from tests.upstream import (
    Cut,
    Hang,
    Head,
    Raw,
    Reply,
    Reset,
    Send,
    Step,
    Upstream,
    blackhole,
    block,
    error,
    error_event,
    frames,
    json_reply,
    message,
    message_start,
    ping,
    refusing,
    stream,
    text,
)

START = message_start(MODEL)
OPENED = frames(MODEL, [text("Hello")])[:4]  # up to the first delta
SOON = 0.1
A_DAY = 86400.0  # seconds; whatever rests is back by then
PATIENT = quick()
TWO = tuple(KeySource(Secret(value), "ACME_API_KEY") for value in ("k1", "k2"))  # the last chance gets more patience


@dataclass(frozen=True)
class Row:
    """A fault, and what it must come to. ``left``: we must be the one who closes the connection."""

    reply: Reply
    kind: ErrorKind
    words: str = ""
    status: int | None = 200
    left: bool = False
    timeouts: Timeouts = PATIENT


def http(*steps: Step, content_type: str = "text/event-stream", status: int = 200) -> Reply:
    return Reply((Head(status, (("content-type", content_type),)), *steps))


def overloaded(status: int) -> Reply:
    return error(status, "overloaded_error", "So full")


BEFORE_THE_STATUS = {
    "reset": Row(Reply((Reset(),)), ErrorKind.CUT, "closed the connection", None),
    "cut": Row(Reply((Cut(),)), ErrorKind.CUT, "closed the connection", None),
    "garbage": Row(Reply((Raw(b"SSH-2.0-OpenSSH_9\r\n\r\n"), Cut())), ErrorKind.MALFORMED, "no HTTP", None),
}
STREAM = BEFORE_THE_STATUS | {
    "hang before the status": Row(
        Reply((Hang(),)), ErrorKind.FIRST_TOKEN_TIMEOUT, "FIRST_TOKEN_TIMEOUT", None, True, quick(first_token=SOON)
    ),
    "hang after the status": Row(
        http(Hang()), ErrorKind.FIRST_TOKEN_TIMEOUT, "0.1 seconds", left=True, timeouts=quick(first_token=SOON)
    ),
    "hang after message_start": Row(
        stream(START, ping(), Hang()), ErrorKind.FIRST_TOKEN_TIMEOUT, left=True, timeouts=quick(first_token=SOON)
    ),
    "hang after an empty block": Row(
        stream(START, *block(0, text(""))[:1], Hang()),
        ErrorKind.FIRST_TOKEN_TIMEOUT,
        left=True,
        timeouts=quick(first_token=SOON),
    ),
    "stall before content": Row(
        stream(START, Hang()), ErrorKind.STALLED, "nothing for 0.1 seconds", left=True, timeouts=quick(read=SOON)
    ),
    "reset after the status": Row(http(Reset()), ErrorKind.CUT, "closed the connection"),
    "cut after the status": Row(http(Cut()), ErrorKind.CUT, "closed the connection"),
    "cut after message_start": Row(stream(START, Cut()), ErrorKind.CUT, "closed the connection"),
    "empty stream": Row(http(), ErrorKind.CUT, "before its answer began"),
    "pings only": Row(stream(ping(), ping()), ErrorKind.CUT, "before its answer began"),
    "message_start only": Row(stream(START), ErrorKind.CUT, "before its answer began"),
    "error event first": Row(
        stream(error_event("overloaded_error", "So full"), Hang()), ErrorKind.OVERLOADED, "So full", left=True
    ),
    "error event after message_start": Row(
        stream(START, error_event("rate_limit_error", "Too fast"), Hang()),
        ErrorKind.RATE_LIMITED,
        "Too fast",
        left=True,
    ),
    "error event with content in one packet": Row(
        stream(b"".join(OPENED) + error_event("api_error", "Broke"), Hang()), ErrorKind.SERVER_ERROR, "Broke", left=True
    ),
    "json error": Row(overloaded(200), ErrorKind.OVERLOADED, "So full"),
    "json message": Row(json_reply({"content": []}), ErrorKind.MALFORMED, "JSON"),
    "html": Row(
        http(
            Send(b"<html><title>Just a moment...</title>\n\n<p>x</p></html>"), content_type="text/html; charset=utf-8"
        ),
        ErrorKind.MALFORMED,
        "Just a moment...",
    ),
    "content before the start": Row(
        stream(*OPENED[2:], Hang()), ErrorKind.MALFORMED, "before message_start", left=True
    ),
    "no content": Row(Reply((Head(204),)), ErrorKind.CUT, status=204),
}
WHOLE = BEFORE_THE_STATUS | {
    "hang before the status": Row(
        Reply((Hang(),)), ErrorKind.STALLED, "0.1 seconds (HTTP_READ_TIMEOUT)", None, True, quick(read=SOON)
    ),
    "hang in the body": Row(
        http(Send(b'{"content"'), Hang()), ErrorKind.STALLED, "HTTP_READ_TIMEOUT", left=True, timeouts=quick(read=SOON)
    ),
    "cut in the body": Row(http(Send(b'{"content"'), Cut()), ErrorKind.CUT, "closed the connection"),
    "reset in the body": Row(http(Send(b'{"content"'), Reset()), ErrorKind.CUT, "closed the connection"),
    "json error": Row(overloaded(200), ErrorKind.OVERLOADED, "So full"),
    "html": Row(
        http(Send(b"<title>Just a moment...</title>"), content_type="text/html"), ErrorKind.MALFORMED, "Just a"
    ),
    "empty": Row(http(), ErrorKind.MALFORMED, "without JSON"),
    "no content": Row(Reply((Head(204),)), ErrorKind.MALFORMED, "without JSON", 204),
    "openai's shape": Row(json_reply({"choices": []}), ErrorKind.MALFORMED, "no content list"),
    "half the JSON": Row(http(Send(b'{"content":[')), ErrorKind.MALFORMED, "without JSON"),
}
STATUSES = {
    400: ErrorKind.INVALID_REQUEST,
    401: ErrorKind.KEY_REFUSED,
    402: ErrorKind.KEY_UNPAID,
    403: ErrorKind.KEY_FORBIDDEN,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.SERVER_ERROR,
    413: ErrorKind.TOO_LARGE,
    422: ErrorKind.INVALID_REQUEST,
    429: ErrorKind.RATE_LIMITED,
    500: ErrorKind.SERVER_ERROR,
    503: ErrorKind.SERVER_ERROR,
    529: ErrorKind.OVERLOADED,
}


async def fail(live: Rig, whole: bool = False, body: Any = None) -> UpstreamFailure:
    """The failure of one attempt, which holds nothing any more."""
    with pytest.raises(UpstreamFailure) as raised:
        await live.ask(call(body, stream=not whole))
    failure, record = raised.value, live.record
    assert (failure.provider, failure.key_label, failure.key_variable) == ("acme", "acme-01", "ACME_API_KEY")
    assert (record.outcome, record.reason, record.first_content) == ("failed", failure.kind.value, None)
    assert live.watcher.told[-1] == ("ended", "acme-01", "failed", failure.kind.value)
    assert live.in_flight == 0
    assert failure.words
    return failure


async def check(row: Row, whole: bool) -> None:
    async with Upstream() as upstream, rig(config(upstream.url, timeouts=row.timeouts, keys=TWO)) as live:
        upstream.script(row.reply, message(text("well again")))
        failure = await fail(live, whole)
        assert (failure.kind, live.record.status) == (row.kind, row.status)
        assert row.words in failure.words
        if row.left:
            await upstream.requests[0].gone.wait()
        policy.fault(failure)
        live.moments.ahead += A_DAY
        assert b"well again" in await live.ask(call(stream=False))


@pytest.mark.parametrize("row", STREAM.values(), ids=STREAM.keys())
async def test_a_stream_that_never_begins(row: Row) -> None:
    await check(row, whole=False)


@pytest.mark.parametrize("row", WHOLE.values(), ids=WHOLE.keys())
async def test_a_whole_answer_that_is_none(row: Row) -> None:
    await check(row, whole=True)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
async def test_every_error_status(status: int, kind: ErrorKind, whole: bool) -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(error(status, "some_error", "The reason", [("retry-after", "7")]), message(text("well again")))
        failure = await fail(live, whole)
        seen = live.record.status
        live.moments.ahead += A_DAY
        await live.ask()
        assert upstream.accepted == 1
    assert (failure.kind, failure.status, failure.words, failure.retry_after) == (kind, status, "The reason", 7)
    assert json.loads(failure.body or b"")["error"] == {"type": "some_error", "message": "The reason"}
    assert seen == status


@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(json_reply({}, status, [("location", f"{upstream.url}/v2")]))
        failure = await fail(live)
    assert (failure.kind, failure.status) == (ErrorKind.MALFORMED, status)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("whole", [False, True])
async def test_a_connection_that_is_refused_or_never_made(whole: bool) -> None:
    for nowhere, words in ((refusing, "refused"), (blackhole, "too long")):
        with nowhere() as base:
            async with rig(config(base, timeouts=quick(connect=SOON))) as live:
                failure = await fail(live, whole)
        assert failure.kind is ErrorKind.UNREACHABLE
        assert words in failure.words


async def test_an_upstream_that_takes_no_body_is_given_up() -> None:
    with closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        base = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        body = json.loads(call().body.raw) | {"system": "x" * (32 << 20)}
        async with rig(config(base, timeouts=quick(write=SOON))) as live:
            failure = await fail(live, body=body)
    assert (failure.kind, failure.words) == (ErrorKind.UNREACHABLE, "it did not take the request in time")


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_an_error_without_an_end_is_read_in_part(status: int) -> None:
    kind = "application/json" if status == 200 else "text/plain"
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(http(*[Send(b"sorry " * 10_000)] * 40, Hang(), content_type=kind, status=status))
        failure = await fail(live)
        await upstream.requests[0].gone.wait()
    assert len(failure.words) <= 2000


async def test_an_error_that_hangs_is_given_up_in_time() -> None:
    async with Upstream() as upstream, rig(config(upstream.url, timeouts=quick(first_token=SOON), keys=TWO)) as live:
        upstream.script(http(Send(b"sorry"), Hang(), status=500))
        failure = await fail(live)
        await upstream.requests[0].gone.wait()
    assert failure.kind is ErrorKind.FIRST_TOKEN_TIMEOUT
