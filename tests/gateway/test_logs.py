"""One line per request, one per failed attempt, and nothing in them that must not be seen."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import redirect_stderr
from pathlib import Path

import pytest
import structlog

from gateway import logs
from gateway.request_log import RequestLog
from gateway.routing import Target
from gateway.settings import load
from middleware.context import RequestContext
from providers.ports import Attempt
from providers.secret import Secret
from tests.gateway_process import ONE_ATTEMPT, upstream_env
from tests.serving import Gateway, ask, captured_log, serving
from tests.upstream import Upstream, error, message, text

OLD_KEY, NEW_KEY = "plain-words-before", "plain-words-after"


async def test_a_success_is_one_line(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(message(text("Hello"), usage={"input_tokens": 12}, late_usage={"output_tokens": 34}))
    async with gateway.client() as client:
        reply = await client.post("/v1/messages", json=ask(stream=True))
    await gateway.settled()
    [line] = gateway.log.events("request")
    expected = {
        "level": "info",
        "request_id": reply.headers["request-id"],
        "route": "/v1/messages",
        "principal": "shared",
        "entry": "anthropic",
        "display_model": "claude-opus-4-8",
        "backend_model": "claude-opus-4-8",
        "provider": "anthropic",
        "stream": True,
        "key": "anthropic-01",
        "attempts": 1,
        "status": 200,
        "outcome": "ok",
        "input_tokens": 12,
        "output_tokens": 34,
    }
    assert line.items() >= expected.items()
    assert 0 < line["own_seconds"] <= line["seconds"] < 10
    assert line["timestamp"].endswith("Z")
    assert gateway.log.events("attempt failed") == []


async def test_a_failure_is_a_line_and_the_attempts_warning(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(error(429, "rate_limit_error", "slow down"))
    async with gateway.client() as client:
        reply = await client.post("/v1/messages", json=ask())
    [warning] = gateway.log.events("attempt failed")
    [line] = gateway.log.events("request")
    assert (
        warning.items()
        >= {
            "level": "warning",
            "request_id": reply.headers["request-id"],
            "provider": "anthropic",
            "model": "claude-opus-4-8",
            "key": "anthropic-01",
            "reason": "rate_limited",
            "upstream_status": 429,
        }.items()
    )
    assert (line["status"], line["outcome"]) == (429, "error")
    assert line["request_id"] == warning["request_id"]


async def test_what_never_reached_a_provider_is_a_line_too(gateway: Gateway) -> None:
    async with gateway.client("wrong") as client:
        await client.post("/v1/messages", json=ask())
        await client.get("/nonsense")
    lines = gateway.log.events("request")
    assert [(line["status"], line["provider"], line["principal"]) for line in lines] == [(401, None, None)] * 2


async def test_a_long_model_name_is_cut_short(gateway: Gateway) -> None:
    async with gateway.client() as client:
        await client.post("/v1/messages", json=ask(model="groq/" + "a" * 5000))
    [line] = gateway.log.events("request")
    assert len(line["display_model"]) == 200


async def test_the_level_and_the_style_are_kept_to(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(error(500, "api_error", "no"))
    environ = upstream_env(upstream.url) | ONE_ATTEMPT
    async with serving(tmp_path, environ, level="WARNING") as gateway, gateway.client() as client:
        await client.post("/v1/messages", json=ask())
        assert gateway.log.events("request") == []
        assert len(gateway.log.events("attempt failed")) == 1


def test_the_console_style_is_for_people() -> None:
    with captured_log(style="console") as log:
        structlog.get_logger("keyturn").info("hello", number=4)
        logging.getLogger("some.library").warning("from a library")
    assert "hello" in log.text
    assert "number=4" in log.text
    assert "from a library" in log.text
    with pytest.raises(json.JSONDecodeError):
        json.loads(log.text.splitlines()[0])


def test_libraries_write_the_same_lines() -> None:
    words = "inside"
    with captured_log() as log:
        logging.getLogger("some.library").warning("from %s", "a library")
        try:
            raise ValueError(words)
        except ValueError:
            logging.getLogger("some.library").exception("it failed")
    [line] = log.events("from a library")
    assert line["level"] == "warning"
    [failed] = log.events("it failed")
    assert failed["exception"].endswith("raise ValueError(words)\nValueError")


def test_a_secret_in_an_event_is_masked() -> None:
    with captured_log() as log:
        structlog.get_logger("keyturn").info("hello", key=Secret("sk-live-1234"), nested=[Secret("sk-live-1234")])
    assert "sk-live" not in log.text
    assert log.events("hello")[0]["key"] == "Secret('***')"


async def test_ferryllms_events_are_told_at_debug(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(message(text("Hello")), message(text("Hello")))
    async with (
        serving(tmp_path, upstream_env(upstream.url), level="DEBUG") as gateway,
        gateway.client() as client,
    ):
        reply = await client.post("/v1/messages", json=ask(stream=True))
        await client.post("/v1/messages", json=ask())
        await gateway.settled()
    names = ("incoming request", "resolved route", "sending streaming request", "request completed")
    lines = [gateway.log.events(name)[0] for name in names]
    assert {line["level"] for line in lines} == {"debug"}
    assert {line["request_id"] for line in lines} == {reply.headers["request-id"]}
    about = {"entry": "anthropic", "model": "claude-opus-4-8", "stream": True}
    assert lines[0].items() >= about.items()
    assert (
        lines[1].items()
        >= {
            "entry": "anthropic",
            "display_model": "claude-opus-4-8",
            "backend_model": "claude-opus-4-8",
            "provider": "anthropic",
            "fallbacks": 0,
        }.items()
    )
    assert lines[2].items() >= {"provider": "anthropic", "model": "claude-opus-4-8", "key": "anthropic-01"}.items()
    assert lines[3].items() >= {**about, "status": 200, "error_kind": "none", "fallback_count": 0}.items()
    assert len(gateway.log.events("sending chat request")) == 1


async def test_at_info_they_are_told_only_where_the_configuration_is_ferryllms(
    gateway: Gateway, upstream: Upstream
) -> None:
    async with gateway.client() as client:
        upstream.script(message(text("Hello")))
        await client.post("/v1/messages", json=ask())
    assert gateway.log.events("incoming request") == []
    context = RequestContext("req_1", 0.0, entry="openai_chat", requested="m", targets=(Target("groq", "x"),))
    with captured_log() as log:
        told = RequestLog(lambda: 1.0, ferryllm=True)
        told.incoming(context)
        told.resolved(context)
        told.attempt_began(Attempt("req_1", "groq", "x", "groq-01", 0.0, stream=True))
        told.request_ended(context)
    assert [(line["event"], line.get("entry")) for line in map(json.loads, log.text.splitlines())] == [
        ("incoming request", "openai"),
        ("resolved route", "openai"),
        ("sending streaming request", None),
        ("request completed", "openai"),
        ("request", "openai_chat"),
    ]


async def test_the_line_tells_the_session_the_agent_and_the_cache(gateway: Gateway, upstream: Upstream) -> None:
    usage = {"input_tokens": 1, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 3}
    upstream.script(message(text("Hello"), usage=usage, late_usage={"output_tokens": 4}))
    headers = {"x-claude-code-session-id": "session-1", "x-claude-code-agent-id": "agent-2"}
    async with gateway.client() as client:
        await client.post("/v1/messages", json=ask(), headers=headers)
    [line] = gateway.log.events("request")
    assert (line["session"], line["agent"]) == ("session-1", "agent-2")
    tokens = [line[f"{kind}_tokens"] for kind in ("input", "cache_read", "cache_write", "output", "reasoning")]
    assert tokens == [1, 2, 3, 4, 0]
    assert 0 < line["first_content_seconds"] <= line["seconds"]


def test_an_exception_is_its_class_and_its_place() -> None:
    """Its text may be a prompt; the lines of our own source are not."""
    word = "canary"
    with captured_log() as log:
        try:
            try:
                raise KeyError(word)
            except KeyError as error:
                raise ExceptionGroup(word, [ValueError(word), OSError(word)]) from error
        except ExceptionGroup:
            structlog.get_logger("keyturn").exception("it failed")
    [line] = log.events("it failed")
    assert [each for each in line["exception"].splitlines() if not each.startswith("  File")] == [
        "    raise KeyError(word)",
        "KeyError",
        "    raise ExceptionGroup(word, [ValueError(word), OSError(word)]) from error",
        "ExceptionGroup",
        "  of ValueError, OSError",
    ]
    assert word not in log.text


async def test_a_task_that_nobody_waited_for_says_no_word() -> None:
    loop = asyncio.get_running_loop()
    with captured_log() as log:
        failed = loop.create_future()
        failed.set_exception(ValueError("canary"))
        loop.call_exception_handler({"message": "Future exception was never retrieved", "future": failed})
        failed.exception()
    assert "exception=ValueError" in log.text
    assert "canary" not in log.text


def test_a_logger_that_is_older_than_a_reload_knows_its_secrets(tmp_path: Path) -> None:
    variables = {"LOG_API_ERROR_TRACEBACKS": "true", "LOG_FORMAT": "json"}
    before, after = (load({**variables, "GROQ_API_KEY": key}, tmp_path, tmp_path) for key in (OLD_KEY, NEW_KEY))
    with captured_log(settings=before) as logged:
        log = structlog.get_logger("keyturn")
        log.info("used before")
        with redirect_stderr(logged.stream):
            logs.configure_from(after)
        try:
            raise ValueError(f"it is {NEW_KEY}")
        except ValueError:
            log.exception("failed")
    [told] = logged.events("failed")
    assert "ValueError: it is" in told["exception"]
    assert NEW_KEY not in logged.text
