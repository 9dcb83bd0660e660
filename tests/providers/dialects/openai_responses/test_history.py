"""A conversation as input items: each call has its output, each output its call, each thought what it led to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from providers.chat.request import (
    Block,
    ChatRequest,
    Document,
    Image,
    Message,
    Raw,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from tests.providers.dialects.openai_responses.asking import Json, written

OURS = Thinking("why", "keyturn:acme:responses:rs_1:gAAA:more")


def said(*messages: Message, provider: str = "acme") -> tuple[list[Json], tuple[str, ...]]:
    body, lost = written(ChatRequest("m", messages), provider=provider)
    return body["input"], lost


def user(*blocks: Block) -> Message:
    return Message("user", blocks)


def model(*blocks: Block) -> Message:
    return Message("assistant", blocks)


def items(*messages: Message) -> list[Json]:
    made, lost = said(*messages)
    assert lost == ()
    return made


def content(*blocks: Block) -> list[Json]:
    (item,) = items(user(*blocks))
    assert (item["type"], item["role"]) == ("message", "user")
    made: list[Json] = item["content"]
    return made


def output(identity: str, value: Any) -> Json:
    return {"type": "function_call_output", "call_id": identity, "output": value}


def call(identity: str, arguments: str = "{}") -> Json:
    return {"type": "function_call", "call_id": identity, "name": "Bash", "arguments": arguments}


def test_a_turn_with_everything() -> None:
    made = items(
        user(Text("Run")),
        model(OURS, Text("I run."), ToolUse("c1", "Bash", '{"a":1}'), ToolUse("c2", "Bash", " ")),
        user(ToolResult("c1", (Text("one"), Text("two"))), ToolResult("c2", (), is_error=True), Text("Go on")),
    )
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "why"}]}
    text = {"type": "output_text", "text": "I run.", "annotations": []}
    assert made == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Run"}]},
        {**reasoning, "encrypted_content": "gAAA:more"},
        {"type": "message", "role": "assistant", "content": [text]},
        call("c1", '{"a":1}'),
        call("c2"),
        output("c1", "one\ntwo"),
        output("c2", "Error:"),
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on"}]},
    ]


def test_what_a_system_says_later_is_a_developers() -> None:
    made = items(user(Text("a")), Message("system", (Text("b"),)))
    assert made[1] == {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "b"}]}


def test_parts() -> None:
    assert content(
        Text("See."),
        Text(""),
        Image("image/png", "iVBO", detail="low"),
        Image(url="https://e.com/a.png"),
        Document("application/pdf", "JVBE", title="a.pdf"),
        Document("application/pdf", url="https://e.com/b.pdf"),
        Document("text/plain", text="words"),
    ) == [
        {"type": "input_text", "text": "See."},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "low"},
        {"type": "input_image", "image_url": "https://e.com/a.png", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
        {"type": "input_file", "file_url": "https://e.com/b.pdf"},
        {"type": "input_text", "text": '<document title="document">\nwords\n</document>'},
    ]


def test_an_image_that_a_tool_returned_stays_in_its_output() -> None:
    made = items(model(ToolUse("c1", "Bash", "{}")), user(ToolResult("c1", (Text("x"), Image(url="u")))))
    image = {"type": "input_image", "image_url": "u", "detail": "auto"}
    assert made[1] == output("c1", [{"type": "input_text", "text": "x"}, image])


@pytest.mark.parametrize("after", [(), (model(Text("So.")),), (user(Text("Stop")), model(Text("So.")))])
def test_an_output_that_never_came_is_supplied(after: tuple[Message, ...]) -> None:
    made = items(user(Text("a")), model(ToolUse("c1", "Bash", "{}")), *after)
    supplied = output("c1", "No result: the call was interrupted.")
    assert supplied in made
    assert made.index(call("c1")) < made.index(supplied)


def test_an_output_without_its_call_becomes_text() -> None:
    (item,) = items(user(ToolResult("gone", (Text("found"),))))
    assert [part["text"] for part in item["content"]] == ["Result of an earlier tool call (gone):", "found"]


def test_an_output_that_came_twice_is_one_and_then_text() -> None:
    made = items(
        model(ToolUse("c1", "Bash", "{}")), user(ToolResult("c1", (Text("1"),)), ToolResult("c1", (Text("2"),)))
    )
    assert made[1] == output("c1", "1")
    assert [part["text"] for part in made[2]["content"]] == ["Result of an earlier tool call (c1):", "2"]


def test_an_id_that_does_not_fit_is_another_in_call_and_output_alike() -> None:
    long = "toolu_" + "x" * 60
    one, two = items(model(ToolUse(long, "Bash", "{}")), user(ToolResult(long, ())))
    assert one["call_id"] == two["call_id"] != long
    assert len(one["call_id"]) <= 64


@pytest.mark.parametrize(
    "signature", ["", "EqQB", "keyturn:other:responses:rs_1:gAAA", "keyturn:acme:reasoning_content", "keyturn:?:"]
)
def test_a_thought_of_another_is_not_sent(signature: str) -> None:
    made, lost = said(user(Text("a")), model(Thinking("secret", signature), Text("b")))
    assert "secret" not in str(made)
    assert lost == ("messages.thinking",)


def test_a_thought_that_led_to_nothing_is_not_sent() -> None:
    made, lost = said(user(Text("a")), model(OURS), model(Text("b"), OURS))
    assert [item["type"] for item in made] == ["message", "message"]
    assert lost == ("messages.thinking",)


def test_a_thought_of_an_open_model_goes_back_as_it_came() -> None:
    thought = replace(OURS, signature="keyturn:acme:reasoning_text:rs_2")
    made = items(user(Text("a")), model(thought, Text("b")))
    content = [{"type": "reasoning_text", "text": "why"}]
    assert made[1] == {"type": "reasoning", "id": "rs_2", "summary": [], "content": content}


def test_a_sealed_thought_without_words_goes_back_too() -> None:
    made = items(user(Text("a")), model(replace(OURS, text=""), Text("b")))
    assert (made[1]["summary"], made[1]["encrypted_content"]) == ([], "gAAA:more")


def test_what_only_one_dialect_has_is_lost_by_name() -> None:
    made, lost = said(
        user(Raw("container_upload", {}), Text("a")), model(Raw("redacted_thinking", {}), Image(url="u"), Text("b"))
    )
    assert [item["role"] for item in made] == ["user", "assistant"]
    assert lost == ("messages.container_upload", "messages.redacted_thinking", "messages.image")
