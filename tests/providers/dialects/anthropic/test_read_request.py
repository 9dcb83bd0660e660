"""Messages requests in the neutral language: every field and block, and what it cannot say by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.chat.request import (
    Block,
    ChatRequest,
    Document,
    Image,
    JsonSchema,
    Message,
    Raw,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from providers.dialects.anthropic import DIALECT
from providers.errors import Fault
from providers.json_object import JsonObject

HI = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
ANY_SCHEMA = {"type": "object", "properties": {}}


def read(think: bool = True, /, **body: Any) -> ChatRequest:
    made = JsonObject(json.dumps({"model": "asked", "messages": HI, **body}).encode())
    DIALECT.check(made)
    return DIALECT.read_request(made, "target", think)


def blocks(*content: dict[str, Any], role: str = "user") -> tuple[Block, ...]:
    return read(messages=[{"role": role, "content": list(content)}]).messages[0].content


def test_a_small_request() -> None:
    assert read() == ChatRequest("target", (Message("user", (Text("Hi"),)),))
    assert read(stream=True).stream
    assert not read(stream=False).stream


def test_roles_and_strings() -> None:
    said = [{"role": role, "content": role} for role in ("user", "assistant", "system")]
    assert [(message.role, message.content) for message in read(messages=said).messages] == [
        ("user", (Text("user"),)),
        ("assistant", (Text("assistant"),)),
        ("system", (Text("system"),)),
    ]


@pytest.mark.parametrize(
    ("block", "made"),
    [
        ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, Text("a")),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iV"}},
            Image("image/png", "iV"),
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://e.com/a"}}, Image(url="https://e.com/a")),
        (
            {
                "type": "document",
                "title": "t",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JV"},
            },
            Document("application/pdf", "JV", title="t"),
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            Document("text/plain", text="words"),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://e.com/a"}},
            Document("application/pdf", url="https://e.com/a"),
        ),
        (
            {
                "type": "document",
                "source": {
                    "type": "content",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                },
            },
            Document("text/plain", text="a\nb"),
        ),
        ({"type": "document", "source": {"type": "content", "content": "a"}}, Document("text/plain", text="a")),
        (
            {
                "type": "search_result",
                "source": "https://e.com",
                "title": "t",
                "content": [{"type": "text", "text": "a"}],
            },
            Document("text/plain", text="a", title="t", context="It was found at https://e.com."),
        ),
        ({"type": "thinking", "thinking": "why", "signature": "s"}, Thinking("why", "s")),
        ({"type": "thinking", "thinking": "why"}, Thinking("why")),
        (
            {"type": "tool_use", "id": "t", "name": "Bash", "input": {"a": [1, "é"]}},
            ToolUse("t", "Bash", '{"a":[1,"é"]}'),
        ),
        ({"type": "tool_result", "tool_use_id": "t"}, ToolResult("t", ())),
        ({"type": "tool_result", "tool_use_id": "t", "content": "a"}, ToolResult("t", (Text("a"),))),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": "a", "is_error": True},
            ToolResult("t", (Text("a"),), True),
        ),
        ({"type": "tool_result", "tool_use_id": "t", "content": None, "is_error": None}, ToolResult("t", ())),
    ],
    ids=lambda value: str(value.get("type")) if isinstance(value, dict) else "",
)
def test_blocks(block: dict[str, Any], made: Block) -> None:
    assert blocks(block) == (made,)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "document", "source": {"type": "file", "file_id": "f"}},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "container_upload", "file_id": "f"},
    ],
    ids=lambda block: str(block["type"]),
)
def test_blocks_that_only_messages_knows_are_kept_as_they_came(block: dict[str, Any]) -> None:
    assert blocks(block) == (Raw(block["type"], block),)


def test_results_hold_blocks_of_their_own() -> None:
    content: list[dict[str, Any]] = [
        {"type": "text", "text": "a"},
        {"type": "image", "source": {"type": "url", "url": "u"}},
        {"type": "tool_reference", "tool_name": "x"},
    ]
    (made,) = blocks({"type": "tool_result", "tool_use_id": "t", "content": content})
    assert made == ToolResult("t", (Text("a"), Image(url="u"), Raw("tool_reference", content[2])))


@pytest.mark.parametrize(
    ("system", "made"),
    [
        ("Words.", ("Words.",)),
        (None, ()),
        ([], ()),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], ("a", "b")),
        (
            [
                {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.197.abc;"},
                {"type": "text", "text": "b"},
            ],
            ("b",),
        ),
        ("x-anthropic-billing-header: cc_version=2.1.197.abc;", ()),
    ],
)
def test_system(system: Any, made: tuple[str, ...]) -> None:
    given = {} if system is None else {"system": system}
    assert tuple(part.text for part in read(**given).system) == made


def test_tools() -> None:
    given = [
        {"name": "Bash", "description": "Runs.", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}},
        {"name": "Plan", "type": "custom", "input_schema": {}},
        {"name": "Free", "type": None},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "browser_toolset_20260801"},
        {"input_schema": SCHEMA},
    ]
    made = read(tools=given)
    assert made.tools == (Tool("Bash", "Runs.", SCHEMA), Tool("Plan", "", ANY_SCHEMA), Tool("Free", "", ANY_SCHEMA))
    assert made.lost == ("tools.bash_20250124", "tools.browser_toolset_20260801", "tools.unnamed")


@pytest.mark.parametrize(
    ("choice", "made", "parallel"),
    [
        (None, None, None),
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("any"), False),
        ({"type": "tool", "name": "Bash", "disable_parallel_tool_use": False}, ToolChoice("tool", "Bash"), None),
        ({"type": "none"}, ToolChoice("none"), None),
    ],
)
def test_tool_choice(choice: Any, made: ToolChoice | None, parallel: bool | None) -> None:
    asked = read(tool_choice=choice)
    assert (asked.tool_choice, asked.parallel_tools, asked.lost) == (made, parallel, ())


@pytest.mark.parametrize("choice", [{"type": "sometimes"}, {"type": 5}, {"name": "Bash"}])
def test_a_choice_of_another_kind_is_lost_by_name(choice: Any) -> None:
    asked = read(tool_choice=choice)
    assert (asked.tool_choice, asked.lost) == (None, ("tool_choice",))


@pytest.mark.parametrize(
    ("asked", "think", "made"),
    [
        ({}, True, Reasoning()),
        ({}, False, Reasoning("off")),
        ({"thinking": {"type": "disabled"}}, True, Reasoning("off")),
        ({"thinking": {"type": "adaptive"}}, True, Reasoning("adaptive")),
        ({"thinking": {"type": "adaptive"}}, False, Reasoning("off")),
        ({"thinking": {"type": "enabled", "budget_tokens": 31999}}, True, Reasoning("budget", 31999)),
        ({"thinking": {"type": "enabled"}}, True, Reasoning()),
        ({"thinking": {"type": "between_tools"}}, True, Reasoning()),
        ({"thinking": None, "output_config": {"effort": "low"}}, True, Reasoning("unset", 0, "low")),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, True, Reasoning("adaptive", 0, "max")),
    ],
)
def test_thinking_and_effort(asked: dict[str, Any], think: bool, made: Reasoning) -> None:
    assert read(think, **asked).reasoning == made


def test_output_config() -> None:
    made = read(
        output_config={
            "effort": "high",
            "format": {"type": "json_schema", "schema": SCHEMA},
            "task_budget": {"total": 1},
        }
    )
    assert (made.format, made.lost) == (JsonSchema(SCHEMA), ("output_config.task_budget",))
    assert read(output_config={"format": {"type": "regex"}}).lost == ("output_config.format",)
    assert read(output_config=None).lost == ()


def test_limits_and_sampling() -> None:
    made = read(max_tokens=0, temperature=0, top_p=0.5, top_k=40, stop_sequences=["a", "b"])
    assert (made.max_tokens, made.temperature, made.top_p, made.top_k, made.stop) == (0, 0, 0.5, 40, ("a", "b"))
    assert read(stop_sequences=None).stop == ()


@pytest.mark.parametrize(
    ("metadata", "user"), [({"user_id": "u"}, "u"), ({}, ""), (None, ""), ({"user_id": None}, ""), ({"user_id": 5}, "")]
)
def test_the_user(metadata: Any, user: str) -> None:
    assert read(metadata=metadata).user == user


def test_other_fields_are_lost_by_name_in_their_order() -> None:
    assert read(speed="fast", betas=["x"], container="c", cache_control={}, next_year=1).lost == (
        "speed",
        "container",
        "next_year",
    )


@pytest.mark.parametrize(
    "block",
    [
        {"type": "document", "source": {"type": "content", "content": 5}},
        {"type": "document", "source": {"type": "content", "content": ["x"]}},
        {"type": "search_result", "content": ["x"]},
        {"type": "search_result", "content": [{"type": "tool_use"}]},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_use"}]},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_result"}]},
    ],
    ids=json.dumps,
)
def test_blocks_inside_blocks_are_taken_or_refused_in_words(block: dict[str, Any]) -> None:
    words = ""
    try:
        assert blocks(block)
    except Fault as fault:
        words = fault.message
    assert words.startswith("messages.0.content.0") or not words
