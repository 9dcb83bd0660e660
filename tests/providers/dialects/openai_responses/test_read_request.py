"""Responses requests in the neutral language."""

from __future__ import annotations

from typing import Any

import pytest

from providers.chat.request import (
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
from tests.providers.dialects.openai_responses.asking import TOOLS, Json, messages, read

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
BASH = Tool("Bash", "", {"type": "object"}, True)
SEARCH = Tool("docs__search", "", {"type": "object", "properties": {}})


def test_a_small_request() -> None:
    assert read() == ChatRequest("target", (Message("user", (Text("Hi"),)),))
    assert read(input=[{"role": "user", "content": "Hi"}]) == read()
    assert read(stream=True).stream


def test_instructions_are_the_system() -> None:
    assert read(instructions="Be brief.").system == (Text("Be brief."),)
    assert read(instructions=None).system == ()


def test_a_developer_is_a_system_and_keeps_its_place() -> None:
    assert messages(
        {"role": "developer", "content": "a"},
        {"role": "system", "content": [{"type": "input_text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ) == (Message("system", (Text("a"),)), Message("system", (Text("b"),)), Message("user", (Text("c"),)))


def test_neighbours_of_one_side_are_one_message() -> None:
    assert messages(
        {"role": "user", "content": "Run both"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "why"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I run."}]},
        {"type": "function_call", "call_id": "c1", "name": "Bash", "arguments": '{"a":1}'},
        {"type": "function_call", "call_id": "c2", "name": "Bash", "arguments": ""},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {"type": "function_call_output", "call_id": "c2", "output": ""},
        {"role": "user", "content": "And now?"},
    ) == (
        Message("user", (Text("Run both"),)),
        Message(
            "assistant", (Thinking("why"), Text("I run."), ToolUse("c1", "Bash", '{"a":1}'), ToolUse("c2", "Bash", ""))
        ),
        Message("user", (ToolResult("c1", (Text("one"),)), ToolResult("c2", ()), Text("And now?"))),
    )


def test_parts() -> None:
    given: list[Json] = [
        {"type": "input_text", "text": "See."},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "low"},
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
        {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;charset=utf-8;base64,w7w="},
        {"type": "input_file", "file_url": "https://example.com/b.pdf"},
        {"type": "input_file", "file_id": "file-2"},
        {"type": "input_file", "file_data": "data:text/plain;base64,/w=="},
    ]
    assert messages({"role": "user", "content": given})[0].content == (
        Text("See."),
        Image("image/png", "iVBO", detail="low"),
        Image(url="https://example.com/a.png"),
        Raw("input_image", given[3], "openai_responses"),
        Document("application/pdf", "JVBE", title="a.pdf"),
        Document("text/plain", text="ü", title="a.txt"),
        Document("application/pdf", url="https://example.com/b.pdf"),
        Raw("input_file", given[7], "openai_responses"),
        Raw("input_file", given[8], "openai_responses"),
    )


def test_what_a_tool_returned_may_hold_images() -> None:
    parts = [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": "https://e.com/a.png"}]
    (message,) = messages({"type": "function_call_output", "call_id": "c", "output": parts})
    assert message.content == (ToolResult("c", (Text("x"), Image(url="https://e.com/a.png"))),)


def test_an_item_that_only_responses_has_is_kept_raw() -> None:
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    assert messages(item) == (Message("assistant", (Raw("web_search_call", item, "openai_responses"),)),)


@pytest.mark.parametrize(
    ("sealed", "made"),
    [
        (None, Thinking("why")),
        ("keyturn:acme:responses:rs_1:gAAA", Thinking("why", "keyturn:acme:responses:rs_1:gAAA")),
        ("keyturn::EqQB", Thinking("why", "EqQB")),
        ("keyturn:!:Zm9v", Raw("redacted_thinking", {"type": "redacted_thinking", "data": "Zm9v"})),
        ("gAAAAfrom-elsewhere", Thinking("why", "keyturn:?:")),
    ],
)
def test_whose_a_thought_is(sealed: str | None, made: Any) -> None:
    summary = [{"type": "summary_text", "text": "why"}]
    (message,) = messages({"type": "reasoning", "summary": summary, "encrypted_content": sealed})
    assert message.content == (made,)


def test_a_thought_of_an_open_model_is_its_content() -> None:
    content = [{"type": "reasoning_text", "text": "one"}, {"type": "reasoning_text", "text": "two"}]
    (message,) = messages({"type": "reasoning", "summary": [], "content": content})
    assert message.content == (Thinking("one\n\ntwo"),)


def test_tools() -> None:
    made = read(tools=[*TOOLS, {"type": "web_search"}, {"type": "mcp", "server_label": "x"}])
    schema = {"type": "object", "properties": {"input": {"type": "string"}}}
    custom = Tool("apply_patch", "Edit.", {**schema, "required": ["input"], "additionalProperties": False})
    assert made.tools == (BASH, custom, SEARCH)
    assert made.lost == ("tools.web_search", "tools.mcp")


def test_the_grammar_of_a_custom_tool_is_told_and_named_as_lost() -> None:
    form = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
    made = read(tools=[{"type": "custom", "name": "p", "description": "Edit.", "format": form}])
    assert made.tools[0].description == "Edit.\n\nThe input must follow this grammar:\nstart: WORD"
    assert made.lost == ("tools.custom.format",)


def test_two_tools_of_one_name_stay_two() -> None:
    docs = {"type": "namespace", "name": "a__", "tools": [{"type": "function", "name": "b"}]}
    made = read(tools=[{"type": "function", "name": "a__b"}, docs])
    assert [tool.name for tool in made.tools] == ["a__b", "a__b_"]


def test_calls_of_the_history_are_known_by_what_their_tools_became() -> None:
    (message,) = messages(
        {"type": "function_call", "call_id": "c1", "name": "search", "namespace": "docs", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": 'say "hi"'},
        {"type": "function_call", "call_id": "c3", "name": "old", "namespace": "gone", "arguments": "{}"},
        {"type": "function_call", "call_id": "c4", "name": "Bash", "namespace": "Bash", "arguments": "{}"},
        tools=TOOLS,
    )
    assert message.content == (
        ToolUse("c1", "docs__search", "{}"),
        ToolUse("c2", "apply_patch", '{"input":"say \\"hi\\""}'),
        ToolUse("c3", "gone__old", "{}"),
        ToolUse("c4", "Bash", "{}"),
    )


@pytest.mark.parametrize(
    ("choice", "made", "lost"),
    [
        ("auto", ToolChoice("auto"), ()),
        ("none", ToolChoice("none"), ()),
        ("required", ToolChoice("any"), ()),
        ({"type": "function", "name": "Bash"}, ToolChoice("tool", "Bash"), ()),
        ({"type": "function", "name": "search", "namespace": "docs"}, ToolChoice("tool", "docs__search"), ()),
        ({"type": "custom", "name": "apply_patch"}, ToolChoice("tool", "apply_patch"), ()),
        ({"type": "web_search"}, ToolChoice("tool", "web_search"), ()),
        ({"type": "web_search_preview_2025_03_11"}, ToolChoice("tool", "web_search"), ()),
        ({"type": "web_searching"}, None, ("tool_choice",)),
        ({"type": "mcp", "server_label": "x"}, None, ("tool_choice",)),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, None, ("tool_choice",)),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}, None, ("tool_choice",)),
    ],
)
def test_tool_choice(choice: Any, made: ToolChoice | None, lost: tuple[str, ...]) -> None:
    asked = read(tool_choice=choice, tools=TOOLS)
    assert (asked.tool_choice, asked.lost, len(asked.tools)) == (made, lost, 3)


@pytest.mark.parametrize(("mode", "made"), [("auto", ToolChoice("auto")), ("required", ToolChoice("any"))])
def test_only_the_tools_that_are_allowed_are_sent(mode: str, made: ToolChoice) -> None:
    allowed = [{"type": "function", "name": "Bash"}, {"type": "function", "name": "search", "namespace": "docs"}]
    asked = read(tool_choice={"type": "allowed_tools", "mode": mode, "tools": allowed}, tools=TOOLS)
    assert (asked.tools, asked.tool_choice, asked.lost) == ((BASH, SEARCH), made, ())


def test_limits_and_sampling() -> None:
    made = read(max_output_tokens=5, temperature=0, top_p=0.5, parallel_tool_calls=False)
    assert (made.max_tokens, made.temperature, made.top_p, made.parallel_tools) == (5, 0, 0.5, False)


@pytest.mark.parametrize(
    ("reasoning", "thinking", "made"),
    [
        (None, True, Reasoning()),
        ({"effort": "low"}, True, Reasoning("adaptive", 0, "low", False)),
        ({"effort": "low", "summary": "auto"}, True, Reasoning("adaptive", 0, "low", True)),
        ({"effort": "none", "summary": "auto"}, True, Reasoning("off")),
        ({"effort": "high"}, False, Reasoning("off")),
    ],
)
def test_reasoning(reasoning: Json | None, thinking: bool, made: Reasoning) -> None:
    asked = read(thinking, reasoning=reasoning)
    assert (asked.reasoning, asked.lost) == (made, ())


@pytest.mark.parametrize(
    ("form", "made", "lost"),
    [
        ({"type": "text"}, None, ()),
        ({"type": "json_schema", "name": "t", "schema": SCHEMA, "strict": True}, JsonSchema(SCHEMA, "t", True), ()),
        ({"type": "json_schema", "schema": SCHEMA, "strict": None}, JsonSchema(SCHEMA), ()),
        ({"type": "json_object"}, None, ("text.format",)),
    ],
)
def test_formats(form: Json, made: JsonSchema | None, lost: tuple[str, ...]) -> None:
    asked = read(text={"format": form})
    assert (asked.format, asked.lost) == (made, lost)


@pytest.mark.parametrize(
    ("body", "lost"),
    [
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"truncation": "auto"}, "truncation"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"include": ["web_search_call.results"]}, "include.web_search_call.results"),
        ({"reasoning": {"context": "all"}}, "reasoning.context"),
        ({"max_tool_calls": 1}, "max_tool_calls"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"reasoning": {"summary": "concise"}}, "reasoning.summary"),
        ({"reasoning": {"effort": "utmost"}}, "reasoning.effort"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"client_metadata": {}}, "client_metadata"),
        ({"next_year": 1}, "next_year"),
    ],
)
def test_other_fields_are_lost_by_name(body: Json, lost: str) -> None:
    assert read(**body).lost == (lost,)


@pytest.mark.parametrize(
    "body",
    [
        {"include": ["reasoning.encrypted_content"], "store": False, "prompt_cache_key": "k", "metadata": {}},
        {"truncation": "disabled", "service_tier": "auto", "text": {"verbosity": "medium"}, "next_year": None},
        {"stream_options": {"include_obfuscation": False}, "user": "u"},
    ],
)
def test_what_asks_for_nothing_special_loses_nothing(body: Json) -> None:
    assert read(**body).lost == ()


def test_the_user() -> None:
    assert read(user="u").user == "u"
    assert read(user="u", safety_identifier="s").user == "s"
