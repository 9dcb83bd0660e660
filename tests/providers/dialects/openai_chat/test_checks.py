"""Chat Completions requests that are refused: the first wrong field by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.dialects.openai_chat import DIALECT
from providers.dialects.openai_chat.errors import error_body
from providers.errors import Fault
from providers.json_object import JsonObject

HI: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]


def content(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def called(*calls: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "tool_calls": list(calls)}]}


def check(**body: Any) -> None:
    DIALECT.check(JsonObject(json.dumps({"model": "gpt-asked", "messages": HI, **body}).encode()))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model: a model name is required"),
    ({"model": ""}, "model: a model name is required"),
    ({"model": " "}, "model: a model name is required"),
    ({"model": 5}, "model: a model name is required"),
    ({"messages": None}, "messages: a list of at least one message"),
    ({"messages": []}, "messages: a list of at least one message"),
    ({"messages": "Hi"}, "messages: a list of at least one message"),
    ({"messages": ["Hi"]}, "messages.0: should be an object"),
    ({"messages": [*HI, {"content": "Hi"}]}, "messages.1.role: should be one of system"),
    ({"messages": [{"role": "human", "content": "Hi"}]}, "messages.0.role: should be one of system"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content: should be a string or a list"),
    ({"messages": [{"role": "user", "content": ["Hi"]}]}, "messages.0.content.0: should be an object with a type"),
    (
        {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
        "messages.0.content.0: should be an object with a type",
    ),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id: should be a string"),
    ({"messages": [{"role": "assistant", "tool_calls": ["x"]}]}, "messages.0.tool_calls.0: should be an object"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"function": "x"}]}]},
        "messages.0.tool_calls.0.function: should be an object",
    ),
    ({"messages": [{"role": "assistant", "tool_calls": 5}]}, "messages.0.tool_calls: should be a list"),
    ({"n": 2}, "n: one answer is made per request"),
    ({"n": "1"}, "n: one answer is made per request"),
    ({"stream": "yes"}, "stream: should be true or false"),
    ({"stream": 1}, "stream: should be true or false"),
    ({"stream_options": True}, "stream_options: should be an object"),
    ({"max_tokens": "5"}, "max_tokens: should be a whole number"),
    ({"max_tokens": True}, "max_tokens: should be a whole number"),
    ({"max_tokens": False}, "max_tokens: should be a whole number"),
    ({"max_completion_tokens": 1.5}, "max_completion_tokens: should be a whole number"),
    ({"temperature": "hot"}, "temperature: should be a number"),
    ({"temperature": False}, "temperature: should be a number"),
    ({"top_p": []}, "top_p: should be a number"),
    ({"stop": 5}, "stop: should be a string or a list"),
    ({"tools": {}}, "tools: should be a list"),
    ({"tools": ["x"]}, "tools.0: should be an object"),
    (
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": 5}}]},
        "tools.0.function.parameters: should be an object",
    ),
    ({"tool_choice": 5}, "tool_choice: should be a string or an object"),
    ({"parallel_tool_calls": "no"}, "parallel_tool_calls: should be true or false"),
    ({"reasoning_effort": 5}, "reasoning_effort: should be a string"),
    ({"response_format": "json"}, "response_format: should be an object"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: should be a string or a list"),
    ({"messages": [{"role": "system", "content": None}]}, "messages.0.content: should be a string or a list"),
    ({"messages": [{**HI[0], "name": 5}]}, "messages.0.name: should be a string"),
    (content({"type": "text", "text": None}), "messages.0.content.0.text: should be a string"),
    (
        content({"type": "image_url", "image_url": "https://a.test"}),
        "messages.0.content.0.image_url: should be an object",
    ),
    (content({"type": "image_url", "image_url": {}}), "messages.0.content.0.image_url.url: should be a string"),
    (content({"type": "file", "file": "file_1"}), "messages.0.content.0.file: should be an object"),
    (content({"type": "input_audio"}), "messages.0.content.0.input_audio: should be an object"),
    (called({"type": "function"}), "messages.0.tool_calls.0.function: should be an object"),
    (called({"type": "function", "function": {}}), "messages.0.tool_calls.0.function.name: should be a string"),
    (
        called({"type": "function", "function": {"name": "Bash", "arguments": {}}}),
        "messages.0.tool_calls.0.function.arguments: should be a string",
    ),
    (called({"type": "custom", "custom": {"name": 5}}), "messages.0.tool_calls.0.custom.name: should be a string"),
    ({"messages": [{"role": "assistant", "function_call": "x"}]}, "messages.0.function_call: should be an object"),
    ({"messages": [{"role": "assistant", "refusal": 5}]}, "messages.0.refusal: should be a string"),
    ({"max_tokens": 0}, "max_tokens: should be 1 or more"),
    ({"max_completion_tokens": -1}, "max_completion_tokens: should be 1 or more"),
    ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage: should be true or false"),
    ({"stop": ["a", 5]}, "stop: should be a string or a list of strings"),
    ({"tools": [{}]}, "tools.0.type: should be a string"),
    ({"tools": [{"type": "function"}]}, "tools.0.function: should be an object"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name: should be a non-empty string"),
    (
        {"tools": [{"type": "function", "function": {"name": "a", "strict": "x"}}]},
        "tools.0.function.strict: should be true or false",
    ),
    ({"tools": [{"type": "custom", "custom": {"name": ""}}]}, "tools.0.custom.name: should be a non-empty string"),
    ({"tool_choice": "sometimes"}, "tool_choice: should be one of none, auto, required, or an object"),
    ({"tool_choice": {}}, "tool_choice.type: should be a string"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.function: should be an object"),
    ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name: should be a non-empty string"),
    ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools: should be an object"),
    (
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
        "tool_choice.allowed_tools.tools: should be a list",
    ),
    ({"response_format": {}}, "response_format.type: should be a string"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema: should be an object"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": "x"}}},
        "response_format.json_schema.schema: should be an object",
    ),
    ({"seed": "7"}, "seed: should be a whole number"),
    ({"logit_bias": []}, "logit_bias: should be an object"),
    ({"logprobs": 1}, "logprobs: should be true or false"),
    ({"user": 5}, "user: should be a string"),
    ({"metadata": "x"}, "metadata: should be an object"),
    ({"store": "no"}, "store: should be true or false"),
    ({"verbosity": 1}, "verbosity: should be a string"),
    ({"service_tier": 1}, "service_tier: should be a string"),
    ({"functions": {}}, "functions: should be a list"),
    ({"extra_body": []}, "extra_body: should be an object"),
]


@pytest.mark.parametrize(("body", "words"), WRONG, ids=[json.dumps(body) for body, _ in WRONG])
def test_what_is_wrong_is_named(body: dict[str, Any], words: str) -> None:
    with pytest.raises(Fault) as caught:
        check(**body)
    assert caught.value.status == 400
    assert caught.value.message.startswith(words)
    assert caught.value.param == words.partition(":")[0]


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "assistant", "content": None}, {"role": "tool", "tool_call_id": "c", "content": None}]},
        {"tools": [{"type": "next_year"}], "tool_choice": {"type": "next_year"}},
        content({"type": "next_year"}),
        {"stop": None, "max_tokens": None, "tools": None, "response_format": None, "n": None},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "t"}}},
        called({"function": {"name": "Bash", "arguments": "{"}}),
    ],
    ids=json.dumps,
)
def test_what_is_odd_is_taken(body: dict[str, Any]) -> None:
    check(**body)


def test_places_are_written_as_openai_writes_them() -> None:
    with pytest.raises(Fault) as caught:
        check(**content({"type": "text", "text": 5}))
    told = json.loads(error_body(caught.value))["error"]
    assert told["param"] == "messages[0].content[0].text"
    assert told["message"] == "messages[0].content[0].text: should be a string"
