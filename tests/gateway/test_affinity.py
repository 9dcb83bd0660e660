"""A session stays with the key whose prompt cache it has warmed, as long as that key is well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.gateway.faults import Rig, answered, late, rigged
from tests.gateway.voices import VOICES, Voice
from tests.serving import Json
from tests.virtual_http import in_virtual_time

KEYS = ["sk-1", "sk-2", "sk-3"]
EVERY_VOICE = pytest.mark.parametrize("voice", VOICES, ids=str)

# as Claude Code names its session: in a header, and in metadata.user_id, which was plain text in earlier versions
Named = tuple[Mapping[str, str], Json]


def by_header(session: str) -> Named:
    return {"x_claude_code_session_id": session}, {}


def by_metadata(session: str) -> Named:
    return {}, {"metadata": {"user_id": json.dumps({"device_id": "d", "account_uuid": "", "session_id": session})}}


def by_older_metadata(session: str) -> Named:
    return {}, {"metadata": {"user_id": f"user_0af3_account__session_{session}"}}


NAMED = {"header": by_header, "metadata": by_metadata, "older metadata": by_older_metadata}
FIRST, SECOND = "5f3a0c1e-0001", "5f3a0c1e-0002"


async def ask_in(rig: Rig, named: Named, **more: str) -> str:
    """The key that served a call of this session."""
    headers, body = named
    got = await rig.post(body={**body, **more}, headers=headers)
    answered(got, streamed=True)
    return rig.primary.asked_with[-1]


@pytest.mark.parametrize("name", NAMED.values(), ids=NAMED)
@EVERY_VOICE
@in_virtual_time
async def test_a_session_comes_back_to_its_key(tmp_path: Path, voice: Voice, name: Callable[[str], Named]) -> None:
    async with rigged(tmp_path, voice, KEYS) as rig:
        first, second = await ask_in(rig, name(FIRST)), await ask_in(rig, name(SECOND))
        assert first != second
        for _ in range(4):
            assert await ask_in(rig, name(SECOND)) == second
            assert await ask_in(rig, name(FIRST)) == first
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_calls_without_a_session_take_turns(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, KEYS) as rig:
        nameless: list[Named] = [
            ({}, {}),
            ({}, {"metadata": {"user_id": "somebody"}}),
            ({}, {"metadata": {"user_id": '{"account_uuid": "a"}'}}),
            ({}, {"metadata": {}}),
            ({"x_claude_code_session_id": ""}, {}),
            ({}, {}),
        ]
        assert [await ask_in(rig, each) for each in nameless] == KEYS * 2


@EVERY_VOICE
@in_virtual_time
async def test_the_header_is_believed_before_the_metadata(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, KEYS) as rig:
        key = await ask_in(rig, by_header(FIRST))
        assert await ask_in(rig, (by_header(FIRST)[0], by_metadata(SECOND)[1])) == key


@EVERY_VOICE
@in_virtual_time
async def test_a_substitute_does_not_take_a_session_over(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, KEYS) as rig:
        key = await ask_in(rig, by_header(FIRST))
        rig.primary.answers[key] = voice.refusal(429, "rate_limit_error", "slow down", [("retry-after", "60")])
        substitutes = {await ask_in(rig, by_header(FIRST)) for _ in range(4)}
        assert key not in substitutes
        rig.primary.answers.clear()
        rig.moments.ahead += 61
        assert await ask_in(rig, by_header(FIRST)) == key
        await rig.came_back()


@EVERY_VOICE
@in_virtual_time
async def test_health_comes_before_affinity(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, KEYS) as rig:
        key = await ask_in(rig, by_header(FIRST))
        rig.primary.answers[key] = voice.refusal(500, "api_error", "oops")
        other = await ask_in(rig, by_header(FIRST))
        assert other != key
        asked = rig.primary.asked_with.count(key)
        for _ in range(3):
            await ask_in(rig, by_header(FIRST))
        assert rig.primary.asked_with.count(key) == asked, "it stands back for a while"
        rig.primary.answers.clear()
        rig.moments.ahead += 31
        assert await ask_in(rig, by_header(FIRST)) == key


@EVERY_VOICE
@in_virtual_time
async def test_a_dead_key_is_left_for_good(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, KEYS) as rig:
        key = await ask_in(rig, by_header(FIRST))
        rig.primary.answers[key] = voice.refusal(401, "authentication_error", "invalid key")
        for _ in range(12):
            rig.moments.ahead += 100
            assert await ask_in(rig, by_header(FIRST)) != key
        moved = await ask_in(rig, by_header(FIRST))
        assert [await ask_in(rig, by_header(FIRST)) for _ in range(3)] == [moved] * 3
        assert rig.primary.asked_with.count(key) == 2


@EVERY_VOICE
@in_virtual_time
async def test_a_busy_key_keeps_its_session(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, KEYS) as rig:
        key = await ask_in(rig, by_header(FIRST))
        rig.primary.answers[key] = late(voice.good(), 5)
        headers, _ = by_header(FIRST)
        got = await asyncio.gather(*(rig.post(headers=headers) for _ in range(4)))
        assert {each.headers["x-keyturn-key"] for each in got} == {_label(voice, key)}


@pytest.mark.parametrize(
    ("setting", "seconds"),
    [({}, 300), ({"SESSION_AFFINITY": "on"}, 300), ({"SESSION_AFFINITY": "40"}, 40)],
    ids=["default", "on", "40"],
)
@EVERY_VOICE
@in_virtual_time
async def test_it_lasts_as_long_as_the_cache_may_be_warm(
    tmp_path: Path, voice: Voice, setting: dict[str, str], seconds: float
) -> None:
    async with rigged(tmp_path, voice, KEYS, environ=setting) as rig:
        key = await ask_in(rig, by_header(FIRST))
        for _ in range(3):
            rig.moments.ahead += seconds - 1
            assert await ask_in(rig, by_header(FIRST)) == key, "each call warms it again"
        rig.moments.ahead += seconds + 1
        assert await ask_in(rig, by_header(FIRST)) != key


@EVERY_VOICE
@in_virtual_time
async def test_it_can_be_switched_off(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, KEYS, environ={"SESSION_AFFINITY": "off"}) as rig:
        assert [await ask_in(rig, by_header(FIRST)) for _ in range(6)] == KEYS * 2


@EVERY_VOICE
@in_virtual_time
async def test_a_provider_has_a_setting_of_its_own(tmp_path: Path, voice: Voice) -> None:
    prefix = {"anthropic": "ANTHROPIC_UPSTREAM"}.get(voice.provider, voice.provider.upper())
    environ = {"SESSION_AFFINITY": "off", f"{prefix}_SESSION_AFFINITY": "100"}
    async with rigged(tmp_path, voice, KEYS, environ=environ) as rig:
        assert len({await ask_in(rig, by_header(FIRST)) for _ in range(5)}) == 1


@EVERY_VOICE
@in_virtual_time
async def test_an_attempt_that_failed_is_no_preference(tmp_path: Path, voice: Voice) -> None:
    """A session belongs to the key that answered it first, not to the one that was asked first."""
    async with rigged(tmp_path, voice, KEYS) as rig:
        rig.primary.answers["sk-1"] = voice.stream(voice.start)
        assert await ask_in(rig, by_header(FIRST)) == "sk-2"
        rig.primary.answers.clear()
        rig.moments.ahead += 31
        assert await ask_in(rig, by_header(FIRST)) == "sk-2"


@EVERY_VOICE
@in_virtual_time
async def test_models_share_a_session(tmp_path: Path, voice: Voice) -> None:
    async with rigged(tmp_path, voice, KEYS) as rig:
        key = await ask_in(rig, by_header(FIRST))
        assert await ask_in(rig, by_header(FIRST), model=f"{voice.provider}/other") == key


def _label(voice: Voice, key: str) -> str:
    return f"{voice.provider}-{KEYS.index(key) + 1:02}"


@pytest.mark.parametrize("named", [by_header(FIRST), ({}, {})], ids=["session", "no session"])
@pytest.mark.parametrize("order", ["least_recent", "sticky", "weighted"])
@EVERY_VOICE
@in_virtual_time
async def test_a_usage_limit_is_for_each_round(tmp_path: Path, voice: Voice, order: str, named: Named) -> None:
    prefix = {"anthropic": "ANTHROPIC_UPSTREAM"}.get(voice.provider, voice.provider.upper())
    environ = {f"{prefix}_KEY_USAGE_LIMIT": "2", f"{prefix}_KEY_ORDER": order}
    async with rigged(tmp_path, voice, KEYS, environ=environ) as rig:
        served = [await ask_in(rig, named) for _ in range(12)]
        in_turn = [key for key in KEYS for _ in range(2)]
        assert [sorted(served[:6]), sorted(served[6:])] == [in_turn, in_turn]
        if order == "sticky":
            assert served == in_turn + in_turn
