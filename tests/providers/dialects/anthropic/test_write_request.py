"""Chat Completions requests for a Messages upstream: each field and part in its place, or lost by name."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest

from providers.call import Call, Hints, Operation
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
from providers.dialects.anthropic import DIALECT, checks
from providers.dialects.openai_chat import DIALECT as CHAT
from providers.json_object import JsonObject
from providers.quirks import Quirks
from providers.spec import Auth, ProviderConfig, ProviderSpec
from tests.providers.dialects.openai_chat.asking import messages_faults

HI: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
PLAIN = Quirks()
Json = dict[str, Any]


def config(quirks: Quirks = PLAIN) -> ProviderConfig:
    spec = ProviderSpec("acme", "Acme", ("ACME",), "anthropic", "https://acme.test", Auth.X_API_KEY)
    return ProviderConfig(spec, spec.base_url, quirks=quirks)


def written(request: ChatRequest, quirks: Quirks = PLAIN) -> tuple[Json, tuple[str, ...]]:
    """The body, which passes the dialect's own checks, and what was lost."""
    made = DIALECT.write_request(request, config(quirks), "sk-upstream", Hints("tok", 1))
    checks.check(JsonObject(made.request.body))
    return json.loads(made.request.body), made.lost


def messages(quirks: Quirks = PLAIN, think: bool = True, /, **body: Any) -> tuple[Json, tuple[str, ...]]:
    """What a Chat request becomes."""
    asked = JsonObject(json.dumps({"model": "asked", "messages": HI, **body}).encode())
    CHAT.check(asked)
    return written(CHAT.read_request(asked, "target", think), quirks)


def body(**asked: Any) -> Json:
    made, lost = messages(**asked)
    assert lost == ()
    return made


def turns(*said: Json) -> list[Json]:
    made: list[Json] = body(messages=list(said))["messages"]
    return made


def block(value: Block) -> Json:
    """The block among others of its turn; a call stands before it, which its result needs."""
    said = (Message("assistant", (ToolUse("t", "Bash", "{}"),)), Message("user", (ToolResult("t", ()), value)))
    if isinstance(value, ToolUse | Thinking):
        said = (Message("assistant", (Text("x"), value)), Message("user", (ToolResult("t", ()),)))
    if isinstance(value, ToolResult):
        said = (said[0], Message("user", (value, Text("x"))))
    made, _ = written(ChatRequest("m", (Message("user", (Text("x"),)), *said)))
    turn = made["messages"][1 if isinstance(value, ToolUse | Thinking) else 2]["content"]
    found: Json = turn[0 if isinstance(value, ToolResult) else 1]
    return found


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def call(identity: str, name: str = "Bash", arguments: str = "{}") -> Json:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_small_request() -> None:
    assert body() == {
        "model": "target",
        "messages": [{"role": "user", "content": [text("Hi")]}],
        "max_tokens": 8192,
        "stream": True,
    }


def test_it_is_posted_with_the_key_and_a_version() -> None:
    made = DIALECT.write_request(
        ChatRequest("m", (Message("user", (Text("x"),)),)), config(), "sk-upstream", Hints("t", 1)
    ).request
    headers = dict(made.headers)
    assert made.url == "https://acme.test/v1/messages"
    assert (headers["x-api-key"], headers["anthropic-version"], headers["accept"]) == (
        "sk-upstream",
        "2023-06-01",
        "text/event-stream",
    )
    assert "anthropic-beta" not in headers


@pytest.mark.parametrize("role", ["system", "developer"])
def test_what_a_system_says_first_is_the_system(role: str) -> None:
    """Most upstreams of this dialect know no system role inside ``messages``."""
    made = body(messages=[{"role": role, "content": "Be brief."}, {"role": role, "content": [text("And kind.")]}, *HI])
    assert [part["text"] for part in made["system"]] == ["Be brief.", "And kind."]
    assert made["messages"] == [{"role": "user", "content": [text("Hi")]}]


def test_what_a_system_says_later_keeps_its_place() -> None:
    made = turns(*HI, {"role": "assistant", "content": "Hello."}, {"role": "system", "content": "Be brief."}, *HI)
    assert "Be brief." in json.dumps(made[2])


def test_parts() -> None:
    parts = [
        text("See."),
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "auto"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
    ]
    assert turns({"role": "user", "content": parts})[0]["content"] == [
        text("See."),
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            "title": "a.pdf",
        },
    ]


