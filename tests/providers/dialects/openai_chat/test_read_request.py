"""Chat Completions requests: refused by the name of the first wrong field, else in the neutral language."""

from __future__ import annotations

import json
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
from providers.dialects.openai_chat import DIALECT
from providers.errors import Fault
from providers.json_object import JsonObject

HI = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def read(thinking: bool = True, /, **body: Any) -> ChatRequest:
    made = JsonObject(json.dumps({"model": "asked", "messages": HI, **body}).encode())
    DIALECT.check(made)
    return DIALECT.read_request(made, "target", thinking)


def messages(*given: dict[str, Any]) -> tuple[Message, ...]:
    return read(messages=list(given)).messages


@pytest.mark.parametrize(
    "name",
    ["stream", "max_tokens", "temperature", "stop", "tools", "tool_choice", "reasoning_effort", "response_format"],
)
def test_null_is_as_good_as_absent(name: str) -> None:
    assert read(**{name: None}) == read()


def test_a_small_request() -> None:
    assert read() == ChatRequest("target", (Message("user", (Text("Hi"),)),))
    assert read(stream=True).stream


def test_a_developer_is_a_system() -> None:
    assert messages(
        {"role": "developer", "content": "a"}, {"role": "system", "content": [{"type": "text", "text": "b"}]}
    ) == (
        Message("system", (Text("a"),)),
        Message("system", (Text("b"),)),
    )


def test_parts() -> None:
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "See."},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,w7w="}},
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    assert messages({"role": "user", "content": parts})[0].content == (
        Text("See."),
        Image("image/png", "iVBO", detail="low"),
        Image(url="https://example.com/a.png"),
        Document("application/pdf", "JVBE", title="a.pdf"),
        Document("text/plain", text="ü", title="a.txt"),
        Raw("input_audio", parts[5], "openai_chat"),
        Raw("file", parts[6], "openai_chat"),
    )


@pytest.mark.parametrize("data", ["JVBERi0=", "data:application/pdf,JVBE"])
def test_a_file_that_is_no_data_url_is_not_an_empty_document(data: str) -> None:
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}
    assert messages({"role": "user", "content": [part]})[0].content == (Raw("file", part, "openai_chat"),)


def test_an_assistants_turn() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "Bash", "arguments": '{"a":1}'}}
    for field in ("reasoning_content", "reasoning"):
        said = {"role": "assistant", "content": "I look.", field: "why", "tool_calls": [call]}
        assert messages(said)[0].content == (Thinking("why"), Text("I look."), ToolUse("call_1", "Bash", '{"a":1}'))
    assert messages({"role": "assistant", "content": None, "refusal": "No."})[0].content == (Text("No."),)
    assert messages({"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]})[0].content == (
        Text("No."),
    )
    assert messages({"role": "assistant", "content": None})[0].content == ()


def test_calls_that_say_little() -> None:
    said = messages({"role": "assistant", "tool_calls": [{"id": 5, "function": {"name": "Bash", "arguments": None}}]})
    assert said[0].content == (ToolUse("call_0", "Bash", ""),)


def test_calls_of_custom_tools_are_calls_of_functions_of_one_text() -> None:
    custom = {"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    said = messages({"role": "assistant", "tool_calls": [custom]})
    assert said[0].content == (ToolUse("call_1", "patch", '{"input":"*** Begin"}'),)


def test_results() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert messages(
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        {"role": "tool", "tool_call_id": "c", "content": parts},
    ) == (
        Message("user", (ToolResult("call_1", (Text("x"),)),)),
        Message("user", (ToolResult("c", (Text("a"), Text("b"))),)),
    )


def test_a_legacy_function_call_is_a_call_and_its_result_belongs_to_it() -> None:
    said = messages(
        {"role": "assistant", "content": None, "function_call": {"name": "Bash", "arguments": "{}"}},
        {"role": "function", "name": "Bash", "content": "x"},
    )
    (use,) = said[0].content
    (result,) = said[1].content
    assert isinstance(use, ToolUse)
    assert isinstance(result, ToolResult)
    assert (use.name, result.content) == ("Bash", (Text("x"),))
    assert use.id == result.tool_use_id


def test_tools() -> None:
    given = [
        {"type": "function", "function": {"name": "Bash", "description": "Runs.", "parameters": SCHEMA}},
        {"type": "function", "function": {"name": "Plan"}},
        {"type": "custom", "custom": {"name": "grammar"}},
        {"type": "next_year"},
    ]
    made = read(tools=given)
    assert made.tools == (Tool("Bash", "Runs.", SCHEMA), Tool("Plan", "", {"type": "object", "properties": {}}))
    assert made.lost == ("tools.custom", "tools.next_year")


@pytest.mark.parametrize(
    ("choice", "made", "lost"),
    [
        ("auto", ToolChoice("auto"), ()),
        ("none", ToolChoice("none"), ()),
        ("required", ToolChoice("any"), ()),
        ({"type": "function", "function": {"name": "Bash"}}, ToolChoice("tool", "Bash"), ()),
        ({"type": "allowed_tools", "allowed_tools": {"tools": []}}, None, ("tool_choice",)),
        ({"type": "custom", "custom": {"name": "x"}}, None, ("tool_choice",)),
    ],
)
def test_tool_choice(choice: Any, made: ToolChoice | None, lost: tuple[str, ...]) -> None:
    asked = read(tool_choice=choice)
    assert (asked.tool_choice, asked.lost) == (made, lost)


@pytest.mark.parametrize(("mode", "made"), [("auto", ToolChoice("auto")), ("required", ToolChoice("any"))])
def test_only_the_tools_that_are_allowed_are_sent(mode: str, made: ToolChoice) -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("Bash", "Plan")]
    asked = read(
        tools=tools, tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools[1:]}}
    )
    assert ([tool.name for tool in asked.tools], asked.tool_choice, asked.lost) == (["Plan"], made, ())


