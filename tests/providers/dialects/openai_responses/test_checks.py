"""Responses requests that are refused: the first wrong field by name, and whatever needs a store."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.errors import Fault
from tests.providers.dialects.openai_responses.asking import parsed

CALL = {"type": "function_call", "call_id": "c", "name": "Bash", "arguments": "{}"}


def content(*parts: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": list(parts)}]}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model: a model name is required"),
    ({"model": " "}, "model: a model name is required"),
    ({"input": None}, "input: a string, or a list of at least one item"),
    ({"input": ""}, "input: a string, or a list of at least one item"),
    ({"input": []}, "input: a string, or a list of at least one item"),
    ({"input": {"role": "user"}}, "input: a string, or a list of at least one item"),
    ({"input": ["Hi"]}, "input.0: should be an object with a type"),
    ({"input": [{"type": 5}]}, "input.0.type: should be a string"),
    ({"input": [{"content": "Hi"}]}, "input.0.role: should be one of user"),
    ({"input": [{"role": "tool", "content": "Hi"}]}, "input.0.role: should be one of user"),
    ({"input": [{"role": "user", "content": 5}]}, "input.0.content: should be a string or a list"),
    ({"input": [{"role": "user", "content": ["Hi"]}]}, "input.0.content.0: should be an object with a type"),
    ({"input": [{"role": "user", "content": [{"text": "Hi"}]}]}, "input.0.content.0: should be an object"),
    ({"input": [{**CALL, "call_id": 5}]}, "input.0.call_id: should be a string"),
    ({"input": [{**CALL, "name": None}]}, "input.0.name: should be a string"),
    ({"input": [{**CALL, "arguments": {}}]}, "input.0.arguments: should be a string"),
    ({"input": [{"type": "custom_tool_call", "call_id": "c", "name": "p"}]}, "input.0.input: should be a string"),
    ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input.0.output: should be a string or a list"),
    ({"input": [{"type": "function_call_output", "output": "x"}]}, "input.0.call_id: should be a string"),
    ({"input": [{"type": "function_call_output", "call_id": "c", "output": ["x"]}]}, "input.0.output.0: should be"),
    ({"input": [{"type": "reasoning", "summary": "x"}]}, "input.0.summary: should be a list"),
    ({"input": [{"type": "reasoning", "summary": ["x"]}]}, "input.0.summary.0: should be an object"),
    ({"instructions": 5}, "instructions: should be a string"),
    ({"stream": "yes"}, "stream: should be true or false"),
    ({"max_output_tokens": "5"}, "max_output_tokens: should be a whole number"),
    ({"max_output_tokens": True}, "max_output_tokens: should be a whole number"),
    ({"temperature": "hot"}, "temperature: should be a number"),
    ({"top_p": []}, "top_p: should be a number"),
    ({"tools": {}}, "tools: should be a list"),
    ({"tools": ["x"]}, "tools.0: should be an object with a type"),
    ({"tools": [{"type": "function"}]}, "tools.0.name: should be a non-empty string"),
    ({"tools": [{"type": "function", "name": ""}]}, "tools.0.name: should be a non-empty string"),
    ({"tools": [{"type": "function", "name": "a", "parameters": 5}]}, "tools.0.parameters: should be an object"),
    ({"tools": [{"type": "namespace", "name": "a"}]}, "tools.0.tools: should be a list"),
    ({"tools": [{"type": "namespace", "name": "a", "tools": [{}]}]}, "tools.0.tools.0: should be an object"),
    ({"tool_choice": 5}, "tool_choice: should be a string or an object"),
    ({"parallel_tool_calls": "no"}, "parallel_tool_calls: should be true or false"),
    ({"reasoning": "high"}, "reasoning: should be an object"),
    ({"text": "json"}, "text: should be an object"),
    ({"text": {"format": "json"}}, "text.format: should be an object with a type"),
    ({"include": "all"}, "include: should be a list"),
    (content({"type": "input_text", "text": 5}), "input.0.content.0.text: should be a string"),
    (content({"type": "input_image", "image_url": {"url": "x"}}), "input.0.content.0.image_url: should be a string"),
    (content({"type": "refusal"}), "input.0.content.0.refusal: should be a string"),
    ({"input": [{"type": "reasoning", "summary": [{"type": "summary_text"}]}]}, "input.0.summary.0.text: should be"),
    ({"input": [{"type": "reasoning", "encrypted_content": 5}]}, "input.0.encrypted_content: should be a string"),
    ({"max_output_tokens": 0}, "max_output_tokens: should be 1 or more"),
    ({"tools": [{"type": "function", "name": "a", "strict": 1}]}, "tools.0.strict: should be true or false"),
    ({"tools": [{"type": "custom", "name": "a", "description": 1}]}, "tools.0.description: should be a string"),
    ({"tool_choice": "sometimes"}, "tool_choice: should be one of none, auto, required, or an object"),
    ({"tool_choice": {}}, "tool_choice.type: should be a string"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.name: should be a non-empty string"),
    ({"tool_choice": {"type": "allowed_tools", "mode": "auto"}}, "tool_choice.tools: should be a list"),
    ({"reasoning": {"effort": 5}}, "reasoning.effort: should be a string"),
    ({"reasoning": {"summary": True}}, "reasoning.summary: should be a string"),
    ({"text": {"verbosity": 5}}, "text.verbosity: should be a string"),
    ({"text": {"format": {}}}, "text.format: should be an object with a type"),
    ({"text": {"format": {"type": "json_schema", "name": "t"}}}, "text.format.schema: should be an object"),
    ({"metadata": "x"}, "metadata: should be an object"),
    ({"user": 5}, "user: should be a string"),
    ({"max_tool_calls": "3"}, "max_tool_calls: should be a whole number"),
    ({"truncation": True}, "truncation: should be a string"),
    ({"extra_body": []}, "extra_body: should be an object"),
]


@pytest.mark.parametrize(("body", "words"), WRONG, ids=[json.dumps(body) for body, _ in WRONG])
def test_what_is_wrong_is_named(body: dict[str, Any], words: str) -> None:
    with pytest.raises(Fault) as caught:
        parsed(**body)
    assert caught.value.status == 400
    assert caught.value.message.startswith(words)
    assert caught.value.param == words.partition(":")[0]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("store", True, "nothing is stored here"),
        ("previous_response_id", "resp_1", "send the whole conversation as input"),
        ("conversation", "conv_1", "nothing is stored here"),
        ("conversation", {"id": "conv_1"}, "nothing is stored here"),
        ("background", True, "not made in the background"),
        ("prompt", {"id": "pmpt_1"}, "send their text as instructions"),
    ],
)
def test_what_needs_a_store_is_refused_by_name(field: str, value: Any, words: str) -> None:
    with pytest.raises(Fault) as caught:
        parsed(**{field: value})
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    assert caught.value.param == field
    assert words in caught.value.message


@pytest.mark.parametrize(("field", "value"), [("store", False), ("background", False), ("conversation", None)])
def test_what_asks_for_no_store_is_taken(field: str, value: Any) -> None:
    parsed(**{field: value})


def test_a_reference_to_a_stored_item_is_refused() -> None:
    with pytest.raises(Fault, match=r"input\.1: a reference to a stored item"):
        parsed(input=[{"role": "user", "content": "Hi"}, {"type": "item_reference", "id": "msg_1"}])


def test_items_and_tools_that_only_openai_has_are_none_of_its_business() -> None:
    parsed(input=[{"type": "web_search_call", "id": "ws_1"}, {"type": "next_year"}], tools=[{"type": "next_year"}])
