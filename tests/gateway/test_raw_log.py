"""Bodies in the log: only where a switch says so, and never a key or a token."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from gateway.app import CALLS
from middleware.raw_log import RawLog
from tests.gateway.place import Place
from tests.gateway_process import ONE_ATTEMPT, upstream_env
from tests.serving import KEY, TOKEN, Gateway, ask, serving
from tests.upstream import Upstream, error, message, text

ON = {"LOG_RAW_API_PAYLOADS": "true", "LOG_RAW_SSE_EVENTS": "true"}
IMAGE = b64encode(bytes(3000)).decode()


def stack(gateway: Gateway) -> list[str]:
    app: Any = gateway.app.build_middleware_stack()
    names: list[str] = []
    while app is not None:
        names.append(type(app).__name__)
        app = getattr(app, "app", None)
    return names


async def test_switched_off_it_is_not_there_at_all(gateway: Gateway) -> None:
    assert RawLog.__name__ not in stack(gateway)


@pytest.mark.parametrize("streamed", [True, False])
async def test_requests_and_answers_are_logged_word_for_word(
    upstream: Upstream, tmp_path: Path, streamed: bool
) -> None:
    upstream.script(message(text("The answer")))
    async with (
        serving(tmp_path, upstream_env(upstream.url) | ON, level="DEBUG") as gateway,
        gateway.client() as client,
    ):
        reply = await client.post("/v1/messages", json=ask("The question", stream=streamed))
        await client.get("/v1/models")
        await gateway.settled()
    [request] = gateway.log.events("request body")
    answers = gateway.log.events("answer")
    assert {line["request_id"] for line in (request, *answers)} == {reply.headers["request-id"]}
    assert '"The question"' in request["body"]
    assert "".join(line["body"] for line in answers) == reply.text
    assert request["level"] == "debug"


async def test_one_switch_is_for_one_side(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(message(text("The answer")), message(text("The answer")))
    for (name, value), logged in zip(ON.items(), (["request body"], ["answer"]), strict=True):
        environ = upstream_env(upstream.url) | {name: value}
        async with serving(tmp_path, environ, level="DEBUG") as gateway, gateway.client() as client:
            await client.post("/v1/messages", json=ask())
            await gateway.settled()
        assert [each for each in ("request body", "answer") if gateway.log.events(each)] == logged


async def test_secrets_and_long_base64_are_taken_out(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(message(text(f"You said {KEY}, and the image was {IMAGE}", pieces=1)))
    said = f"My token is {TOKEN}, Authorization: Bearer somebody-elses-token; this is an image: {IMAGE}"
    async with (
        serving(tmp_path, upstream_env(upstream.url) | ON, level="DEBUG") as gateway,
        gateway.client() as client,
    ):
        await client.post("/v1/messages", json=ask(said, stream=True))
        await gateway.settled()
    for secret in (KEY, TOKEN, "somebody-elses-token", IMAGE):
        assert secret not in gateway.log.text
    assert "My token is ***, Authorization: *** ***" in gateway.log.events("request body")[0]["body"]
    assert f"<{len(IMAGE)} characters>" in gateway.log.events("request body")[0]["body"]


async def test_a_stranger_writes_nothing_into_the_log(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(tmp_path, upstream_env(upstream.url) | ON, level="DEBUG") as gateway:
        async with gateway.client("wrong") as client:
            await client.post("/v1/messages", json=ask("let me in"))
        assert "let me in" not in gateway.log.text


async def test_above_debug_nothing_is_read(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(message(text("The answer")))
    async with serving(tmp_path, upstream_env(upstream.url) | ON) as gateway, gateway.client() as client:
        await client.post("/v1/messages", json=ask("The question"))
        assert "The question" not in gateway.log.text
        assert "The answer" not in gateway.log.text


async def test_the_words_of_an_error_have_a_switch_of_their_own(upstream: Upstream, tmp_path: Path) -> None:
    for switch, words in (("false", None), ("true", "not with *** nor ***")):
        upstream.script(error(500, "api_error", f"not with {KEY} nor {TOKEN}"))
        environ = upstream_env(upstream.url) | ONE_ATTEMPT | {"LOG_API_ERROR_TRACEBACKS": switch}
        async with serving(tmp_path, environ) as gateway, gateway.client() as client:
            await client.post("/v1/messages", json=ask())
        [line] = gateway.log.events("attempt failed")
        assert line.get("words") == words


@pytest.mark.parametrize("switch", ["LOG_RAW_API_PAYLOADS", "LOG_RAW_SSE_EVENTS", "LOG_API_ERROR_TRACEBACKS"])
def test_a_start_warns_of_each(tmp_path: Path, switch: str) -> None:
    place = Place(tmp_path)
    assert place.load({switch: "false"}).warnings == ()
    [warning] = place.load({switch: "true", "LOG_LEVEL": "DEBUG"}).warnings
    assert warning.startswith(f"{switch} (from the environment): ")
    assert "written to the log" in warning
    [warning] = place.load({switch: "true"}).warnings
    assert ("DEBUG" in warning) == switch.startswith("LOG_RAW")


def test_only_calls_have_bodies_that_are_logged() -> None:
    assert set(CALLS) >= {"/v1/messages", "/v1/chat/completions", "/v1/responses"}
    assert not any(route.startswith(("/admin", "/ui")) for route in CALLS)