@pytest.mark.parametrize(("strict", "made"), [(True, True), (False, False), (None, None)])
def test_whether_a_tool_is_strict(strict: Any, made: bool | None) -> None:
    (tool,) = read(tools=[{"type": "function", "function": {"name": "Bash", "strict": strict}}]).tools
    assert tool.strict is made


@pytest.mark.parametrize(
    "usual",
    [
        {"n": 1, "frequency_penalty": 0, "presence_penalty": 0.0, "logprobs": False, "top_logprobs": None},
        {"logit_bias": {}, "modalities": ["text"], "service_tier": "auto", "verbosity": "medium", "seed": None},
    ],
)
def test_fields_that_ask_for_nothing_special_lose_nothing(usual: dict[str, Any]) -> None:
    assert read(**usual) == read()


def test_limits_and_sampling() -> None:
    made = read(max_tokens=5, temperature=0, top_p=0.5, parallel_tool_calls=False)
    assert (made.max_tokens, made.temperature, made.top_p, made.parallel_tools) == (5, 0, 0.5, False)
    assert read(max_tokens=5, max_completion_tokens=9).max_tokens == 9


@pytest.mark.parametrize(("stop", "made"), [("END", ("END",)), (["a", "b"], ("a", "b")), ([], ())])
def test_stops(stop: Any, made: tuple[str, ...]) -> None:
    assert read(stop=stop).stop == made


@pytest.mark.parametrize(
    ("effort", "thinking", "made"),
    [
        (None, True, Reasoning()),
        ("low", True, Reasoning("adaptive", 0, "low")),
        ("none", True, Reasoning("off")),
        ("high", False, Reasoning("off")),
        (None, False, Reasoning("off")),
    ],
)
def test_effort(effort: str | None, thinking: bool, made: Reasoning) -> None:
    assert read(thinking, reasoning_effort=effort).reasoning == made


@pytest.mark.parametrize(
    ("form", "made", "lost"),
    [
        ({"type": "text"}, None, ()),
        (
            {"type": "json_schema", "json_schema": {"name": "t", "schema": SCHEMA, "strict": True}},
            JsonSchema(SCHEMA, "t", True),
            (),
        ),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA}}, JsonSchema(SCHEMA), ()),
        ({"type": "json_schema", "json_schema": {"name": "t"}}, None, ("response_format",)),
        ({"type": "json_object"}, None, ("response_format",)),
    ],
)
def test_formats(form: Any, made: JsonSchema | None, lost: tuple[str, ...]) -> None:
    asked = read(response_format=form)
    assert (asked.format, asked.lost) == (made, lost)


def test_the_user() -> None:
    assert read(user="u").user == "u"
    assert read(user="u", safety_identifier="s").user == "s"


@pytest.mark.parametrize(
    "member",
    [
        {"logprobs": True},
        {"functions": [{"name": "old"}]},
        {"function_call": "auto"},
        {"audio": {"voice": "alloy"}},
        {"verbosity": "low"},
        {"store": True},
        {"metadata": {"a": "b"}},
        {"next_year": 1},
    ],
    ids=json.dumps,
)
def test_other_fields_are_lost_by_name(member: dict[str, Any]) -> None:
    assert read(**member).lost == tuple(member)


def test_sampling_that_only_chat_completions_has_keeps_its_names() -> None:
    sampling: dict[str, Any] = {"seed": 7, "presence_penalty": 0.5, "logit_bias": {"1": 1}, "min_p": 0.1}
    asked = read(**sampling, top_k=5, frequency_penalty=None)
    assert (asked.sampling, asked.top_k, asked.lost) == (sampling, 5, ())


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", "x"), ("seed", True), ("logit_bias", 1), ("top_k", 1.5), ("min_p", "x"), ("extra_body", [])],
)
def test_sampling_of_another_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Fault, match=f"^400 invalid_request_error: {name}: should be"):
        read(**{name: value})


def test_members_to_add_come_along() -> None:
    asked = read(extra_body={"provider": {"order": ["a"]}})
    assert (asked.extra_body, asked.lost) == ({"provider": {"order": ["a"]}}, ())


def test_a_name_is_lost_by_name() -> None:
    assert read(messages=[{"role": "user", "name": "ann", "content": "Hi"}]).lost == ("messages.name",)
