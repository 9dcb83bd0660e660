"""Thoughts and signatures on their way back: to their maker, as it takes them, and to nobody else."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.call import Hints
from providers.chat.fold import WholeMessage
from providers.chat.marks import signed_id
from providers.dialects.anthropic.write_reply import MessageWriter
from providers.dialects.openai_chat import DIALECT as CHAT
from providers.dialects.openai_chat.write_reply import ChunkWriter
from providers.json_object import JsonObject
from providers.quirks import Quirks, Replay
from tests.providers.dialects.openai_chat.asking import PLAIN, assistant, chat, config, history, result, text, use, user
from tests.providers.dialects.openai_chat.chunks import answer, chunk, end, piece, reader, tools

Json = dict[str, Any]
OWED = Quirks(owed_models=("kimi",))
SIGNED = Quirks(signed_models=("gemini-3",))


def thought(signature: str, words: str = "why") -> Json:
    return {"type": "thinking", "thinking": words, "signature": signature}


def turn(*blocks: Json, model: str = "target", quirks: Quirks = PLAIN, **body: Any) -> Json:
    """The assistant's message that these blocks and a call become."""
    return history(user("a"), assistant(*blocks, use("t1")), user(result("t1")), model=model, quirks=quirks, **body)[1]


@pytest.mark.parametrize("signature", ["EqQBCgIYAhIM==", "keyturn:other:reasoning_content", "keyturn:acme:think"])
def test_a_thought_of_another_is_not_shown_but_owed(signature: str) -> None:
    assert turn(thought(signature), model="kimi-k3", quirks=OWED)["reasoning_content"] == " "
    assert "reasoning_content" not in turn(thought(signature), quirks=OWED)


def test_a_thought_without_a_signature_goes_to_a_model_that_wants_its_thoughts() -> None:
    assert turn(thought(""), model="kimi-k3", quirks=OWED)["reasoning_content"] == "why"
    made, lost = chat(messages=[user("a"), assistant(thought(""), text("b"))])
    assert (made["messages"][1], lost) == ({"role": "assistant", "content": "b"}, ("messages.thinking",))


def test_a_chat_clients_reasoning_goes_back_to_a_model_that_wants_it() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "reasoning_content": "why",
        "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "Bash", "arguments": "{}"}}],
    }
    asked = {"model": "x", "messages": [user("a"), message, {"role": "tool", "tool_call_id": "t1", "content": "b"}]}
    neutral = CHAT.read_request(JsonObject(json.dumps(asked).encode()), "kimi-k3", True)
    sent = json.loads(CHAT.write_request(neutral, config(OWED), "", Hints("t", 1)).request.body)
    assert sent["messages"][1]["reasoning_content"] == "why"


def test_messages_without_calls_owe_nothing_unless_the_row_says_so() -> None:
    asked = [user("a"), assistant("b"), user("c")]
    assert "reasoning_content" not in history(*asked, model="kimi-k3", quirks=OWED)[1]
    always = Quirks(owed_models=("deepseek",), owed_always=True)
    assert history(*asked, model="deepseek-v4-pro", quirks=always)[1]["reasoning_content"] == " "


def test_text_behind_a_call_owes_nothing_of_its_own() -> None:
    made = history(user("a"), assistant(use("t1"), text("b")), user(result("t1")), model="kimi-k3", quirks=OWED)
    assert [message.get("reasoning_content") for message in made] == [None, " ", None, None]


@pytest.mark.parametrize("replay", [Replay.NEVER, Replay.TAGS])
def test_a_provider_that_takes_no_field_is_sent_none(replay: Replay) -> None:
    made = turn(thought("keyturn:acme:reasoning_content"), quirks=Quirks(replay=replay))
    assert set(made) == {"role", "content", "tool_calls"}
    assert made["content"] == ""


def test_tags_are_for_models_that_write_them() -> None:
    made = turn(thought("keyturn:acme:reasoning"), model="qwen/qwen3-32b", quirks=Quirks(replay=Replay.TAGS))
    assert made["content"] == "<think>\nwhy\n</think>\n\n"
    made = turn(thought("keyturn:acme:mm:think"), text("so"), model="MiniMax-M3")
    assert made["content"] == "<mm:think>\nwhy\n</mm:think>\n\nso"


def test_parts_alone_are_parts() -> None:
    part = {"type": "thinking", "thinking": [text("why")], "closed": True}
    made, _ = chat(messages=[user("a"), assistant(thought("keyturn:acme:content"), use("t1")), user(result("t1"))])
    assert made["messages"][1]["content"] == [part]


