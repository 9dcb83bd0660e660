"""A body that is no Messages request is a 400 that names the field; what is merely new is let through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialects.anthropic import DIALECT
from providers.errors import Fault
from providers.json_object import JsonObject, NotJson
from tests.providers.bodies import FULL, spoilt
from tests.providers.support import property_test

GOOD: dict[str, Any] = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}


def check(body: dict[str, Any]) -> None:
    DIALECT.check(JsonObject(json.dumps(body).encode()))


def of_user(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


BAD = [
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"model": "  "}, "model"),
    ({"model": 7}, "model"),
    ({"model": ["m"]}, "model"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "Hi"}, "messages"),
    ({"messages": {"role": "user"}}, "messages"),
    ({"messages": ["Hi"]}, "messages.0"),
    ({"messages": [None]}, "messages.0"),
    ({"messages": [GOOD["messages"][0], 7]}, "messages.1"),
    ({"messages": [{"content": "Hi"}]}, "messages.0.role"),
    ({"messages": [{"role": "tool", "content": "Hi"}]}, "messages.0.role"),
    ({"messages": [{"role": ["user"], "content": "Hi"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": {"type": "text"}}]}, "messages.0.content"),
    (of_user("Hi"), "messages.0.content.0"),
    (of_user(None), "messages.0.content.0"),
    (of_user({"text": "Hi"}), "messages.0.content.0"),
    (of_user({"type": 7}), "messages.0.content.0"),
    (of_user({"type": "txet", "text": "Hi"}), "messages.0.content.0.type"),
    (of_user({"type": "text", "text": "Hi"}, {"type": "text"}), "messages.0.content.1.text"),
    (of_user({"type": "text", "text": ["Hi"]}), "messages.0.content.0.text"),
    (of_user({"type": "image", "source": "x.png"}), "messages.0.content.0.source"),
    (of_user({"type": "document"}), "messages.0.content.0.source"),
    (of_user({"type": "search_result", "content": "x"}), "messages.0.content.0.content"),
    (of_user({"type": "thinking", "thinking": None}), "messages.0.content.0.thinking"),
    (of_user({"type": "redacted_thinking"}), "messages.0.content.0.data"),
    (of_user({"type": "tool_use", "name": "n", "input": {}}), "messages.0.content.0.id"),
    (of_user({"type": "tool_use", "id": "i", "input": {}}), "messages.0.content.0.name"),
    (of_user({"type": "tool_use", "id": "i", "name": "n", "input": "{}"}), "messages.0.content.0.input"),
    (of_user({"type": "tool_result"}), "messages.0.content.0.tool_use_id"),
    (of_user({"type": "tool_result", "tool_use_id": "i", "content": 7}), "messages.0.content.0.content"),
    (of_user({"type": "tool_result", "tool_use_id": "i", "content": ["x"]}), "messages.0.content.0.content.0"),
    (of_user({"type": "tool_result", "tool_use_id": "i", "content": [{}]}), "messages.0.content.0.content.0"),
    (of_user({"type": "server_tool_use", "id": "i"}), "messages.0.content.0.name"),
    (of_user({"type": "container_upload"}), "messages.0.content.0.file_id"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_tokens": "10"}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"max_tokens": None}, "max_tokens"),
    ({"system": 7}, "system"),
    ({"system": {"type": "text", "text": "x"}}, "system"),
    ({"system": ["x"]}, "system.0"),
    ({"system": [{"type": "text", "text": "x"}, {"type": "text"}]}, "system.1.text"),
    ({"stream": "true"}, "stream"),
    ({"stream": 1}, "stream"),
    ({"tools": {}}, "tools"),
    ({"tools": ["Bash"]}, "tools.0"),
    ({"tools": [{"name": 7}]}, "tools.0.name"),
    ({"tools": [{"name": "a"}, {"name": "b", "input_schema": "{}"}]}, "tools.1.input_schema"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"thinking": True}, "thinking"),
    ({"thinking": "adaptive"}, "thinking"),
    ({"metadata": "me"}, "metadata"),
    ({"output_config": []}, "output_config"),
    ({"context_management": []}, "context_management"),
    ({"stop_sequences": "x"}, "stop_sequences"),
    ({"stop_sequences": ["x", 1]}, "stop_sequences"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": False}, "top_p"),
    ({"top_k": [1]}, "top_k"),
]


@pytest.mark.parametrize(("members", "path"), BAD, ids=[f"{path}={json.dumps(bad)[-40:]}" for bad, path in BAD])
def test_a_bad_field_is_named(members: dict[str, Any], path: str) -> None:
    with pytest.raises(Fault) as raised:
        check({**GOOD, **members})
    fault = raised.value
    assert (fault.status, fault.type) == (400, "invalid_request_error")
    assert fault.message.startswith(f"{path}: ")
    assert len(fault.message) < 200


@pytest.mark.parametrize("name", ["model", "messages"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(Fault, match=f"400 invalid_request_error: {name}: "):
        check({key: value for key, value in GOOD.items() if key != name})


def test_the_model_comes_first() -> None:
    with pytest.raises(Fault, match="model: "):
        check({"messages": 7, "max_tokens": "x"})


SOURCE = {"type": "base64", "media_type": "image/png", "data": "aGk="}
BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "text": ""},
    {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}, "citations": None},
    {"type": "image", "source": SOURCE, "transformations": {"oversized_image": "downsize"}},
    {"type": "document", "source": {"type": "file", "file_id": "f"}, "title": None},
    {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]},
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "redacted_thinking", "data": "x"},
    {"type": "tool_use", "id": "", "name": "Bash", "input": {}, "caller": {"type": "direct"}},
    {"type": "tool_result", "tool_use_id": "i"},
    {"type": "tool_result", "tool_use_id": "i", "content": None},
    {"type": "tool_result", "tool_use_id": "i", "content": "x", "is_error": True},
    {"type": "tool_result", "tool_use_id": "i", "content": []},
    {
        "type": "tool_result",
        "tool_use_id": "i",
        "content": [
            {"type": "text", "text": "x"},
            {"type": "image", "source": SOURCE},
            {"type": "tool_reference", "tool_name": "t"},
            {"type": "browser_state"},
        ],
    },
    {"type": "server_tool_use", "id": "i", "name": "web_search", "input": {}},
    {"type": "web_search_tool_result", "tool_use_id": "i", "content": []},
    {"type": "web_fetch_tool_result", "tool_use_id": "i", "content": {"type": "web_fetch_result"}},
    {"type": "code_execution_tool_result", "tool_use_id": "i", "content": {}},
    {"type": "bash_code_execution_tool_result", "tool_use_id": "i", "content": {}},
    {"type": "text_editor_code_execution_tool_result", "tool_use_id": "i", "content": {}},
    {"type": "tool_search_tool_result", "tool_use_id": "i", "content": {}},
    {"type": "container_upload", "file_id": "f"},
    {"type": "mcp_tool_use", "id": "i", "name": "n", "server_name": "s", "input": {}},
    {"type": "mcp_tool_result", "tool_use_id": "i", "is_error": False, "content": []},
    {"type": "mcp_tool_listing"},
    {"type": "advisor_tool_result", "content": {}},
    {"type": "compaction", "content": None, "encrypted_content": "x"},
    {"type": "fallback", "from": "a", "to": "b"},
    {"type": "tool_addition"},
    {"type": "tool_removal"},
    {"type": "brand_new_tool_use"},
    {"type": "brand_new_tool_result"},
]


@pytest.mark.parametrize("block", BLOCKS, ids=[str(block["type"]) for block in BLOCKS])
@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_every_block_of_the_api_is_taken_in_every_role(block: dict[str, Any], role: str) -> None:
    check({**GOOD, "messages": [{"role": role, "content": [block]}]})


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"max_tokens": 0},
        {"max_tokens": 10**9},
        {"system": "x"},
        {"system": []},
        {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        {"stream": None},
        {"tools": []},
        {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}]},
        {"tools": [{"type": "browser_toolset_20260801"}]},
        {"tools": [{"name": "a", "input_schema": {}, "eager_input_streaming": True, "defer_loading": True}]},
        {"tool_choice": None, "thinking": None, "metadata": None, "output_config": None, "context_management": None},
        {"stop_sequences": None, "temperature": None, "top_p": 1, "top_k": 0.5},
        {"thinking": {"type": "between_tools"}, "output_config": {"effort": "brand new"}},
        {"messages": [{"role": "user", "content": ""}]},
        {"messages": [{"role": "assistant", "content": []}]},
        {"messages": [{"role": "user", "content": "x", "name": "me", "cache_control": {}}]},
    ],
)
def test_what_the_api_takes_is_taken(members: dict[str, Any]) -> None:
    check({**GOOD, **members})


def test_a_full_body_is_taken() -> None:
    check(FULL)


def test_unknown_fields_are_none_of_our_business() -> None:
    check({**GOOD, "brand_new": [1], "mcp_servers": 7, "betas": {}, "max_tokens_to_sample": "x", "container": False})


def test_max_tokens_may_be_missing_as_in_count_tokens() -> None:
    check({"model": "m", "messages": GOOD["messages"]})


# Random bodies


@property_test
@given(spoilt())
def test_random_bodies_are_taken_or_faulted(body: dict[str, Any]) -> None:
    try:
        check(body)
    except Fault as fault:
        raised = fault
    else:
        return
    assert raised.status == 400
    field = raised.message.split(":")[0].split(".")[0]
    assert field in ("model", "messages") or field in body


@property_test
@given(st.sampled_from(sorted({*GOOD, "tools", "system", "thinking", "top_p"})), st.binary(max_size=20))
def test_random_bytes_as_a_member_are_a_fault_or_not_json(name: str, value: bytes) -> None:
    members = {key: json.dumps(each).encode() for key, each in GOOD.items()} | {name: value}
    raw = b"{" + b",".join(b'"%s":%s' % (key.encode(), each) for key, each in members.items()) + b"}"
    try:
        body = JsonObject(raw)
        DIALECT.check(body)
    except (Fault, NotJson):
        return
    assert name in body
