"""A Chat request that passes straight through: the client's bytes, with as few edits as the row and route ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.call import Call, Operation, UpstreamRequest
from providers.dialects.openai_chat import DIALECT
from providers.json_object import JsonObject
from providers.spec import Quirks
from tests.providers.dialects.openai_chat.asking import PLAIN, config

SAID = b'"messages": [ {"role": "user", "content": "H\\u00fc"} ]'
RAW = b"{ " + SAID + b',\n  "model" : "asked", "seed": 7, "next_year": {"a": 1.0} }'
OPENAI = Quirks(max_tokens_field="max_completion_tokens", effort_models=("gpt-5",), efforts=("low", "medium", "high"))


def sent(
    raw: bytes, model: str = "target", quirks: Quirks = PLAIN, thinking: bool = True, stream: bool = False
) -> UpstreamRequest:
    body = JsonObject(raw)
    DIALECT.check(body)
    assert DIALECT.straight is not None
    call = Call("req_1", "openai_chat", Operation.MESSAGES, body, body.get("model"), stream, (("x-secret", "s"),))
    return DIALECT.straight.request(call, model, thinking, config(quirks), "sk-up")


def made(model: str = "target", quirks: Quirks = PLAIN, thinking: bool = True, /, **body: Any) -> dict[str, Any]:
    raw = json.dumps({"model": "asked", "messages": [{"role": "user", "content": "Hi"}], **body}).encode()
    request = sent(raw, model, quirks, thinking, body.get("stream") is True)
    found: dict[str, Any] = json.loads(request.body)
    return {key: value for key, value in found.items() if key not in ("model", "messages", "stream")}


def test_only_the_models_bytes_change() -> None:
    assert sent(RAW).body == RAW.replace(b'"asked"', b'"target"')
    assert sent(RAW, "asked").body is RAW


def test_where_it_goes_and_with_what() -> None:
    request = sent(RAW)
    assert request.url == "https://acme.test/v1/chat/completions"
    assert ("authorization", "Bearer sk-up") in request.headers
    assert ("accept", "application/json") in request.headers
    assert "x-secret" not in dict(request.headers)
    assert ("accept", "text/event-stream") in sent(RAW, stream=True).headers


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, {"include_usage": True}),
        ({"stream_options": None}, {"include_usage": True}),
        ({"stream_options": {"include_usage": False, "x": 1}}, {"include_usage": True, "x": 1}),
    ],
)
def test_a_stream_is_asked_to_be_counted(asked: dict[str, Any], said: dict[str, Any]) -> None:
    assert made(stream=True, **asked)["stream_options"] == said
    assert "stream_options" not in made()


def test_a_stream_that_is_counted_anyway_keeps_its_bytes() -> None:
    raw = b'{"model":"asked","messages":[{"role":"user","content":"Hi"}],"stream_options":{ "include_usage":true }}'
    assert sent(raw, "asked", stream=True).body is raw


@pytest.mark.parametrize(
    ("quirks", "asked", "said"),
    [
        (PLAIN, {"max_tokens": 5}, {"max_tokens": 5}),
        (PLAIN, {"max_completion_tokens": 5}, {"max_tokens": 5}),
        (OPENAI, {"max_tokens": 5}, {"max_completion_tokens": 5}),
        (OPENAI, {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
        (OPENAI, {"max_tokens": 9, "max_completion_tokens": 5}, {"max_completion_tokens": 5}),
        (Quirks(max_output_tokens=4), {"max_tokens": 5}, {"max_tokens": 4}),
        (Quirks(max_output_tokens=4), {"max_completion_tokens": 3}, {"max_tokens": 3}),
        (Quirks(max_output_tokens=4), {}, {}),
        (PLAIN, {"max_tokens": None}, {"max_tokens": None}),
    ],
)
def test_a_limit_has_the_name_and_the_bound_of_the_row(
    quirks: Quirks, asked: dict[str, Any], said: dict[str, Any]
) -> None:
    assert made("m", quirks, **asked) == said


@pytest.mark.parametrize(
    ("model", "quirks", "thinking", "asked", "said", "lost"),
    [
        ("m", PLAIN, True, "high", "high", ()),  # the row knows nothing: the client may
        ("m", PLAIN, True, "none", "none", ()),
        ("m", PLAIN, False, "high", None, ()),
        ("m", PLAIN, False, None, None, ()),
        ("gpt-5", OPENAI, True, "high", "high", ()),
        ("gpt-5", OPENAI, True, "xhigh", "high", ()),
        ("gpt-5", OPENAI, True, "minimal", "low", ()),
        ("gpt-5", OPENAI, True, "next_year", "next_year", ()),
        ("gpt-5", OPENAI, True, None, None, ()),
        ("gpt-5", OPENAI, False, None, "low", ()),
        ("gpt-4o", OPENAI, True, "high", None, ("effort",)),
        ("gpt-4o", OPENAI, True, "none", None, ()),
        ("gpt-4o", OPENAI, False, "high", None, ()),
    ],
)
def test_effort(
    model: str, quirks: Quirks, thinking: bool, asked: str | None, said: str | None, lost: tuple[str, ...]
) -> None:
    effort = {"reasoning_effort": asked} if asked else {}
    body = {"model": "asked", "messages": [{"role": "user", "content": "Hi"}], **effort}
    request = sent(json.dumps(body).encode(), model, quirks, thinking)
    assert (json.loads(request.body).get("reasoning_effort"), request.lost) == (said, lost)


def test_a_developer_is_a_system_to_servers_that_know_no_other() -> None:
    said = [{"role": "developer", "content": "a"}, {"role": "user", "content": 'the "developer"'}]
    body = json.loads(sent(json.dumps({"model": "m", "messages": said}).encode()).body)
    assert body["messages"] == [{"role": "system", "content": "a"}, said[1]]


def test_a_developer_in_a_text_changes_nothing() -> None:
    raw = b'{"model":"m","messages":[{"role":"user","content":"x","name":"developer"}]}'
    assert sent(raw, "m").body is raw