def test_where_only_systems_speak_the_last_is_heard_as_the_user() -> None:
    said = [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}]
    asked = JsonObject(json.dumps({"model": "m", "messages": said}).encode())
    made = json.loads(
        DIALECT.write_request(CHAT.read_request(asked, "t", True), config(), "", Hints("t", 1)).request.body
    )
    assert (made["system"], made["messages"]) == ([text("a")], [{"role": "user", "content": [text("b")]}])


def test_how_closely_to_look_is_lost_by_name() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
    asked = JsonObject(json.dumps({"model": "m", "messages": [{"role": "user", "content": [image]}]}).encode())
    made = DIALECT.write_request(CHAT.read_request(asked, "target", True), config(), "", Hints("t", 1))
    assert b"detail" not in made.request.body
    assert made.lost == ("messages.image.detail",)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "new_part"},
    ],
    ids=lambda part: str(part["type"]),
)
def test_parts_that_messages_does_not_know_are_lost_by_name_and_not_sent(part: Json) -> None:
    asked = JsonObject(
        json.dumps({"model": "asked", "messages": [{"role": "user", "content": [text("Hi"), part]}]}).encode()
    )
    made = DIALECT.write_request(CHAT.read_request(asked, "target", True), config(), "", Hints("t", 1))
    assert json.loads(made.request.body)["messages"] == [{"role": "user", "content": [text("Hi")]}]
    assert made.lost == (f"messages.{part['type']}",)


def test_results_of_parallel_calls_stand_in_one_turn_with_what_follows() -> None:
    said: list[Json] = [
        {
            "role": "assistant",
            "content": "Two.",
            "tool_calls": [call("call_1", "Bash", '{"a": 1}'), call("call_2", "Plan", "")],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "one"},
        {"role": "tool", "tool_call_id": "call_2", "content": [text("two"), text("more")]},
        {"role": "user", "content": "Go on."},
    ]
    assert turns(*HI, *said)[1:] == [
        {
            "role": "assistant",
            "content": [
                text("Two."),
                {"type": "tool_use", "id": "call_1", "name": "Bash", "input": {"a": 1}},
                {"type": "tool_use", "id": "call_2", "name": "Plan", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": [text("one")]},
                {"type": "tool_result", "tool_use_id": "call_2", "content": [text("two"), text("more")]},
                text("Go on."),
            ],
        },
    ]


@pytest.mark.parametrize("arguments", ['{"a"', "[1]", '"x"', "null", "5"])
def test_arguments_that_are_no_object_are_kept_in_one(arguments: str) -> None:
    said = {"role": "assistant", "tool_calls": [call("call_1", "Bash", arguments)]}
    made = turns(*HI, said, {"role": "tool", "tool_call_id": "call_1", "content": "x"})
    assert made[1]["content"][0]["input"] == {"unparsed": arguments}


@pytest.mark.parametrize("identity", ["functions.Bash:0", "call 1", "é", "c" * 100])
def test_ids_are_such_as_messages_takes_and_alike_for_a_call_and_its_result(identity: str) -> None:
    """``^[a-zA-Z0-9_-]+$`` (Anthropic's 400 for Kimi's ``functions.Bash:0``)."""
    said: list[Json] = [
        {"role": "assistant", "tool_calls": [call(identity)]},
        {"role": "tool", "tool_call_id": identity, "content": "x"},
    ]
    made = turns(*HI, *said)
    use, result = made[1]["content"][0], made[2]["content"][0]
    assert use["id"] == result["tool_use_id"]
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", use["id"])


CALLED: Json = {"role": "assistant", "content": None, "tool_calls": [call("call_1"), call("call_2")]}
ONE: Json = {"role": "tool", "tool_call_id": "call_1", "content": "one"}
TWO: Json = {"role": "tool", "tool_call_id": "call_2", "content": "two"}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([*HI, CALLED, ONE, {"role": "user", "content": "Stop."}], ["one", "Stop."]),
        ([*HI, CALLED, {"role": "user", "content": "Stop."}], ["Stop."]),
        ([*HI, CALLED, ONE], ["one"]),
        ([*HI, CALLED, ONE, {"role": "assistant", "content": "Well."}, *HI], ["one", "Well."]),
        ([*HI, ONE], ["one"]),
        ([*HI, CALLED, ONE, TWO, ONE], ["one", "two"]),
        ([*HI, CALLED, ONE, {"role": "user", "content": "Wait."}, TWO], ["one", "Wait.", "two"]),
        ([*HI, CALLED, {"role": "system", "content": "Rule."}, ONE, TWO], ["Rule.", "one", "two"]),
    ],
    ids=[
        "one missing",
        "both missing",
        "missing at the end",
        "missing, and on",
        "orphan",
        "twice",
        "late",
        "system between",
    ],
)
def test_a_history_that_messages_would_refuse_is_mended(said: list[Json], words: list[str]) -> None:
    """Each call has its one result at the head of the next turn; what has no call is text."""
    made = turns(*said)
    assert list(messages_faults([turn for turn in made if turn["role"] != "system"])) == []
    assert not [one for one, two in pairwise(made) if two["role"] == "system" and '"tool_use"' in json.dumps(one)]
    assert [each for each in words if each not in json.dumps(made)] == []


