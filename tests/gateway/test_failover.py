"""From one target to the next: in which order, when, and what the client hears where none helps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.gateway.faults import BAD, SPARE, Rig, answered, by_model, late, refused, rigged
from tests.gateway.voices import CHAT, MESSAGES, OTHER, VOICES, Pairs, Voice
from tests.upstream import Answer, Hang, Reply
from tests.virtual_http import in_virtual_time

FALLBACK = "sk-fallback"
EVERY_VOICE = pytest.mark.parametrize("voice", VOICES, ids=str)
EVERY_WISH = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])


def busy(voice: Voice) -> Reply:
    return voice.refusal(500, "api_error", "oops")


def unknown(voice: Voice) -> Reply:
    return voice.refusal(404, "not_found_error", "The model does not exist")


def targets(rig: Rig) -> list[tuple[str, str]]:
    """Provider and model of all calls so far, in order of arrival."""
    found = [
        (request.arrived_at, provider.voice.provider, request.model)
        for provider in (rig.primary, rig.fallback)
        for request in provider.server.requests
    ]
    return [(provider, model) for _, provider, model in sorted(found)]


@EVERY_WISH
@in_virtual_time
async def test_targets_in_their_order_over_both_dialects(tmp_path: Path, streamed: bool) -> None:
    environ = {"MODEL_FALLBACKS": "anthropic/second, openai/third, anthropic/fourth, openai/fifth"}
    async with rigged(tmp_path, CHAT, [BAD], environ=environ) as rig:
        rig.primary.answers[BAD] = unknown(CHAT)
        rig.fallback.answers[FALLBACK] = by_model({"second": unknown(MESSAGES)}, MESSAGES.good())
        got = await rig.post(streamed)
        answered(got, streamed)
        assert targets(rig) == [
            ("openai", "gpt-5"),
            ("anthropic", "second"),
            ("openai", "third"),
            ("anthropic", "fourth"),
        ]
        assert got.headers["x-keyturn-provider"] == "anthropic"
        assert got.headers["x-keyturn-model"] == "fourth"
        assert got.headers["x-keyturn-key"] == "anthropic-01"
        assert got.headers["x-keyturn-attempts"] == "4"
        await rig.came_back()


@pytest.mark.parametrize(
    ("asked", "tried"),
    [
        ("claude-opus-4-8", ["gpt-5", "for-opus", "for-all"]),
        ("claude-haiku-4-5", ["small", "for-haiku", "for-all"]),
        ("claude-sonnet-5", ["gpt-5", "for-all"]),
        ("openai/other", ["other", "for-all"]),
    ],
)
@in_virtual_time
async def test_a_tiers_own_fallbacks_come_first(tmp_path: Path, asked: str, tried: list[str]) -> None:
    environ = {
        "MODEL_HAIKU": "openai/small",
        "MODEL_OPUS_FALLBACKS": "anthropic/for-opus",
        "MODEL_HAIKU_FALLBACKS": "anthropic/for-haiku",
        "MODEL_FALLBACKS": "anthropic/for-all",
    }
    async with rigged(tmp_path, CHAT, [BAD], environ=environ) as rig:
        rig.primary.answers[BAD] = unknown(CHAT)
        rig.fallback.answers[FALLBACK] = by_model({"for-all": MESSAGES.good()}, unknown(MESSAGES))
        answered(await rig.post(body={"model": asked}), streamed=True)
        assert [model for _, model in targets(rig)] == tried


@in_virtual_time
async def test_a_provider_without_a_key_is_passed_over(tmp_path: Path) -> None:
    environ = {"MODEL": "groq/llama", "MODEL_FALLBACKS": "openai/gpt-5"}
    async with rigged(tmp_path, CHAT, [BAD], environ=environ) as rig:
        answered(await rig.post(), streamed=True)
        assert targets(rig) == [("openai", "gpt-5")]


@pytest.mark.parametrize("how", ["MODEL", "pin", "model field"])
@EVERY_WISH
@in_virtual_time
async def test_a_provider_without_a_key_alone(tmp_path: Path, how: str, streamed: bool) -> None:
    environ = {"MODEL": "groq/llama"} if how == "MODEL" else {}
    async with rigged(tmp_path, CHAT, [BAD], environ=environ) as rig:
        headers = {"x_api_key": "freecc:groq/llama"} if how == "pin" else {}
        got = await rig.post(streamed, {"model": "groq/llama"} if how == "model field" else None, headers)
        words = refused(got, 503, "api_error")
        assert "GROQ_API_KEY" in words
        assert "https://console.groq.com/keys" in words
        assert got.headers["x-should-retry"] == "false"
        assert targets(rig) == []


@EVERY_VOICE
@in_virtual_time
async def test_a_provider_that_fails_in_a_row_is_left_out_for_a_while(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, [BAD], fallback=True) as rig:
        rig.primary.answers[BAD] = busy(voice)
        for _ in range(3):
            answered(await rig.post(), streamed=True)
        asked = len(rig.primary.asked_with)
        assert asked == 5, "each call asks twice; five failures in a row are enough"
        began = rig.now
        for _ in range(20):
            answered(await rig.post(), streamed=True)
        assert (len(rig.primary.asked_with), rig.now) == (asked, began)
        rig.primary.answers[BAD] = late(voice.good(), 1)
        rig.moments.ahead += 5
        both = await asyncio.gather(rig.post(), rig.post())
        assert {each.headers["x-keyturn-provider"] for each in both} == {voice.provider, OTHER[voice.provider].provider}
        assert len(rig.primary.asked_with) == asked + 1, "one call finds out"
        assert (await rig.post()).headers["x-keyturn-provider"] == voice.provider
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_it_is_left_out_longer_each_time(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, [BAD], fallback=True) as rig:
        rig.primary.answers[BAD] = busy(voice)
        for _ in range(3):
            await rig.post()
        for seconds in (5, 10, 20, 40, 60, 60):
            asked = len(rig.primary.asked_with)
            [rest] = (await rig.pool.snapshot()).rests
            assert rest.seconds == pytest.approx(seconds - 2), "the call that met the failure waited before it moved on"
            rig.moments.ahead += rest.seconds - 0.1
            await rig.post()
            assert len(rig.primary.asked_with) == asked
            rig.moments.ahead += 0.2
            answered(await rig.post(), streamed=True)
            assert len(rig.primary.asked_with) == asked + 1


@EVERY_VOICE
@in_virtual_time
async def test_a_key_that_works_keeps_its_provider_in(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice) as rig:
        rig.primary.answers[BAD] = busy(voice)
        began = rig.now
        for _ in range(30):
            rig.moments.ahead += 31  # so that nobody stands back any more
            answered(await rig.post(), streamed=True)
        assert rig.now - began == 30 * 31
        assert rig.primary.asked_with.count(BAD) >= 10
        assert (await rig.pool.snapshot()).rests == ()


# of the first target, of the second; what the client gets: status, type, retry-after, x-should-retry, words
Said = tuple[int, str, str, Pairs]
UNPAID: Said = (402, "billing_error", "no money", ())
REFUSED: Said = (401, "authentication_error", "invalid key", ())
LONG: Said = (429, "rate_limit_error", "slow down", [("retry-after", "3600")])
SHORT: Said = (429, "rate_limit_error", "slower", [("retry-after", "45")])
OOPS: Said = (500, "api_error", "oops", ())
FULL: Said = (400, "invalid_request_error", "prompt is too long: 300000 tokens > 200000 maximum", ())
NO_PATH: Said = (404, "not_found_error", "Not Found", ())
BOTH_FAIL: dict[str, tuple[Said, Said, tuple[int, str, str | None, str | None, str]]] = {
    "limits: the sooner": (LONG, SHORT, (429, "rate_limit_error", "45", None, "slower")),
    "limits: the sooner is the first": (SHORT, LONG, (429, "rate_limit_error", "45", None, "slower")),
    "a limit says more than a key": (REFUSED, SHORT, (429, "rate_limit_error", "45", None, "slower")),
    "a limit says more than a key, again": (SHORT, REFUSED, (429, "rate_limit_error", "45", None, "slower")),
    "trouble says more than a key": (REFUSED, OOPS, (500, "api_error", None, None, "oops")),
    "two keys: the first": (UNPAID, REFUSED, (502, "api_error", None, "false", "no money")),
    "the request's own fault": (FULL, OOPS, (400, "invalid_request_error", None, None, "prompt is too long")),
    "the same in the second only": (OOPS, FULL, (500, "api_error", None, None, "oops")),
    "a wrong path in the second only": (LONG, NO_PATH, (429, "rate_limit_error", "3600", None, "slow down")),
}


@pytest.mark.parametrize(("first", "second", "expected"), BOTH_FAIL.values(), ids=BOTH_FAIL)
@EVERY_WISH
@EVERY_VOICE
@in_virtual_time
async def test_where_all_fail_the_most_telling_failure_is_told(
    tmp_path: Path,
    voice: Voice,
    streamed: bool,
    first: Said,
    second: Said,
    expected: tuple[int, str, str | None, str | None, str],
) -> None:
    environ = {"PROVIDER_MAX_RETRIES": "0", "STREAM_KEEPALIVE_AFTER": "1000"}
    async with rigged(tmp_path, voice, [BAD], fallback=True, environ=environ) as rig:
        rig.primary.answers[BAD] = voice.refusal(*first)
        rig.fallback.answers[FALLBACK] = rig.fallback.voice.refusal(*second)
        got = await rig.post(streamed)
        status, kind, retry_after, should_retry, words = expected
        assert words in refused(got, status, kind)
        assert got.headers.get("retry-after") == retry_after
        assert got.headers.get("x-should-retry") == should_retry
        assert got.headers["x-keyturn-attempts"] == "2"
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_all_keys_refused_at_once_is_the_providers_doing(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice) as rig:
        refusal = voice.refusal(401, "authentication_error", "invalid key")
        rig.primary.answers = dict.fromkeys((BAD, SPARE), refusal)
        began = rig.now
        words = refused(await rig.post(), 502, "api_error")
        assert voice.provider in words
        assert [key.rests for key in (await rig.pool.snapshot()).keys] == [(), ()]
        [rest] = (await rig.pool.snapshot()).rests
        assert (rest.reason, rest.model, rest.seconds) == ("key_refused", "", 5.0)
        assert rig.now == began, "the call that met it waits for nothing"
        refused(await rig.post(), 502, "api_error")
        assert (rig.now - began, rig.primary.asked_with) == (5, [BAD, SPARE, BAD]), "one call finds out"
        assert [rest.seconds for rest in (await rig.pool.snapshot()).rests] == [10]
        rig.moments.ahead += 10
        rig.primary.answers.clear()
        answered(await rig.post(), streamed=True)
        assert (await rig.pool.snapshot()).rests == ()
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_the_earliest_of_all_resets_is_told(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice) as rig:
        for key, seconds in ((BAD, "90"), (SPARE, "80")):
            rig.primary.answers[key] = voice.refusal(429, "rate_limit_error", "slow down", [("retry-after", seconds)])
        got = await rig.post()
        refused(got, 429, "rate_limit_error")
        assert got.headers["retry-after"] == "80"
        rig.moments.ahead += 15.5
        got = await rig.post()
        assert "none of its 2 keys can serve" in refused(got, 429, "rate_limit_error")
        assert got.headers["retry-after"] == "65"
        rig.primary.answers.clear()
        rig.moments.ahead += 40
        began = rig.now
        answered(await rig.post(), streamed=True)
        assert rig.now - began == 24.5
        assert rig.primary.asked_with == [BAD, SPARE, SPARE]


@EVERY_VOICE
@in_virtual_time
async def test_the_deadline_ends_silence(tmp_path: Path, voice: Voice) -> None:
    environ = {"REQUEST_DEADLINE": "50", "STREAM_KEEPALIVE_AFTER": "1000"}
    async with rigged(tmp_path, voice, fallback=True, environ=environ) as rig:
        rig.primary.answers = dict.fromkeys((BAD, SPARE), Reply((Hang(),)))
        began = rig.now
        words = refused(await rig.post(), 504, "timeout_error")
        assert "REQUEST_DEADLINE" in words
        assert (rig.now - began, rig.primary.asked_with, rig.fallback.asked_with) == (50, [BAD], [])
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_the_deadline_ends_repeats(tmp_path: Path, voice: Voice) -> None:
    environ = {"REQUEST_DEADLINE": "100", "STREAM_KEEPALIVE_AFTER": "1000"}
    async with rigged(tmp_path, voice, [BAD], environ=environ) as rig:
        rig.primary.answers[BAD] = busy(voice)
        began = rig.now
        refused(await rig.post(), 500, "api_error")
        assert rig.moments.slept == [2, 4, 8, 16, 32]
        assert rig.now - began < 100
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_the_deadline_is_one_for_all_targets(tmp_path: Path, voice: Voice) -> None:
    environ = {"REQUEST_DEADLINE": "200", "STREAM_KEEPALIVE_AFTER": "1000"}
    async with rigged(tmp_path, voice, [BAD], fallback=True, environ=environ) as rig:
        rig.primary.answers[BAD] = rig.fallback.answers[FALLBACK] = Reply((Hang(),))
        began = rig.now
        refused(await rig.post(), 504, "timeout_error")
        assert (rig.now - began, len(rig.primary.asked_with), len(rig.fallback.asked_with)) == (200, 1, 1)
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_the_last_chance_gets_all_the_time_that_is_left(tmp_path: Path, voice: Voice) -> None:
    answers: dict[str, Answer] = {BAD: Reply((Hang(),)), SPARE: late(voice.good(), 115)}
    environ = {"FIRST_TOKEN_TIMEOUT": "60", "STREAM_KEEPALIVE_AFTER": "1000"}
    async with rigged(tmp_path, voice, environ=environ) as rig:
        rig.primary.answers = answers
        began = rig.now
        answered(await rig.post(), streamed=True)
        assert rig.now - began == 60 + 115
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_a_provider_in_trouble_is_not_asked_much_more_often_than_it_is_called(
    tmp_path: Path, voice: Voice
) -> None:
    environ = {"PROVIDER_MAX_RETRIES": "3", "STREAM_KEEPALIVE_AFTER": "1000"}
    async with rigged(tmp_path, voice, [BAD], environ=environ) as rig:
        rig.primary.answers[BAD] = late(busy(voice), 1)
        got = await asyncio.gather(*(rig.post(streamed=False) for _ in range(100)))
        assert {each.status_code for each in got} == {500}
        assert 100 < len(rig.primary.asked_with) <= 120, "a fifth of the calls may be repeats"
        await rig.came_back()
