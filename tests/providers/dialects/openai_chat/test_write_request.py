"""The fields of a Messages request as Chat Completions has them: each said, or lost by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.call import Hints
from providers.catalog import CATALOG
from providers.chat.strict import strictable
from providers.dialects.openai_chat import DIALECT, url
from providers.quirks import Quirks
from providers.spec import ProviderConfig
from tests.providers.dialects.openai_chat.asking import (
    HI,
    PLAIN,
    assistant,
    chat,
    config,
    neutral,
    result,
    text,
    tool,
    use,
    user,
)
from tests.providers.dialects.openai_chat.chunks import DONE, end, piece, tools

ROWS = {row.id: row for row in CATALOG if row.dialect == "openai_chat"}


def body(quirks: Quirks = PLAIN, **asked: Any) -> dict[str, Any]:
    made, lost = chat(quirks, **asked)
    assert lost == ()
    return made


def test_a_small_request() -> None:
    assert body() == {
        "model": "target",
        "messages": HI,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 100,
    }


@pytest.mark.parametrize("stream", [True, False])
def test_every_upstream_is_asked_for_a_stream_with_usage(stream: bool) -> None:
    made = body(stream=stream)
    assert (made["stream"], made["stream_options"]) == (True, {"include_usage": True})


def test_sampling_is_passed() -> None:
    made = body(temperature=0.5, top_p=0.9)
    assert (made["temperature"], made["top_p"]) == (0.5, 0.9)
    assert body(temperature=0)["temperature"] == 0


def test_top_k_is_lost_by_name() -> None:
    made, lost = chat(top_k=40)
    assert "top_k" not in made
    assert lost == ("top_k",)


def test_up_to_four_stop_sequences_are_passed_and_more_are_lost_by_name() -> None:
    assert body(stop_sequences=["a", "b", "c", "d"])["stop"] == ["a", "b", "c", "d"]
    made, lost = chat(stop_sequences=["a", "b", "c", "d", "e", "f"])
    assert made["stop"] == ["a", "b", "c", "d"]
    assert lost == ("stop_sequences[4:]",)
    assert "stop" not in body(stop_sequences=[])


def test_the_limit_has_the_rows_name_and_cap() -> None:
    assert body(max_tokens=5)["max_tokens"] == 5
    made = body(Quirks(max_tokens_field="max_completion_tokens"), max_tokens=5)
    assert made["max_completion_tokens"] == 5
    assert "max_tokens" not in made
    assert body(Quirks(max_output_tokens=8192), max_tokens=100)["max_tokens"] == 100


@pytest.mark.parametrize(
    ("quirks", "asked", "sent"),
    [(Quirks(max_output_tokens=8192), 64000, 8192), (Quirks(min_output_tokens=200), 100, 200)],
)
def test_a_limit_that_is_cut_or_raised_is_named(quirks: Quirks, asked: int, sent: int) -> None:
    made, lost = chat(quirks, max_tokens=asked)
    assert (made["max_tokens"], lost) == (sent, ("max_tokens",))


@pytest.mark.parametrize(("row", "field"), [("openai", "max_completion_tokens"), ("groq", "max_tokens")])
def test_the_rows_of_the_catalog(row: str, field: str) -> None:
    spec = ROWS[row]
    made = DIALECT.write_request(
        neutral({}), ProviderConfig(spec, spec.base_url, quirks=spec.quirks), "sk", Hints("t", 1)
    )
    assert json.loads(made.request.body)[field] == 100
    assert made.request.url == f"{spec.base_url}/chat/completions"


@pytest.mark.parametrize(
    ("base", "full"),
    [
        ("https://api.acme.test/v1", "https://api.acme.test/v1/chat/completions"),
        ("https://api.acme.test/v1/", "https://api.acme.test/v1/chat/completions"),
        ("https://api.acme.test/openai/v1", "https://api.acme.test/openai/v1/chat/completions"),
        ("https://api.acme.test", "https://api.acme.test/v1/chat/completions"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1/chat/completions"),
        ("https://api.acme.test/v1beta/openai", "https://api.acme.test/v1beta/openai/chat/completions"),
    ],
)
def test_addresses(base: str, full: str) -> None:
    assert url(base) == full


def test_headers_carry_the_key_and_nothing_of_the_client() -> None:
    made = DIALECT.write_request(neutral({}), config(), "sk-upstream", Hints("t", 1)).request
    assert dict(made.headers)["authorization"] == "Bearer sk-upstream"
    assert dict(made.headers)["accept"] == "text/event-stream"
    assert not [name for name, _ in made.headers if name.startswith(("anthropic", "x-"))]
    assert "authorization" not in dict(DIALECT.write_request(neutral({}), config(), "", Hints("t", 1)).request.headers)


TITLE = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}


def test_a_json_schema_is_a_response_format() -> None:
    made = body(output_config={"format": {"type": "json_schema", "schema": TITLE}})
    assert made["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": TITLE, "strict": True},
    }


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (TITLE, True),
        ({**TITLE, "additionalProperties": True}, False),
        ({**TITLE, "required": []}, False),
        ({"type": "object", "properties": {}}, False),
        ({"type": "object", "additionalProperties": False}, True),
        ({**TITLE, "properties": {"title": {"type": "array", "items": {"type": "object", "properties": {}}}}}, False),
        ({"anyOf": [TITLE, {"type": "null"}]}, True),
        ({"anyOf": [TITLE, {"properties": {"a": {}}}]}, False),
        ({"type": "string"}, True),
    ],
)
def test_a_schema_is_strict_where_it_can_be(schema: dict[str, Any], strict: bool) -> None:
    assert strictable(schema) is strict
    made = body(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert made["response_format"]["json_schema"]["strict"] is strict


@pytest.mark.parametrize("form", [{"type": "regex", "pattern": "x"}, {"type": "json_schema"}, "json", 5])
def test_another_form_is_lost_by_name(form: Any) -> None:
    made, lost = chat(output_config={"format": form, "task_budget": {"total": 1}})
    assert "response_format" not in made
    assert lost == ("output_config.task_budget", "output_config.format")


def test_the_user_is_passed_or_hashed_where_it_is_too_long() -> None:
    assert body(metadata={"user_id": "user-1"})["user"] == "user-1"
    long = json.dumps({"device_id": "0" * 64, "account_uuid": "", "session_id": "s"})
    hashed = body(metadata={"user_id": long})["user"]
    assert len(hashed) == 64
    assert body(metadata={"user_id": long})["user"] == hashed != body(metadata={"user_id": long + "x"})["user"]
    for metadata in ({}, {"user_id": None}):
        assert "user" not in body(metadata=metadata)


@pytest.mark.parametrize(
    "name",
    [
        "context_management",
        "mcp_servers",
        "container",
        "service_tier",
        "speed",
        "inference_geo",
        "fallbacks",
        "thread",
        "next_year",
    ],
)
def test_other_fields_are_lost_by_name_and_not_sent(name: str) -> None:
    asked: dict[str, Any] = {name: {"edits": ["x"]} if name == "context_management" else "x"}
    made, lost = chat(**asked)
    assert set(made) == {"model", "messages", "stream", "stream_options", "max_tokens"}
    assert lost == (name,)


def test_what_is_lost_often_is_named_once() -> None:
    redacted = {"type": "redacted_thinking", "data": "x"}
    _, lost = chat(
        messages=[user("a"), assistant(redacted, redacted, text("b")), user("c"), assistant(redacted, text("d"))]
    )
    assert lost == ("messages.redacted_thinking",)


def test_the_order_of_the_body_is_the_same_for_the_same_request() -> None:
    asked: dict[str, Any] = {"tools": [tool("Bash")], "messages": [user("a"), assistant(use("t1")), user(result("t1"))]}
    assert json.dumps(chat(**asked)[0]) == json.dumps(chat(**asked)[0])


@pytest.mark.parametrize("token", ["tok", "other"])
def test_ids_of_an_answer_are_made_of_the_calls_token(token: str) -> None:
    made = DIALECT.write_request(neutral({}), config(), "", Hints(token, 77))
    events = made.reader.feed(tools(piece("Bash", "{}")) + end("tool_calls") + DONE)
    assert (events[0].id, events[1].id) == (f"msg_{token}", f"toolu_{token}_0")  # type: ignore[union-attr]
