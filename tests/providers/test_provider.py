"""One attempt at one provider over real HTTP: what opens well, and what the caller holds and gives back."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from providers.answer import StreamAnswer
from providers.call import Operation
from providers.errors import ErrorKind, UpstreamFailure
from providers.ports import Usage
from providers.secret import Secret
from providers.spec import KeySource
from tests.providers.support import BOUND, KEY, MODEL, SPEC, call, config, quick, rig
from tests.upstream import (
    Hang,
    Head,
    Pause,
    Reply,
    Send,
    Signal,
    Upstream,
    block,
    frames,
    message,
    message_delta,
    message_start,
    message_stop,
    stream,
    text,
    thinking,
)

BLOCKS = [thinking("Hm.", "c2ln"), text("Hello wörld")]


async def test_a_stream_passes_as_it_came_but_for_the_model() -> None:
    sent = frames(
        "upstream-model", BLOCKS, usage={"input_tokens": 9, "output_tokens": 1}, late_usage={"output_tokens": 5}
    )
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(stream(*sent))
        got = await live.ask()
    record = live.record
    assert got == b"".join(sent).replace(b'"upstream-model"', json.dumps(MODEL).encode())
    assert (record.status, record.outcome, record.reason, record.key) == (200, "ok", "", "acme-01")
    assert record.usage == Usage(9, 5)
    assert record.started <= (record.first_content or 0) <= (record.ended or 0)
    assert live.watcher.told == [
        ("began", "acme", "acme-01"),
        ("ended", "acme-01", "ok", ""),
    ]


async def test_the_upstream_gets_the_call() -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(message(*BLOCKS))
        await live.ask(call(headers=(("anthropic-beta", "new-1"), ("x-api-key", "client"))))
    [request] = upstream.requests
    assert (request.method, request.target) == ("POST", "/v1/messages")
    assert request.body == call().body.raw.replace(json.dumps(MODEL).encode(), b'"upstream-model"')
    assert request.header("x-api-key") == KEY
    assert request.header("anthropic-beta") == "new-1"
    assert request.header("anthropic-version") == "2023-06-01"


async def test_thinking_off_reaches_the_upstream() -> None:
    body = json.loads(call().body.raw) | {"thinking": {"type": "adaptive"}}
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.always(message(text("Hi")))
        async with AsyncExitStack() as stack:
            await live.open(call(body), stack, thinking=False)
    assert upstream.requests[0].json["thinking"] == {"type": "disabled"}


async def test_a_whole_answer() -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(message(*BLOCKS, model="upstream-model"))
        got = json.loads(await live.ask(call(stream=False)))
    record = live.record
    assert got["model"] == MODEL
    assert got["content"] == [each.whole for each in BLOCKS]
    assert record.usage == Usage(11, 7)
    assert (record.outcome, record.status) == ("ok", 200)
    assert record.first_content is not None


async def test_an_upstreams_own_count_of_tokens() -> None:
    async with Upstream() as upstream, rig(config(f"{upstream.url}/v1/")) as live:
        got = await live.ask(call(stream=False, operation=Operation.COUNT_TOKENS))
    assert json.loads(got) == {"input_tokens": 321}
    assert upstream.requests[0].target == "/v1/messages/count_tokens"


@pytest.mark.parametrize("body", [Send(b"<html>Hi</html>"), Send(b"{}"), Send(b'{"input_tokens":"many"}'), Send(b"")])
async def test_a_count_that_is_none_is_malformed(body: Send) -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.on("/v1/messages/count_tokens", Reply((Head(), body)))
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask(call(stream=False, operation=Operation.COUNT_TOKENS))
    assert raised.value.kind is ErrorKind.MALFORMED


async def test_opens_with_the_first_content_and_not_before() -> None:
    start, first = Signal(), Signal()
    opening, delta, *rest = block(0, text("Hi"))
    async with Upstream() as upstream, rig(config(upstream.url)) as live, AsyncExitStack() as stack:
        steps = (message_start(MODEL), Pause(start), opening, Pause(first), delta)
        upstream.script(stream(*steps, *rest, message_delta(), message_stop()))
        asking = asyncio.ensure_future(live.open(call(), stack))
        await upstream.request()
        start.set()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asking), 0.05)
        first.set()
        answer = await asyncio.wait_for(asking, BOUND)
        assert isinstance(answer, StreamAnswer)
        assert answer.held.count(b"content_block_delta") >= 1
        assert answer.held.startswith(b"event: message_start")
        held = answer.held
        while not answer.reader.ended:
            held += await answer.more()
        assert held.endswith(message_stop())


async def test_a_slow_stream_outlives_the_time_to_the_first_token() -> None:
    async with Upstream() as upstream, rig(config(upstream.url, timeouts=quick(first_token=0.5))) as live:
        sent = frames(MODEL, [text("Hi")])
        upstream.script(stream(*sent[:4], Pause(0.6), *sent[4:]))
        assert await live.ask() == b"".join(sent)


async def test_each_piece_of_a_whole_answer_gives_it_more_time() -> None:
    body = json.dumps({"content": [], "model": MODEL}).encode()
    pieces = [step for at in range(0, len(body), 12) for step in (Send(body[at : at + 12]), Pause(0.15))]
    async with Upstream() as upstream, rig(config(upstream.url, timeouts=quick(read=0.5))) as live:
        upstream.script(Reply((Head(), *pieces)))
        assert await live.ask(call(stream=False)) == body


async def test_no_read_timeout_waits() -> None:
    async with Upstream() as upstream, rig(config(upstream.url, timeouts=quick(read=None))) as live:
        upstream.always(message(text("Hi")))
        assert b'"Hi"' in await live.ask(call(stream=False))
        assert (await live.ask()).endswith(message_stop())


@pytest.mark.parametrize("whole", [False, True])
async def test_a_compressed_answer_is_read_all_the_same(whole: bool) -> None:
    raw = json.dumps({"model": MODEL, "content": []}).encode() if whole else b"".join(frames(MODEL, BLOCKS))
    head = Head(
        200, (("content-encoding", "gzip"), ("content-type", "application/json" if whole else "text/event-stream"))
    )
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(Reply((head, Send(gzip.compress(raw)))))
        assert await live.ask(call(stream=not whole)) == raw
        assert upstream.requests[0].header("accept-encoding") == "identity"


async def test_tiny_writes_make_the_same_answer() -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        sent = frames(MODEL, BLOCKS)
        upstream.script(stream(*sent).split_every(3))
        assert await live.ask() == b"".join(sent)


async def test_a_finished_stream_leaves_its_connection_for_the_next() -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.always(message(*BLOCKS))
        for _ in range(4):
            await live.ask()
        await live.ask(call(stream=False))
    assert upstream.accepted == 1


async def test_lingering_takes_what_still_comes() -> None:
    go = Signal()
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(stream(*frames(MODEL, [text("Hi")]), Pause(go), b"data: [DONE]\n\n"), message(text("again")))
        async with AsyncExitStack() as stack:
            answer = await live.open(call(), stack)
            assert isinstance(answer, StreamAnswer)
            while not answer.reader.ended:
                await answer.more()
            go.set()
            await answer.linger(BOUND)
        await live.ask()
        assert upstream.accepted == 1


async def test_lingering_ends_in_time_where_the_upstream_does_not() -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live, AsyncExitStack() as stack:
        upstream.script(stream(*frames(MODEL, [text("Hi")]), Hang()))
        answer = await live.open(call(), stack)
        assert isinstance(answer, StreamAnswer)
        while not answer.reader.ended:
            await answer.more()
        await asyncio.wait_for(answer.linger(0.05), BOUND)
        await stack.aclose()
        await upstream.requests[0].gone.wait()


async def test_leaving_early_closes_the_upstream_and_gives_the_key_back() -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        upstream.script(stream(*frames(MODEL, [text("Hi")])[:4], Hang()))
        async with AsyncExitStack() as stack:
            await live.open(call(), stack)
            assert live.in_flight == 1
        assert live.in_flight == 0
        await upstream.requests[0].gone.wait()


@pytest.mark.parametrize("answered", [0, 1, 2, 5])
async def test_cancelling_at_any_point_closes_the_upstream_and_gives_the_key_back(answered: int) -> None:
    async with Upstream() as upstream, rig(config(upstream.url)) as live:
        sent = frames(MODEL, [text("Hi")])[:answered]
        upstream.script(stream(*sent, Hang()) if sent else Reply((Hang(),)))
        asking = asyncio.ensure_future(live.ask())
        request = await upstream.request()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asking), 0.05)
        assert live.in_flight == 1
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await request.gone.wait()
        assert live.in_flight == 0
    assert (live.record.outcome, live.record.reason) == ("abandoned", "")
    assert live.watcher.told[-1] == ("ended", "acme-01", "abandoned", "")


async def test_keys_serve_in_turn() -> None:
    keys = tuple(KeySource(Secret(f"k{number}"), "ACME_API_KEYS") for number in range(3))
    async with Upstream() as upstream, rig(config(upstream.url, keys=keys)) as live:
        upstream.always(message(text("Hi")))
        for _ in range(6):
            await live.ask()
    assert [request.header("x-api-key") for request in upstream.requests] == ["k0", "k1", "k2"] * 2


async def test_many_calls_at_once_spread_over_the_keys() -> None:
    keys = tuple(KeySource(Secret(f"k{number}"), "ACME_API_KEYS") for number in range(3))
    go = Signal()
    async with Upstream() as upstream, rig(config(upstream.url, keys=keys)) as live:
        sent = frames(MODEL, [text("Hi")])
        upstream.always(stream(*sent[:4], Pause(go), *sent[4:]))
        asking = [asyncio.ensure_future(live.ask()) for _ in range(30)]
        await upstream.arrival(30).wait()
        assert [key.in_flight for key in live.pool.keys] == [10, 10, 10]
        go.set()
        assert await asyncio.gather(*asking) == [b"".join(sent)] * 30
        assert live.in_flight == 0


async def test_a_provider_without_a_key_sends_none() -> None:
    async with Upstream() as upstream, rig(config(upstream.url, keys=(), spec=replace(SPEC, local=True))) as live:
        upstream.script(message(text("Hi")))
        await live.ask()
        assert live.pool.keys[0].label == "acme"
    headers = {name.lower() for name, _ in upstream.requests[0].headers}
    assert not headers & {"x-api-key", "authorization"}
