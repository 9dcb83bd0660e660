"""Random conversations, whole and damaged, in both directions: the other side's rules are kept and no text is lost."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings

from providers.call import Hints
from providers.dialects.anthropic import DIALECT as MESSAGES
from providers.dialects.openai_chat import DIALECT as CHAT
from providers.json_object import JsonObject
from tests.providers.dialects.conversations import conversations
from tests.providers.dialects.openai_chat.asking import chat, config, faults, messages_faults, tool

property_test = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
Json = dict[str, Any]


def kept(messages: list[Json], said: list[str]) -> None:
    made, _ = chat(messages=messages, tools=[tool("Bash"), tool("Read"), tool("mcp/odd.name"), tool("x" * 70)])
    assert list(faults(made["messages"])) == []
    written = json.dumps(made["messages"])
    assert [words for words in said if words not in written] == []
    assert written.count("data:image/png") == json.dumps(messages).count("image/png")


@property_test
@given(conversations(damaged=False))
def test_a_valid_history_keeps_chats_rules_and_every_text(case: tuple[list[Json], list[str]]) -> None:
    kept(*case)


@property_test
@given(conversations(damaged=True))
def test_a_damaged_history_is_mended_and_keeps_every_text(case: tuple[list[Json], list[str]]) -> None:
    kept(*case)


@property_test
@given(conversations(damaged=False))
def test_a_valid_history_needs_no_mending(case: tuple[list[Json], list[str]]) -> None:
    written = json.dumps(chat(messages=case[0])[0])
    assert "interrupted" not in written
    assert "earlier tool call" not in written


@property_test
@given(conversations(damaged=False))
def test_each_speakers_words_come_in_their_order(case: tuple[list[Json], list[str]]) -> None:
    """Text after a call moves behind its results; a user's text never moves past another of the same turn."""
    messages, _ = case
    made = "".join(
        str(message["content"]) for message in chat(messages=messages)[0]["messages"] if message["role"] == "user"
    )
    spoken_by_user = [
        block["text"]
        for message in messages
        if message["role"] == "user"
        for block in message["content"]
        if block["type"] == "text"
    ]
    places = [made.index(words) for words in spoken_by_user]
    assert places == sorted(places)


@property_test
@given(conversations(damaged=False))
def test_there_and_back_again_is_a_valid_messages_history(case: tuple[list[Json], list[str]]) -> None:
    messages, said = case
    once, _ = chat(messages=messages)
    asked = JsonObject(json.dumps({"model": "gpt", "messages": once["messages"]}).encode())
    CHAT.check(asked)
    again = MESSAGES.write_request(CHAT.read_request(asked, "target", True), config(), "", Hints("t", 1))
    body = json.loads(again.request.body)
    MESSAGES.check(JsonObject(again.request.body))
    assert list(messages_faults(body["messages"])) == []
    written = json.dumps(body)
    assert [words for words in said if words not in written] == []
