"""Calls that wait for a slot or for a window: in their turn, so many and so long, and then an honest 429."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.gateway.faults import BAD, Rig, answered, late, refused, rigged
from tests.gateway.voices import CHAT, VOICES, Voice
from tests.serving import ask
from tests.upstream import Hang, Pause, Reply, Request
from tests.virtual_http import in_virtual_time

EVERY_VOICE = pytest.mark.parametrize("voice", VOICES, ids=str)
EVERY_WISH = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
ONE_SLOT = {"PROVIDER_MAX_CONCURRENCY": "1", "STREAM_KEEPALIVE_AFTER": "1000"}


@asynccontextmanager
async def waiting(rig: Rig, count: int) -> AsyncIterator[list[asyncio.Task[httpx.Response]]]:
    """The only slot is taken for as long as the body runs, and so many calls wait for it."""
    holder = asyncio.ensure_future(rig.post())
    request = await rig.primary.server.request()
    rest = [asyncio.ensure_future(rig.post()) for _ in range(count)]
    for _ in range(1000):
        if gate(rig) == count:
            break
        await asyncio.sleep(0)
    assert gate(rig) == count
    rig.primary.answers.clear()
    yield rest
    request.release.set()
    await asyncio.gather(holder, *rest)


def gate(rig: Rig) -> int:
    """How many wait there."""
    return rig.registry.get(rig.primary.voice.provider).gate.waiting


def held(voice: Voice) -> Reply:
    """A good answer, whose end comes once it is released."""
    return voice.stream(*voice.half, Hang(), *voice.end)


@EVERY_WISH
@EVERY_VOICE
@in_virtual_time
async def test_a_full_queue_is_a_429_at_once(tmp_path: Path, voice: Voice, streamed: bool) -> None:
    async with rigged(tmp_path, voice, [BAD], environ={**ONE_SLOT, "QUEUE_LIMIT": "2"}) as rig:
        rig.primary.answers[BAD] = held(voice)
        async with waiting(rig, 2) as rest:
            began = rig.now
            got = await rig.post(streamed)
            assert "QUEUE_LIMIT" in refused(got, 429, "rate_limit_error")
            assert (got.headers["retry-after"], rig.now) == ("1", began)
            assert got.headers["x-keyturn-attempts"] == "0"
        for each in rest:
            answered(each.result(), streamed=True)
        assert len(rig.primary.asked_with) == 3
        await rig.came_back()


@EVERY_WISH
@EVERY_VOICE
@in_virtual_time
async def test_whoever_waits_too_long_is_told_so(tmp_path: Path, voice: Voice, streamed: bool) -> None:
    async with rigged(tmp_path, voice, [BAD], environ={**ONE_SLOT, "QUEUE_MAX_WAIT": "7"}) as rig:
        rig.primary.answers[BAD] = held(voice)
        async with waiting(rig, 0):
            began = rig.now
            got = await rig.post(streamed)
            words = refused(got, 429, "rate_limit_error")
            assert "7 seconds (QUEUE_MAX_WAIT)" in words
            assert rig.now - began == 7
            assert int(got.headers["retry-after"]) >= 1
            assert gate(rig) == 0
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_another_target_takes_whom_the_queue_does_not(tmp_path: Path, voice: Voice) -> None:
    environ = {**ONE_SLOT, "QUEUE_LIMIT": "1", "QUEUE_MAX_WAIT": "7"}
    async with rigged(tmp_path, voice, [BAD], fallback=True, environ=environ) as rig:
        rig.primary.answers[BAD] = held(voice)
        began = rig.now
        async with waiting(rig, 1) as rest:
            got = await rig.post()
            answered(got, streamed=True)
            assert (got.headers["x-keyturn-provider"], rig.now) == (rig.fallback.voice.provider, began)
            answered(await rest[0], streamed=True)
            assert rig.now - began == 7
        assert len(rig.primary.asked_with) == 1
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_a_slot_is_held_to_the_end_of_a_stream(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, [BAD], environ={**ONE_SLOT, "PROVIDER_MAX_CONCURRENCY": "2"}) as rig:
        most = 0

        def counted(request: Request) -> Reply:
            nonlocal most
            most = max(most, sum(not each.answered.is_set() for each in rig.primary.server.requests))
            return voice.stream(*voice.half, Pause(3.0), *voice.end)

        rig.primary.answers[BAD] = counted
        began = rig.now
        got = await asyncio.gather(*(rig.post() for _ in range(8)))
        assert {each.status_code for each in got} == {200}
        assert (most, rig.now - began) == (2, 12)
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_no_slot_is_held_between_repeats(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, [BAD], environ=ONE_SLOT) as rig:
        rig.primary.answers[BAD] = voice.refusal(500, "api_error", "oops")
        first = asyncio.ensure_future(rig.post())
        await (await rig.primary.server.request()).answered.wait()
        rig.primary.answers.clear()
        began = rig.now
        answered(await rig.post(), streamed=True)
        assert rig.now == began, "the first sleeps for two seconds, and the slot is free meanwhile"
        answered(await first, streamed=True)
        assert rig.moments.slept == [2.0]
        await rig.came_back()


@in_virtual_time
async def test_no_window_holds_more_than_its_rate_and_turns_are_kept(tmp_path: Path) -> None:
    environ = {"PROVIDER_RATE_LIMIT": "4", "PROVIDER_RATE_WINDOW": "8", "QUEUE_MAX_WAIT": "100"}
    environ["STREAM_KEEPALIVE_AFTER"] = "1000"
    async with rigged(tmp_path, CHAT, ["sk-1", "sk-2"], environ=environ) as rig:
        moments: list[float] = []
        order: list[str] = []

        def noted(request: Request) -> Reply:
            moments.append(rig.now)
            order.append(request.json["messages"][0]["content"])
            return CHAT.refusal(500, "api_error", "oops") if len(moments) == 3 else voiced(request)

        voiced = late(CHAT.good(), 0.5)
        rig.primary.answers = {"sk-1": noted, "sk-2": noted}
        calls = []
        for number in range(16):
            calls.append(asyncio.ensure_future(rig.post(body=ask(str(number), stream=True))))
            for _ in range(60):
                await asyncio.sleep(0)
        for each in calls:
            answered(await each, streamed=True)
        assert len(moments) == 17, "a repeat takes of the window too"
        for before, after in zip(moments, moments[4:], strict=False):
            assert after - before >= 8
        assert moments[-1] - moments[0] <= 8 * 17 / 4 * 1.4
        firsts = list(dict.fromkeys(order))
        assert firsts == [str(number) for number in range(16)]
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_a_full_queue_between_repeats_is_a_429_too(tmp_path: Path, voice: Voice) -> None:
    environ = {**ONE_SLOT, "QUEUE_LIMIT": "1", "PROVIDER_MAX_CONCURRENCY": "9"}
    async with rigged(tmp_path, voice, [BAD], environ=environ) as rig:
        rig.primary.answers[BAD] = late(voice.refusal(500, "api_error", "oops"), 1)
        got = await asyncio.gather(rig.post(), rig.post(False))
        assert {each.status_code for each in got} <= {429, 500}
        assert "Traceback" not in rig.gateway.log.text
        assert any("QUEUE_LIMIT" in each.text for each in got)
        await rig.came_back()
