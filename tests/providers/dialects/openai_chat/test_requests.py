"""A Chat request that passes straight through: the client's bytes, with as few edits as the row and route ask for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from providers.call import Call, Operation, UpstreamRequest
from providers.chat.marks import signed_id
from providers.dialects.openai_chat import DIALECT
from providers.json_object import JsonObject, encode
from providers.quirks import Quirks, Replay
from tests.providers.dialects.openai_chat.asking import HI, PLAIN, config

SAID = b'"messages": [ {"role": "user", "content": "H\\u00fc"} ]'
RAW = b"{ " + SAID + b',\n  "model" : "asked", "seed": 7, "next_year": {"a": 1.0} }'
OPENAI = Quirks(max_tokens_field="max_completion_tokens")


def sent(
    raw: bytes, model: str = "target", quirks: Quirks = PLAIN, stream: bool = False, **settings: Any
) -> UpstreamRequest:
    body = JsonObject(raw)
    DIALECT.check(body)
    assert DIALECT.straight is not None
    call = Call("req_1", "openai_chat", Operation.MESSAGES, body, body.get("model"), stream, (("x-secret", "s"),))
    return DIALECT.straight.request(call, model, True, replace(config(quirks), **settings), "sk-up")


def made(model: str = "target", quirks: Quirks = PLAIN, /, **body: Any) -> dict[str, Any]:
    raw = json.dumps({"model": "asked", "messages": [{"role": "user", "content": "Hi"}], **body}).encode()
    request = sent(raw, model, quirks, body.get("stream") is True)
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


@pytest.mark.parametrize(("asked", "named"), [(3, ()), (4, ()), (5, ("max_tokens",))])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_that_was_cut_is_named(name: str, asked: int, named: tuple[str, ...]) -> None:
    raw = encode({"model": "m", "messages": [{"role": "user", "content": "Hi"}], name: asked})
    assert sent(raw, "m", Quirks(max_output_tokens=4)).lost == named


@pytest.mark.parametrize("effort", ["high", "none", "next_year"])
def test_the_row_knows_nothing_of_efforts_but_the_client_may(effort: str) -> None:
    assert made(reasoning_effort=effort)["reasoning_effort"] == effort


FITS = [
    PLAIN,
    OPENAI,
    Quirks(max_output_tokens=4, files=True, samplers=("top_k",)),
    Quirks(untyped_tools=True, thinks_unasked=True, signed_thoughts=True),
    Quirks(models=((("other",), Quirks(vision=False)),)),
]
NEEDS_MORE = [
    Quirks(refused=("user",)),
    Quirks(accepted=("stop",)),
    Quirks(body={"a": 1}),
    Quirks(schemas="openai"),
    Quirks(strict_tools=False),
    Quirks(thinking_off={"thinking": {"type": "disabled"}}),
    Quirks(efforts=("low",)),
    Quirks(learned=("user",)),
    Quirks(vision=False),
    Quirks(replay=Replay.NEVER),
    Quirks(signed_models=("gemini-3",)),
    Quirks(think_models=("m",)),
    Quirks(models=((("m",), Quirks(vision=False)),)),
]


def fits(quirks: Quirks, model: str = "m", thinking: bool = True) -> bool:
    assert DIALECT.straight is not None
    return DIALECT.straight.fits(quirks.of(model), model, thinking)


@pytest.mark.parametrize("quirks", FITS)
def test_bytes_pass_where_nothing_more_is_asked_for(quirks: Quirks) -> None:
    assert fits(quirks)
    assert not fits(quirks, thinking=False)  # an upstream's thoughts have to be left out


@pytest.mark.parametrize("quirks", NEEDS_MORE)
def test_any_other_quirk_is_for_the_translation(quirks: Quirks) -> None:
    assert not fits(quirks)


@pytest.mark.parametrize("model", ["qwen/qwen3-32b", "deepseek-ai/DeepSeek-R1", "MiniMax-M3"])
def test_a_model_that_thinks_in_its_text_is_translated(model: str) -> None:
    assert not fits(PLAIN, model)


def test_members_that_are_added_and_what_cannot_be() -> None:
    asked = {"model": "asked", "messages": HI, "seed": 7, "extra_body": {"seed": 8, "o": {"b": 2}, "stream": 1}}
    request = sent(json.dumps(asked).encode(), extra_body={"o": {"a": 1}, "tools": []})
    body = json.loads(request.body)
    assert {name: body.get(name) for name in ("seed", "o", "stream", "extra_body", "tools")} == {
        "seed": 8,
        "o": {"a": 1, "b": 2},
        "stream": None,
        "extra_body": None,
        "tools": None,
    }
    assert request.lost == ("extra_body.tools", "extra_body.stream")


def test_another_upstreams_signature_is_taken_out_of_an_id() -> None:
    identity = signed_id("call_1", "gemini", "google", "c2ln")
    call = {"id": identity, "type": "function", "function": {"name": "Bash", "arguments": "{}"}}
    turns = [*HI, {"role": "assistant", "content": None, "tool_calls": [call]}]
    result = {"role": "tool", "tool_call_id": identity, "content": "done"}
    messages = json.loads(sent(json.dumps({"model": "m", "messages": [*turns, result]}).encode()).body)["messages"]
    assert (messages[1]["tool_calls"], messages[2]) == (
        [{**call, "id": "call_1"}],
        {**result, "tool_call_id": "call_1"},
    )
    raw = b'{"model":"m","messages":[{"role":"user","content":"call_1-keyturn-0"}]}'
    assert sent(raw, "m").body is raw


def test_a_developer_is_a_system_to_servers_that_know_no_other() -> None:
    said = [{"role": "developer", "content": "a"}, {"role": "user", "content": 'the "developer"'}]
    body = json.loads(sent(json.dumps({"model": "m", "messages": said}).encode()).body)
    assert body["messages"] == [{"role": "system", "content": "a"}, said[1]]


def test_a_developer_in_a_text_changes_nothing() -> None:
    raw = b'{"model":"m","messages":[{"role":"user","content":"x","name":"developer"}]}'
    assert sent(raw, "m").body is raw
