"""What another upstream left in a conversation does not go to one that would refuse it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.catalog import CATALOG
from providers.chat.marks import signed_id
from providers.chat.request import ChatRequest, Message, Text, Thinking, ToolResult, ToolUse
from providers.dialects.anthropic import DIALECT
from providers.dialects.anthropic.write_request import write
from providers.quirks import Quirks
from tests.providers.support import call, config

Json = dict[str, Any]
PLAIN = Quirks()
SIGNED = signed_id("call_1", "gemini", "google", "c2ln" * 1000)


def sent(*content: Json, quirks: Quirks = PLAIN, thinking: bool = True) -> Json:
    """The body that goes out for an assistant's message of these blocks and a result."""
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": SIGNED, "content": "done"}]}
    asked = {"model": "asked", "max_tokens": 9, "messages": [{"role": "assistant", "content": list(content)}, result]}
    assert DIALECT.straight is not None
    raw = json.dumps(asked).encode()
    made: Json = json.loads(
        DIALECT.straight.request(call(raw), "m", thinking, config("https://h", quirks=quirks), "").body
    )
    return made


def use(identity: str) -> Json:
    return {"type": "tool_use", "id": identity, "name": "Bash", "input": {"x": 1.0}}


def thought(signature: Any) -> Json:
    return {"type": "thinking", "thinking": "why", "signature": signature}


def test_a_signed_call_has_its_own_id_again() -> None:
    assistant, user = sent({"type": "text", "text": "I look."}, use(SIGNED))["messages"]
    assert assistant["content"] == [{"type": "text", "text": "I look."}, use("call_1")]
    assert user["content"][0]["tool_use_id"] == "call_1"


def test_through_the_neutral_language_too() -> None:
    turn = (
        Message("assistant", (ToolUse(SIGNED, "Bash", "{}"),)),
        Message("user", (ToolResult(SIGNED, (Text("b"),)),)),
    )
    body, _ = write(ChatRequest("m", (Message("user", (Text("a"),)), *turn)), Quirks())
    assert [body["messages"][1]["content"][0]["id"], body["messages"][2]["content"][0]["tool_use_id"]] == ["call_1"] * 2
    body, lost = write(ChatRequest("m", (Message("assistant", (Thinking("why", "keyturn:acme:think"),)),)), Quirks())
    assert (body["messages"], lost) == ([], ("messages.thinking",))


def test_a_text_about_such_an_id_keeps_its_bytes() -> None:
    raw = b'{ "model":"m", "max_tokens":9, "messages": [ {"role":"user","content":"call_1-keyturn-0"} ] }'
    assert DIALECT.straight is not None
    assert DIALECT.straight.request(call(raw), "m", True, config("https://h"), "").body == raw


@pytest.mark.parametrize(
    "signature", ["keyturn:acme:reasoning", "keyturn:acme:think", "keyturn:acme:reasoning_details#W10"]
)
def test_thoughts_that_we_marked_stay_behind(signature: str) -> None:
    assert sent(thought(signature), use("t1"))["messages"][0]["content"] == [use("t1")]
    assert sent(thought(signature))["messages"][0]["content"] == [{"type": "text", "text": "(a thought)"}]


def test_thoughts_without_a_signature_stay_behind_where_the_row_says_so() -> None:
    strict = Quirks(signed_thoughts=True)
    assert sent(thought(""), use("t1"), quirks=strict)["messages"][0]["content"] == [use("t1")]
    assert sent(thought(""), use("t1"))["messages"][0]["content"] == [thought(""), use("t1")]
    assert sent(thought("EqQB"), use("t1"), quirks=strict)["messages"][0]["content"] == [thought("EqQB"), use("t1")]


@pytest.mark.parametrize("row", ["deepseek", "kimi", "zai", "minimax"])
def test_rows_whose_models_think_unasked(row: str) -> None:
    spec = next(each for each in CATALOG if each.id == row)
    for model in (spec.default_model, *spec.examples):
        made = sent(use("t1"), quirks=spec.quirks.of(model), thinking=False)
        assert made["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize("row", ["anthropic", "bedrock"])
def test_rows_that_want_every_thought_signed(row: str) -> None:
    quirks = next(each for each in CATALOG if each.id == row).quirks
    assert sent(thought(""), use("t1"), quirks=quirks)["messages"][0]["content"] == [use("t1")]


def test_off_is_said_to_an_upstream_that_thinks_unasked() -> None:
    unasked = Quirks(thinks_unasked=True)
    assert sent(use("t1"), quirks=unasked, thinking=False)["thinking"] == {"type": "disabled"}
    assert "thinking" not in sent(use("t1"), quirks=unasked)
    assert "thinking" not in sent(use("t1"), thinking=False)
