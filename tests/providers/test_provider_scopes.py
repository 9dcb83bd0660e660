"""A live provider judges failures by its own rules, wherever in an answer they come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from providers import reset
from providers.errors import Calendar, ErrorKind, Rest, Scope, UpstreamFailure
from providers.spec import ProviderConfig
from tests.moments import Moments
from tests.providers.support import SPEC, call, config, rig
from tests.upstream import Upstream, error, frames, json_reply, message, sse, stream, text
from tests.upstream import openai_chat as chat

FULL = {"type": "limit", "code": "1308", "message": "Usage limit reached. Your limit will reset at 2026-11-20 21:30:00"}
DATE = ("date", "Fri, 20 Nov 2026 12:00:00 GMT")
WINDOW = (ErrorKind.KEY_WINDOW, Scope.KEY, Rest(5400.0, honest=True))


def named(provider: str, url: str, dialect: str = "anthropic") -> ProviderConfig:
    return config(url, spec=replace(SPEC, id=provider, dialect=dialect))


async def failure_of(configured: ProviderConfig, streamed: bool = True) -> tuple[UpstreamFailure, str]:
    async with rig(configured) as live:
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask(call(stream=streamed))
    return raised.value, live.record.reason


def judged(failure: UpstreamFailure) -> Any:
    return failure.kind, failure.scope, failure.rest


async def test_a_status() -> None:
    async with Upstream() as upstream:
        upstream.script(json_reply({"error": FULL}, 429, [DATE]))
        failure, reason = await failure_of(named("zai", upstream.url))
    assert (judged(failure), reason) == (WINDOW, "key_window")


@pytest.mark.parametrize("streamed", [True, False])
async def test_an_error_in_place_of_an_answer(streamed: bool) -> None:
    async with Upstream() as upstream:
        upstream.script(json_reply({"type": "error", "error": FULL}, 200, [DATE]))
        failure, reason = await failure_of(named("zai", upstream.url), streamed)
    assert (judged(failure), reason) == (WINDOW, "key_window")


async def test_an_event_before_the_content() -> None:
    async with Upstream() as upstream:
        upstream.script(stream(sse({"type": "error", "error": FULL}), headers=[DATE]))
        failure, reason = await failure_of(named("zai", upstream.url))
    assert (judged(failure), reason) == (WINDOW, "key_window")


async def test_an_event_after_the_content() -> None:
    begun = frames("m", [text("Hello")])[:4]
    async with Upstream() as upstream, rig(named("zai", upstream.url)) as live:
        upstream.script(stream(*begun, sse({"type": "error", "error": FULL}), headers=[DATE]))
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask()
    assert judged(raised.value) == WINDOW


USED_UP = {"error": {"type": "rate_limit_error", "message": "You have used the 500 requests per day of your plan."}}


@pytest.mark.parametrize(
    ("begins", "calendar"),
    [
        (Calendar.PACIFIC_DAY, Calendar.PACIFIC_DAY),
        (Calendar.CHINA_DAY, Calendar.CHINA_DAY),
        (Calendar.UTC_MONTH, Calendar.UTC_DAY),  # its days are not known
        (None, Calendar.UTC_DAY),
    ],
)
async def test_a_day_that_is_used_up_ends_where_the_rows_days_do(begins: Calendar | None, calendar: Calendar) -> None:
    async with Upstream() as upstream:
        upstream.script(json_reply(USED_UP, 429))
        configured = config(upstream.url, spec=replace(SPEC, reset=begins))
        async with rig(configured, Moments(frozen=True)) as live:
            with pytest.raises(UpstreamFailure) as raised:
                await live.ask()
            [rest] = (await live.pool.snapshot()).keys[0].rests
    assert judged(raised.value) == (ErrorKind.KEY_WINDOW, Scope.KEY_MODEL, Rest(calendar=calendar))
    assert rest.seconds == pytest.approx(reset.until(calendar, live.moments.wall()), abs=1)


@pytest.mark.parametrize("streamed", [True, False])
async def test_so_it_does_where_the_refusal_comes_inside_a_200(streamed: bool) -> None:
    async with Upstream() as upstream:
        inside = {"type": "error", **USED_UP}
        upstream.script(stream(sse(inside)) if streamed else json_reply(inside))
        configured = config(upstream.url, spec=replace(SPEC, reset=Calendar.CHINA_DAY))
        failure, reason = await failure_of(configured, streamed)
    assert (failure.rest, reason) == (Rest(calendar=Calendar.CHINA_DAY), "key_window")


async def test_a_time_that_the_answer_gives_is_believed_first() -> None:
    async with Upstream() as upstream:
        upstream.script(json_reply(USED_UP, 429, [("retry-after", "77")]))
        failure, _ = await failure_of(config(upstream.url, spec=replace(SPEC, reset=Calendar.CHINA_DAY)))
    assert failure.rest == Rest(77.0, honest=True)


async def test_a_translated_answer_with_a_code_of_its_own() -> None:
    async with chat.ChatUpstream() as upstream:
        upstream.script(json_reply({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}))
        failure, reason = await failure_of(named("minimax", upstream.url, "openai_chat"), streamed=False)
    assert (failure.kind, failure.scope, failure.words) == (
        ErrorKind.KEY_UNPAID,
        Scope.ACCOUNT,
        "insufficient balance",
    )
    assert reason == "key_unpaid"


async def test_a_model_that_a_local_server_lacks_is_asked_for_again_at_once() -> None:
    """Whoever was told to pull it has pulled it."""
    async with Upstream() as upstream, rig(config(upstream.url, spec=replace(SPEC, local=True))) as live:
        upstream.script(error(404, "not_found_error", "model 'm' not found"), message(text("Hello")))
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask(call(stream=False), once=False)
        assert (raised.value.kind, len(upstream.requests)) == (ErrorKind.MODEL_NOT_FOUND, 1)
        assert b"Hello" in await live.ask(call(stream=False), once=False)
