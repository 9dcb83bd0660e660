"""A stream that waits for long: signs of life for the client, another key or target still possible, one message."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import upstream as messages
from tests.gateway.faults import BAD, SPARE, Rig, events, late, of_type, one_start, rigged, text_of
from tests.gateway.voices import ARGUMENTS, CHAT, GOOD, MESSAGES, VOICES, Voice
from tests.serving import AT_ONCE, Json, ask, leave, post
from tests.upstream import Answer, Cut, Hang, Pause, Reply, Request
from tests.upstream import openai_chat as chat
from tests.upstream.bare_client import Client, connected
from tests.virtual_http import in_virtual_time

LONG = {"REQUEST_DEADLINE": "900", "FIRST_TOKEN_TIMEOUT": "800"}
SILENT = messages.stream(
    *(frame for frame in messages.frames("m", [messages.text(GOOD)]) if b"ping" not in frame)
)  # its upstream sends no ping
EVERY_VOICE = pytest.mark.parametrize("voice", VOICES, ids=str)


@dataclass
class Seen:
    """What came of a call: the head, and every event with the seconds after which it came."""

    head: bytes = b""
    parts: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    @property
    def events(self) -> list[Json]:
        return events(b"".join(data for _, data in self.parts))

    def times(self, kind: str) -> list[float]:
        return [at for at, data in self.parts for event in events(data) if event["type"] == kind]


@asynccontextmanager
async def asking(rig: Rig, streamed: bool = True) -> AsyncIterator[Client]:
    async with connected(rig.gateway.port) as client:
        client.write(post(json.dumps(ask(stream=streamed)).encode()))
        yield client


async def seen(rig: Rig) -> Seen:
    """A streamed call, to its end."""
    found, began = Seen(), rig.now
    async with asking(rig) as client:
        found.head = await client.reader.readuntil(b"\r\n\r\n")
        while size := int(await client.reader.readuntil(b"\r\n"), 16):
            found.parts.append((rig.now - began, (await client.reader.readexactly(size + 2))[:-2]))
    return found


@EVERY_VOICE
@in_virtual_time
async def test_pings_until_the_answer_comes(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, [BAD]) as rig:
        rig.primary.answers[BAD] = late(voice.good(), 95)
        found = await seen(rig)
        assert found.status == 200
        assert b"content-type: text/event-stream" in found.head
        assert found.times("ping")[:7] == [30, 40, 50, 60, 70, 80, 90]
        assert found.times("message_start") == [95]
        one_start(found.events)
        assert text_of(found.events) == GOOD
        assert found.events[-1]["type"] == "message_stop"
        await rig.came_back()


@in_virtual_time
async def test_the_moment_of_the_first_ping_is_a_setting(tmp_path: Path) -> None:
    async with rigged(tmp_path, MESSAGES, [BAD], environ={"STREAM_KEEPALIVE_AFTER": "1"}) as rig:
        rig.primary.answers[BAD] = late(SILENT, 5)
        assert (await seen(rig)).times("ping") == [1]


@in_virtual_time
async def test_an_answer_that_has_begun_gets_no_pings_of_ours(tmp_path: Path) -> None:
    async with rigged(tmp_path, CHAT, [BAD]) as rig:
        written = chat.frames("gpt-5", [chat.text(GOOD)])
        rig.primary.answers[BAD] = chat.stream(*written[:2], Pause(150), *written[2:])
        found = await seen(rig)
        assert text_of(found.events) == GOOD
        assert found.times("ping") == []


@EVERY_VOICE
@in_virtual_time
async def test_another_key_is_asked_after_pings(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, environ={"FIRST_TOKEN_TIMEOUT": "65"}) as rig:
        rig.primary.answers[BAD] = voice.stream(voice.start, Hang())
        found = await seen(rig)
        assert (found.status, found.times("ping")[:4], found.times("message_start")) == (200, [30, 40, 50, 60], [65])
        one_start(found.events)
        assert text_of(found.events) == GOOD
        assert rig.primary.asked_with == [BAD, SPARE]
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_another_target_is_asked_after_pings(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, [BAD], fallback=True) as rig:
        rig.primary.answers[BAD] = late(voice.refusal(401, "authentication_error", "invalid key"), 45)
        found = await seen(rig)
        assert (found.times("ping")[:2], found.times("message_start")) == ([30, 40], [45])
        assert text_of(found.events) == GOOD
        assert (rig.primary.asked_with, rig.fallback.asked_with) == ([BAD], ["sk-fallback"])
        await rig.came_back()


FAILURES: dict[str, tuple[Callable[[Voice], Answer], str]] = {
    "key": (lambda voice: voice.refusal(401, "authentication_error", "invalid key"), "api_error"),
    "request": (lambda voice: voice.refusal(400, "invalid_request_error", "bad"), "invalid_request_error"),
    "limit": (
        lambda voice: voice.refusal(429, "rate_limit_error", "slow", [("retry-after", "900")]),
        "rate_limit_error",
    ),
    "overload": (lambda voice: voice.refusal(529, "overloaded_error", "Overloaded"), "overloaded_error"),
    "cut": (lambda voice: Reply((Cut(),)), "api_error"),
}


@pytest.mark.parametrize(("failure", "kind"), FAILURES.values(), ids=FAILURES)
@EVERY_VOICE
@in_virtual_time
async def test_a_failure_after_pings_is_an_event(
    tmp_path: Path, voice: Voice, failure: Callable[[Voice], Answer], kind: str
) -> None:
    async with rigged(tmp_path, voice, [BAD], environ={"PROVIDER_MAX_RETRIES": "0"}) as rig:
        rig.primary.answers[BAD] = late(failure(voice), 55)
        found = await seen(rig)
        assert [event["type"] for event in found.events] == ["ping", "ping", "ping", "error"]
        assert (found.status, found.times("error")) == (200, [55])
        assert found.events[-1]["error"]["type"] == kind
        assert rig.primary.asked_with == [BAD]
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_after_four_minutes_the_message_is_begun(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, [BAD], environ=LONG) as rig:
        rig.primary.answers[BAD] = late(voice.good(), 275)
        found = await seen(rig)
        assert found.times("ping")[:21] == [30 + 10 * number for number in range(21)]
        assert found.times("message_start") == found.times("content_block_start") == [240]
        assert found.times("content_block_delta")[:5] == [240, 250, 260, 270, 275]
        one_start(found.events)
        assert text_of(found.events) == GOOD
        assert len(of_type(found.events, "content_block_stop")) == 1
        assert of_type(found.events, "message_start")[0]["message"]["model"] == "claude-opus-4-8"
        [end] = of_type(found.events, "message_delta")
        assert end["usage"]["input_tokens"] == (11 if voice is MESSAGES else 16)  # 5 of 21 came from a cache
        assert found.events[-1]["type"] == "message_stop"
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_a_tool_call_follows_our_empty_block(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, [BAD], environ=LONG) as rig:
        rig.primary.answers[BAD] = late(voice.tool(), 245)
        found = (await seen(rig)).events
        one_start(found)
        starts = [(event["index"], event["content_block"]["type"]) for event in of_type(found, "content_block_start")]
        assert starts == [(0, "text"), (1, "tool_use")]
        assert [event["index"] for event in of_type(found, "content_block_stop")] == [0, 1]
        fragments = [event["delta"].get("partial_json", "") for event in of_type(found, "content_block_delta")]
        assert json.loads("".join(fragments)) == ARGUMENTS
        assert of_type(found, "message_delta")[0]["delta"]["stop_reason"] == "tool_use"


@EVERY_VOICE
@in_virtual_time
async def test_another_key_continues_the_message_that_was_begun(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, environ={**LONG, "FIRST_TOKEN_TIMEOUT": "262"}) as rig:
        rig.primary.answers[BAD] = voice.stream(voice.start, Hang())
        rig.primary.answers[SPARE] = late(voice.good(), 20)
        found = await seen(rig)
        one_start(found.events)
        assert text_of(found.events) == GOOD
        assert rig.primary.asked_with == [BAD, SPARE]
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_a_failure_after_the_message_was_begun(tmp_path: Path, voice: Voice) -> None:
    environ = {**LONG, "PROVIDER_MAX_RETRIES": "0"}
    async with rigged(tmp_path, voice, [BAD], environ=environ) as rig:
        rig.primary.answers[BAD] = late(voice.refusal(500, "api_error", "oops"), 265)
        found = (await seen(rig)).events
        one_start(found)
        assert of_type(found, "content_block_stop") == []
        assert (found[-1]["type"], found[-1]["error"]["type"]) == ("error", "api_error")
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_a_cut_in_an_answer_that_was_joined(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, environ=LONG) as rig:
        rig.primary.answers[BAD] = late(voice.stream(*voice.half, Cut()), 245)
        found = (await seen(rig)).events
        one_start(found)
        assert of_type(found, "content_block_stop") == []
        assert found[-1]["type"] == "error"
        assert rig.primary.asked_with == [BAD]
        await rig.came_back()


@pytest.mark.parametrize("after", [35, 75, 245], ids=["in the first ping's wake", "amid pings", "after our start"])
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
@EVERY_VOICE
@in_virtual_time
async def test_a_client_that_leaves_while_it_is_kept_alive(
    tmp_path: Path, voice: Voice, reset: bool, after: float
) -> None:
    async with rigged(tmp_path, voice, [BAD], environ={**LONG, "PROVIDER_MAX_CONCURRENCY": "1"}) as rig:
        rig.primary.answers[BAD] = Reply((Hang(),))
        async with asking(rig) as client:
            await client.reader.readuntil(b'{"type":"ping"}')
            await rig.moments.sleep(after - 30)
            leave(client.writer, reset)
            await (await rig.primary.server.request()).gone.wait(AT_ONCE)
        await rig.came_back()
        assert await rig.gateway.metric("keyturn_requests_total", outcome="client_gone") == 1
        await rig.serves_again()


@EVERY_VOICE
@in_virtual_time
async def test_a_whole_call_gets_nothing_before_its_answer(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, [BAD], environ=LONG) as rig:
        rig.primary.answers[BAD] = late(voice.good(), 175)
        began = rig.now
        async with asking(rig, streamed=False) as client:
            first = await client.reader.readexactly(1)
            assert (first, rig.now - began) == (b"H", 175)
            head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"application/json" in head
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_a_call_that_waits_for_its_turn_is_kept_alive(tmp_path: Path, voice: Voice) -> None:
    environ = {"PROVIDER_MAX_CONCURRENCY": "1", "STREAM_KEEPALIVE_AFTER": "5"}
    async with rigged(tmp_path, voice, [BAD], environ=environ) as rig:
        rig.primary.answers[BAD] = late(voice.good(), 18)
        async with asking(rig) as first:
            await rig.primary.server.request()
            found = await seen(rig)
            assert found.times("ping")[:4] == [5, 15, 25, 35]
            assert found.times("message_start") == [36]
            assert b"message_stop" in await first.reader.readuntil(b"0\r\n\r\n")
        await rig.came_back()


@in_virtual_time
async def test_a_call_that_waits_for_a_limit_is_kept_alive(tmp_path: Path) -> None:
    async with rigged(tmp_path, CHAT, [BAD], environ={"STREAM_KEEPALIVE_AFTER": "5"}) as rig:
        limited = CHAT.refusal(429, "rate_limit_error", "slow down", [("retry-after", "22")])
        rig.primary.answers[BAD] = lambda request: _once(rig, limited, request)
        found = await seen(rig)
        assert (found.times("ping"), found.times("message_start")) == ([5, 15], [22])
        assert text_of(found.events) == GOOD
        await rig.came_back()


def _once(rig: Rig, first: Reply, request: Request) -> Reply:
    del rig.primary.answers[BAD]
    return first
