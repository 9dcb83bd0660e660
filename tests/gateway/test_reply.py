"""What owns a call: streams that break after their first content, the exit stack, and the watch for the client."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.reply import ClientWatch
from providers.unwinding import ShieldedStack
from tests.gateway_process import upstream_env
from tests.serving import AT_ONCE, Gateway, Wire, ask, post, serving
from tests.upstream import (
    Cut,
    Hang,
    Pause,
    Raw,
    Reply,
    Reset,
    Signal,
    Step,
    Upstream,
    block,
    block_delta,
    block_start,
    error_event,
    frames,
    message_delta,
    message_start,
    ping,
    stream,
    text,
    tool_use,
)
from tests.upstream.bare_client import connected

START = message_start("claude-opus-4-8")
HALF = (START, *block(0, text("The first half"))[:-1])
WHOLE_BLOCK = (START, *block(0, text("The first half")))
DISCONNECT = {"type": "http.disconnect"}

BREAKS: dict[str, tuple[tuple[bytes | Step, ...], str]] = {
    "FIN in a block": ((*HALF, Cut()), "api_error"),
    "clean end in a block": (HALF, "api_error"),
    "FIN after a block": ((*WHOLE_BLOCK, Cut()), "api_error"),
    "clean end after a block": (WHOLE_BLOCK, "api_error"),
    "clean end after a stop reason in a block": ((*HALF, message_delta()), "api_error"),
    "FIN in a frame": ((*HALF, ping()[:9], Cut()), "api_error"),
    "error event": ((*HALF, error_event("api_error", "their words")), "api_error"),
    "overloaded event": ((*WHOLE_BLOCK, error_event("overloaded_error", "their words")), "overloaded_error"),
    "error event, then more": ((*HALF, error_event("rate_limit_error", "their words"), *HALF[2:]), "rate_limit_error"),
    "FIN in a tool's arguments": ((START, *block(0, tool_use("Bash", {"command": "rm"}))[:-2], Cut()), "api_error"),
    "a message_delta that is no JSON": ((*HALF, b"event: message_delta\ndata: {\n\n"), "api_error"),
}


def events(body: bytes) -> list[Any]:
    """The data of every event, whose name must be its type."""
    found = []
    for frame in body.decode().split("\n\n")[:-1]:
        name, data = frame.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def broken(body: bytes, kind: str) -> list[str]:
    """The event types of a stream that ends with an error of this kind, and with nothing after it."""
    found = events(body)
    names = [event["type"] for event in found]
    assert names[0] == "message_start"
    assert names.count("message_start") == 1
    assert names.count("error") == 1
    assert names[-1] == "error"
    assert "message_stop" not in names
    assert found[-1]["error"]["type"] == kind
    assert found[-1]["error"]["message"]
    return names


@pytest.mark.parametrize(("parts", "kind"), BREAKS.values(), ids=BREAKS)
async def test_a_stream_that_breaks_ends_with_an_error_event(
    gateway: Gateway, client: httpx.AsyncClient, upstream: Upstream, parts: tuple[bytes | Step, ...], kind: str
) -> None:
    upstream.script(stream(*parts))
    reply = await client.post("/v1/messages", json=ask(stream=True))
    assert reply.status_code == 200
    names = broken(reply.content, kind)
    closed = sum(b"content_block_stop" in part for part in parts if isinstance(part, bytes))
    assert names.count("content_block_stop") == closed
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages", outcome="cut") == 1
    assert await gateway.metric("keyturn_inflight", provider="anthropic") == 0


async def test_a_reset_after_content(gateway: Gateway, upstream: Upstream) -> None:
    read = Signal()
    upstream.script(stream(*HALF, Pause(read), Reset()))
    async with connected(gateway.port) as client:
        client.write(post(json.dumps(ask(stream=True)).encode()))
        await client.until(HALF[-1])
        read.set()  # what was sent has been read: a reset may discard the rest
        end = await client.until(b"0\r\n\r\n")
    assert b"event: error\n" in end
    assert b"message_stop" not in end


async def test_junk_between_chunks(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(stream(*HALF, Raw(b"zz\r\n"), Cut()))
    async with connected(gateway.port) as client:
        client.write(post(json.dumps(ask(stream=True)).encode()))
        await client.until(HALF[-1])
        async with asyncio.timeout(AT_ONCE):
            end = await client.until(b"0\r\n\r\n")
    assert b"event: error\n" in end


async def test_a_stall_after_content(tmp_path: Path, upstream: Upstream) -> None:
    upstream.script(stream(*HALF, Hang()))
    environ = upstream_env(upstream.url) | {"HTTP_READ_TIMEOUT": "0.1"}
    async with serving(tmp_path, environ) as gateway, gateway.client() as client:
        reply = await client.post("/v1/messages", json=ask(stream=True))
        await upstream.requests[0].gone.wait(AT_ONCE)
        assert await gateway.metric("keyturn_attempts_total", reason="stalled") == 1
    broken(reply.content, "timeout_error")
    assert "0.1 seconds" in events(reply.content)[-1]["error"]["message"]


async def test_silence_without_a_limit_is_waited_for(tmp_path: Path, upstream: Upstream) -> None:
    more = Signal()
    written = frames("claude-opus-4-8", [text("Late")])
    upstream.script(stream(*written[:-3], Pause(more), *written[-3:]))
    environ = upstream_env(upstream.url) | {"HTTP_READ_TIMEOUT": "off"}
    async with serving(tmp_path, environ) as gateway, connected(gateway.port) as client:
        client.write(post(json.dumps(ask(stream=True)).encode()))
        await client.until(written[-4])
        more.set()
        assert (await client.until(b"0\r\n\r\n")).count(b"message_stop") == 2  # its name and its type


async def test_the_clients_bytes_before_an_error_event_are_all_the_upstream_sent(
    client: httpx.AsyncClient, upstream: Upstream
) -> None:
    upstream.script(stream(*HALF, error_event("api_error", "their words")))
    reply = await client.post("/v1/messages", json=ask(stream=True))
    sent, _, error = reply.content.partition(b"event: error\n")
    assert sent == b"".join(HALF)
    assert b"their words" in error


@pytest.mark.parametrize("after", [(), (Hang(),), (ping(), Hang()), (Cut(),)], ids=["end", "hang", "ping", "cut"])
async def test_a_finished_stream_ends_at_once(
    gateway: Gateway, upstream: Upstream, after: tuple[bytes | Step, ...]
) -> None:
    written = frames("claude-opus-4-8", [text("Hello")])
    upstream.script(stream(*written, *after))
    async with connected(gateway.port) as client:
        client.write(post(json.dumps(ask(stream=True)).encode()))
        _, body = await client.answer()
        # an upstream that does not close may be waited for, but not by the client
        assert Hang() not in after or not upstream.requests[0].gone.is_set()
    assert body == b"".join(written)
    await gateway.settled()
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages", outcome="ok") == 1
    assert await gateway.metric("keyturn_inflight", provider="anthropic") == 0


async def test_nothing_of_a_finished_answer_follows_its_end(client: httpx.AsyncClient, upstream: Upstream) -> None:
    written = frames("claude-opus-4-8", [text("Hello")])
    upstream.script(stream(b"".join([*written, *written])))
    reply = await client.post("/v1/messages", json=ask(stream=True))
    assert reply.content == b"".join(written)


async def test_a_client_that_reads_slowly_slows_the_upstream_down(gateway: Gateway, upstream: Upstream) -> None:
    """A stream is never collected in memory: what the client does not take, the upstream keeps."""
    piece = block_delta(0, {"type": "text_delta", "text": "x" * (1 << 20)})
    upstream.script(stream(START, block_start(0, text("x")), *[piece] * 32))
    async with connected(gateway.port) as client:
        client.write(post(json.dumps(ask(stream=True)).encode(), connection="close"))
        await client.until(b"message_start")
        request = upstream.requests[0]
        with pytest.raises(TimeoutError):
            await request.answered.wait(0.2)
        got = await client.rest()
    assert len(got) > 32 << 20
    assert b"event: error" in got


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_server_that_gives_up_draining_lets_go_of_the_upstream(
    gateway: Gateway, upstream: Upstream, streamed: bool
) -> None:
    """uvicorn cancels what is still open when DRAIN_TIMEOUT is over: nothing hangs, and nothing looks finished."""
    upstream.script(stream(*HALF, Hang()) if streamed else Reply((Hang(),)))
    async with connected(gateway.port) as client:
        client.write(post(json.dumps(ask(stream=streamed)).encode()))
        request = await upstream.request()
        if streamed:
            await client.until(HALF[-1])
        for task in gateway.server.server_state.tasks:
            task.cancel()
        await request.gone.wait(AT_ONCE)
        assert b"message_stop" not in await client.rest()
    await gateway.settled()
    assert await gateway.metric("keyturn_inflight", provider="anthropic") == 0
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages", outcome="ok") == 0
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages", outcome="client_gone") == 0


class Boom(Exception):
    pass


async def test_the_stack_unwinds_to_its_end_while_it_is_cancelled_twice() -> None:
    done: list[str] = []
    entered, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        entered.set()
        await go.wait()
        done.append("slow")

    async def owner() -> None:
        async with ShieldedStack() as stack:
            stack.callback(done.append, "last")
            stack.push_async_callback(slow)

    task = asyncio.create_task(owner())
    await entered.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.wait([task], timeout=0.01)
        assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["slow", "last"]
    assert task.cancelled()


async def test_the_stack_unwinds_when_its_body_is_cancelled_and_again_while_unwinding() -> None:
    done: list[str] = []
    body, unwinding, go = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        unwinding.set()
        await go.wait()
        done.append("slow")

    async def owner() -> None:
        async with ShieldedStack() as stack:
            stack.push_async_callback(slow)
            body.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(owner())
    await body.wait()
    task.cancel()
    await unwinding.wait()
    task.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["slow"]


async def test_a_callback_that_raises_does_not_stop_the_others() -> None:
    done: list[str] = []

    async def fails() -> None:
        raise Boom

    async def owner() -> None:
        async with ShieldedStack() as stack:
            stack.callback(done.append, "below")
            stack.push_async_callback(fails)
            stack.callback(done.append, "above")

    with pytest.raises(Boom):
        await owner()
    assert done == ["above", "below"]


async def test_a_callback_that_raises_while_the_body_raised_keeps_both() -> None:
    async def fails() -> None:
        raise Boom("unwinding")

    async def body() -> None:
        async with ShieldedStack() as stack:
            stack.push_async_callback(fails)
            raise ValueError("body")

    with pytest.raises(Boom) as raised:
        await body()
    assert isinstance(raised.value.__context__, ValueError)


async def test_a_callback_that_raises_while_being_cancelled_is_not_lost() -> None:
    unwinding, go = asyncio.Event(), asyncio.Event()

    async def fails() -> None:
        unwinding.set()
        await go.wait()
        raise Boom

    async def owner() -> None:
        async with ShieldedStack() as stack:
            stack.push_async_callback(fails)

    task = asyncio.create_task(owner())
    await unwinding.wait()
    task.cancel()
    go.set()
    with pytest.raises(Boom):
        await task


async def test_the_stack_lets_the_bodys_error_through_and_can_swallow_it() -> None:
    with pytest.raises(Boom):
        async with ShieldedStack():
            raise Boom
    async with ShieldedStack() as stack:
        stack.enter_context(suppress(Boom))
        raise Boom


async def test_the_watch_cancels_its_owner_when_the_client_leaves() -> None:
    wire = Wire([{"type": "http.request", "body": b"late"}, DISCONNECT])
    async with ClientWatch(wire.receive) as watch:
        await asyncio.Event().wait()
    assert watch.gone
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_clean_exit_leaves_no_watcher_behind() -> None:
    before = asyncio.all_tasks()
    async with ClientWatch(Wire().receive) as watch:
        [watching] = asyncio.all_tasks() - before
    await asyncio.wait([watching], timeout=AT_ONCE)
    assert watching.cancelled()
    assert not watch.gone


async def test_the_servers_own_cancellation_is_not_swallowed() -> None:
    entered = asyncio.Event()
    reached: list[str] = []

    async def owner() -> None:
        async with ClientWatch(Wire().receive):
            entered.set()
            await asyncio.Event().wait()
        reached.append("after")

    task = asyncio.create_task(owner())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reached == []


async def test_both_at_once_count_as_the_servers() -> None:
    """A shutdown that cancels a request whose client leaves at the same moment must end the request."""
    entered, gone = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return DISCONNECT

    async def owner() -> None:
        async with ClientWatch(receive):
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                # cleaning up takes a moment, in which the second of the two comes
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()

    task = asyncio.create_task(owner())
    await entered.wait()
    gone.set()
    await asyncio.wait([task], timeout=0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_disconnect_after_the_reply_is_whole_is_none() -> None:
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return DISCONNECT

    async with ClientWatch(receive) as watch:
        watch.stop()
        gone.set()
        await asyncio.wait([asyncio.ensure_future(gone.wait())])
    assert not watch.gone


async def test_an_error_of_the_body_passes_the_watch() -> None:
    with pytest.raises(Boom):
        async with ClientWatch(Wire().receive):
            raise Boom