def test_a_prefill_stays_last() -> None:
    assert turns(*HI, {"role": "assistant", "content": "You are"})[-1] == {
        "role": "assistant",
        "content": [text("You are")],
    }


def test_neighbours_of_one_role_become_one_turn() -> None:
    made = turns(
        {"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}
    )
    assert made[0] == {"role": "user", "content": [text("a"), text("b")]}


def test_turns_of_nothing_are_left_out() -> None:
    said: list[Json] = [
        {"role": "assistant", "content": ""},
        {"role": "user", "content": [text("")]},
        {"role": "user", "content": "b"},
    ]
    assert turns(*HI, *said) == [{"role": "user", "content": [text("Hi"), text("b")]}]


def test_thoughts_that_nobody_signed_are_lost_by_name() -> None:
    made, lost = messages(messages=[*HI, {"role": "assistant", "content": "a", "reasoning_content": "why"}])
    assert made["messages"][1]["content"] == [text("a")]
    assert lost == ("messages.thinking",)


def test_a_thought_that_another_upstream_signed_is_not_sent_as_anthropics() -> None:
    thought = Message("assistant", (Thinking("why", "keyturn:acme:reasoning"), Text("a")))
    made, lost = written(ChatRequest("m", (Message("user", (Text("x"),)), thought)))
    assert made["messages"][1]["content"] == [text("a")]
    assert lost == ("messages.thinking",)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (
            Image("image/png", "iV"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iV"}},
        ),
        (
            Document("text/plain", text="w"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "w"}},
        ),
        (Document(url="u", title="t"), {"type": "document", "source": {"type": "url", "url": "u"}, "title": "t"}),
        (Thinking("why", "s"), {"type": "thinking", "thinking": "why", "signature": "s"}),
        (ToolUse("t", "Bash", '{"a":1}'), {"type": "tool_use", "id": "t", "name": "Bash", "input": {"a": 1}}),
        (
            ToolResult("t", (Text("a"),), True),
            {"type": "tool_result", "tool_use_id": "t", "content": [text("a")], "is_error": True},
        ),
        (ToolResult("t", ()), {"type": "tool_result", "tool_use_id": "t", "content": []}),
        (
            Raw("redacted_thinking", {"type": "redacted_thinking", "data": "x"}),
            {"type": "redacted_thinking", "data": "x"},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_blocks(value: Block, made: Json) -> None:
    assert block(value) == made


def test_a_thought_that_another_upstream_made_does_not_pass_straight_through_either() -> None:
    """Anthropic refuses a signature that is not its own, and a conversation may move from one upstream to another."""
    thought = {"type": "thinking", "thinking": "why", "signature": "keyturn:acme:reasoning_content"}
    own = {"type": "thinking", "thinking": "mine", "signature": "EqQBCgIYAhIM=="}
    said: list[Json] = [*HI, {"role": "assistant", "content": [thought, own, text("a")]}]
    asked = JsonObject(json.dumps({"model": "m", "max_tokens": 9, "messages": said}).encode())
    straight = DIALECT.straight
    assert straight is not None
    sent = straight.request(Call("r", "anthropic", Operation.MESSAGES, asked, "m", True), "m", True, config(), "k")
    assert json.loads(sent.body)["messages"][1]["content"] == [own, text("a")]
