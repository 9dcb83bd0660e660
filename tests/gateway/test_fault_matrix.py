"""Every fault before the first content, in both dialects, streamed and whole, in three places.

With another key the client sees nothing of it, nor with another target; alone it gets the status and the words that
make it do the right thing. Whatever happens, all that the call held comes back.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import httpx
import pytest

from tests.gateway.fault_shapes import SHAPES, Verdict, Way
from tests.gateway.faults import BAD, SPARE, Rig, Samples, answered, late, refused, rigged, total
from tests.gateway.voices import VOICES
from tests.upstream import Reply, refusing
from tests.virtual_http import in_virtual_time

WAYS = [Way(voice, streamed) for voice, streamed in product(VOICES, (True, False))]
EVERY_WAY = pytest.mark.parametrize("way", WAYS, ids=str)
# One slot shows that it is given back; a failure before any sign of life is a status.
LIMITS = {"PROVIDER_MAX_CONCURRENCY": "1", "PROVIDER_MAX_RETRIES": "2", "STREAM_KEEPALIVE_AFTER": "1000"}
CASES = [
    pytest.param(way, *fault, id=f"{name}-{way}")
    for name, shape in SHAPES.items()
    for way in WAYS
    if (fault := shape(way))
]
EVERY_FAULT = pytest.mark.parametrize(("way", "reply", "verdict"), CASES)


def test_the_matrix_is_large_enough() -> None:
    for way in WAYS:
        assert sum(shape(way) is not None for shape in SHAPES.values()) >= 40


@EVERY_FAULT
@in_virtual_time
async def test_another_key_is_free(tmp_path: Path, way: Way, reply: Reply, verdict: Verdict) -> None:
    async with rigged(tmp_path, way.voice, environ=LIMITS) as rig:
        rig.primary.answers[BAD] = reply
        began = rig.now
        got = await rig.post(way.streamed)
        assert rig.now - began == (verdict.takes if verdict.other_key else 0)
        if verdict.other_key:
            answered(got, way.streamed)
            assert rig.primary.asked_with == [BAD, SPARE]
            _told(got, rig, attempts=2, key=2)
        else:
            _failed(got, verdict)
            assert rig.primary.asked_with == [BAD]
        await rig.came_back()
        await _rested(rig, verdict)
        _recorded(rig, await rig.metrics(), verdict)
        await rig.serves_again()


@EVERY_FAULT
@in_virtual_time
async def test_another_target_is_free(tmp_path: Path, way: Way, reply: Reply, verdict: Verdict) -> None:
    async with rigged(tmp_path, way.voice, [BAD], fallback=True, environ=LIMITS) as rig:
        rig.primary.answers[BAD] = reply
        got = await rig.post(way.streamed)
        assert rig.primary.asked_with == [BAD] * verdict.before_fallback
        if verdict.other_target:
            answered(got, way.streamed)
            assert rig.fallback.asked_with == ["sk-fallback"]
            assert got.headers["x-keyturn-provider"] == rig.fallback.voice.provider
            assert got.headers["x-keyturn-attempts"] == str(verdict.before_fallback + 1)
        else:
            _failed(got, verdict)
            assert rig.fallback.asked_with == []
        assert rig.moments.slept == [2.0] * (verdict.before_fallback - 1)
        await rig.came_back()


@EVERY_FAULT
@in_virtual_time
async def test_nothing_else_is_free(tmp_path: Path, way: Way, reply: Reply, verdict: Verdict) -> None:
    async with rigged(tmp_path, way.voice, [BAD], environ=LIMITS) as rig:
        rig.primary.answers[BAD] = reply
        got = await rig.post(way.streamed)
        _failed(got, verdict)
        assert rig.primary.asked_with == [BAD] * verdict.alone
        _told(got, rig, attempts=verdict.alone, key=1)
        await rig.came_back()


@EVERY_WAY
@in_virtual_time
async def test_a_server_that_is_off(tmp_path: Path, way: Way) -> None:
    with refusing() as url:
        environ = {**LIMITS, **way.voice.environ(url, [BAD, SPARE])}
        async with rigged(tmp_path, way.voice, environ=environ) as rig:
            got = await rig.post(way.streamed)
            assert "the connection was refused" in refused(got, 502, "api_error")
            assert (got.headers["x-keyturn-attempts"], rig.moments.slept) == ("4", [2.0, 4.0])
            assert set((await rig.pool.states()).values()) == {"ready"}
            await rig.came_back()


@EVERY_WAY
@in_virtual_time
async def test_a_server_that_is_off_and_a_fallback(tmp_path: Path, way: Way) -> None:
    with refusing() as url:
        environ = {**LIMITS, **way.voice.environ(url, [BAD])}
        async with rigged(tmp_path, way.voice, fallback=True, environ=environ) as rig:
            answered(await rig.post(way.streamed), way.streamed)
            assert (rig.fallback.asked_with, rig.moments.slept) == (["sk-fallback"], [])
            await rig.came_back()


@EVERY_WAY
@in_virtual_time
async def test_a_slow_first_token(tmp_path: Path, way: Way) -> None:
    """Where nothing else is free it is waited for; a whole answer has no first token."""
    moved = way.sse
    for keys, fallback, takes in (([BAD, SPARE], False, 120), ([BAD], True, 120), ([BAD], False, 170)):
        async with rigged(tmp_path, way.voice, keys, fallback, environ=LIMITS) as rig:
            rig.primary.answers[BAD] = late(way.voice.good(), 170)
            began = rig.now
            got = await rig.post(way.streamed)
            answered(got, way.streamed)
            assert rig.now - began == (takes if moved else 170)
            assert got.headers["x-keyturn-attempts"] == ("2" if moved and takes == 120 else "1")
            await rig.came_back()


def _failed(reply: httpx.Response, verdict: Verdict) -> None:
    refused(reply, verdict.status, verdict.type)
    assert reply.headers.get("retry-after") == verdict.retry_after
    assert reply.headers.get("x-should-retry") == verdict.should_retry


def _told(reply: httpx.Response, rig: Rig, attempts: int, key: int) -> None:
    provider = rig.primary.voice.provider
    assert reply.headers["x-keyturn-provider"] == provider
    assert reply.headers["x-keyturn-model"] == rig.primary.voice.model
    assert reply.headers["x-keyturn-key"] == f"{provider}-{key:02}"
    assert reply.headers["x-keyturn-attempts"] == str(attempts)


def _recorded(rig: Rig, samples: Samples, verdict: Verdict) -> None:
    """The one failure of the first key."""
    first = {"provider": rig.primary.voice.provider, "key": rig.primary.voice.provider + "-01"}
    assert total(samples, "keyturn_attempts_total", **first, outcome="failed", reason=verdict.reason) == 1
    assert total(samples, "keyturn_attempts_total", provider=first["provider"]) == len(rig.primary.asked_with)
    assert total(samples, "keyturn_key_state", **first, state=verdict.state) == 1
    assert total(samples, "keyturn_inflight") == 0


async def _rested(rig: Rig, verdict: Verdict) -> None:
    """The key rests as long as it should and for what it should, and no other does."""
    snapshot = await rig.pool.snapshot()
    first, second = snapshot.keys
    rests = [("model" if rest.model else "key", rest.seconds) for rest in first.rests]
    rests += [("account", rest.seconds) for rest in snapshot.rests if rest.account]
    assert rests == ([verdict.rest] if verdict.rest else [])
    assert [rest.seconds for rest in snapshot.rests if not rest.account] == []
    assert (first.label, second.rests) == (f"{rig.primary.voice.provider}-01", ())
    assert list((await rig.pool.states()).values()) == [verdict.state, "ready"]