def signature_of(call: Json) -> Any:
    return call.get("extra_content", {}).get("google", {}).get("thought_signature")


def test_only_the_first_call_of_a_message_says_that_another_made_it() -> None:
    made = history(
        user("a"),
        assistant(use("t1"), use("t2")),
        user(result("t1"), result("t2")),
        model="gemini-3-pro",
        quirks=SIGNED,
    )
    assert [signature_of(call) for call in made[1]["tool_calls"]] == ["skip_thought_signature_validator", None]


@pytest.mark.parametrize("signed", [0, 1])
def test_a_message_with_a_signature_is_left_as_it_was(signed: int) -> None:
    ids = ["t1", "t2"]
    ids[signed] = signed_id(ids[signed], "acme", "google", "c2ln")
    turns = [user("a"), assistant(*map(use, ids)), user(*map(result, ids))]
    calls = history(*turns, model="gemini-3-pro", quirks=SIGNED)[1]["tool_calls"]
    assert [signature_of(call) for call in calls] == [["c2ln", None], [None, "c2ln"]][signed]
    assert [call["id"] for call in calls] == ["t1", "t2"]


def test_another_providers_signature_stays_behind() -> None:
    identity = signed_id("t1", "vertex", "vertex", "c2ln")
    turns = [user("a"), assistant(use(identity)), user(result(identity))]
    made = history(*turns, model="gemini-3-pro", quirks=SIGNED)
    assert signature_of(made[1]["tool_calls"][0]) == "skip_thought_signature_validator"
    assert "c2ln" not in json.dumps(history(*turns))
    assert [made[1]["tool_calls"][0]["id"], made[2]["tool_call_id"]] == ["t1", "t1"]


def test_the_signature_of_a_delta_is_that_of_its_first_call() -> None:
    signed = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    both = [piece("Bash", "{}", index=0, id="call_aaaaaaaa"), piece("Bash", "{}", index=1, id="call_bbbbbbbb")]
    message = answer(chunk({"tool_calls": both, **signed}), end("tool_calls"))
    assert [block.id for block in message.blocks] == [
        signed_id("call_aaaaaaaa", "acme", "google", "c2ln"),
        "call_bbbbbbbb",
    ]


@pytest.mark.parametrize(
    "extra", [None, {}, "x", {"google": None}, {"google": {"thought_signature": 5}}, {"other": {}}]
)
def test_other_extras_sign_nothing(extra: Any) -> None:
    message = answer(tools(piece("Bash", "{}", index=0, id="call_aaaaaaaa", extra_content=extra)), end("tool_calls"))
    assert message.blocks[0].id == "call_aaaaaaaa"


def messages_turn(message: WholeMessage) -> list[Json]:
    """What a Messages client makes of an answer, with the results of its calls."""
    content = json.loads(MessageWriter("m").whole(message))["content"]
    calls = [block["id"] for block in content if block["type"] == "tool_use"]
    return [user("a"), assistant(*content), user(*map(result, calls))]


def chat_turn(message: WholeMessage) -> list[Json]:
    """The same for a Chat client."""
    said = json.loads(ChunkWriter("m", 0, False).whole(message))["choices"][0]["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "done"} for call in said["tool_calls"]]
    return [user("a"), said, *results]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=3), st.sampled_from(["google", "vertex"]))
def test_signatures_go_round_through_every_client(raws: list[bytes], space: str) -> None:
    signatures = [b64encode(raw).decode() for raw in raws]
    pieces = [
        piece("Bash", "{}", id=f"call_{at:08}", extra_content={space: {"thought_signature": signature}})
        for at, signature in enumerate(signatures)
    ]
    message = answer(*(tools(each) for each in pieces), end("stop"), machine=reader(provider="acme"))
    expected = [{space: {"thought_signature": signature}} for signature in signatures]
    by_messages = history(*messages_turn(message), model="gemini-3-pro", quirks=SIGNED)
    assert [call["extra_content"] for call in by_messages[1]["tool_calls"]] == expected
    asked = JsonObject(json.dumps({"model": "m", "messages": chat_turn(message)}).encode())
    CHAT.check(asked)
    written = CHAT.write_request(CHAT.read_request(asked, "gemini-3-pro", True), config(SIGNED), "", Hints("t", 1))
    sent = json.loads(written.request.body)["messages"]
    assert [call["extra_content"] for call in sent[1]["tool_calls"]] == expected
    assert [each["tool_call_id"] for each in sent[2:]] == [call["id"] for call in sent[1]["tool_calls"]]
