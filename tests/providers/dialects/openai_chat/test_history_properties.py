"""Random conversations, whole and damaged, in both directions: the other side's rules are kept and no text is lost."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.call import Hints
from providers.dialects.anthropic import DIALECT as MESSAGES
from providers.dialects.openai_chat import DIALECT as CHAT
from providers.json_object import JsonObject
from tests.providers.dialects.openai_chat.asking import (
    PNG,
    chat,
    config,
    faults,
    messages_faults,
    result,
    text,
    tool,
    use,
)

property_test = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
Json = dict[str, Any]
NAMES = st.sampled_from(["Bash", "Read", "mcp/odd.name", "x" * 70])


class Words:
    """Every text of one conversation, each of them once in it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._calls = itertools.count()

    def new(self) -> str:
        self.said.append(f"word{len(self.said)}.")
        return self.said[-1]

    def call(self) -> str:
        return f"toolu_{next(self._calls)}"


def document(words: Words) -> Json:
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": words.new()}}


PIECES: list[Callable[[Words], Json]] = [lambda words: text(words.new()), lambda words: PNG, document]


def spoken(draw: st.DrawFn, words: Words, least: int = 0) -> list[Json]:
    return [piece(words) for piece in draw(st.lists(st.sampled_from(PIECES), min_size=least, max_size=3))]


def results(draw: st.DrawFn, words: Words, ids: list[str]) -> list[Json]:
    made = []
    for identity in ids:
        content = draw(st.sampled_from(["text", "none", "blocks"]))
        said: Any = words.new() if content == "text" else spoken(draw, words) if content == "blocks" else None
        made.append(result(identity, said, is_error=draw(st.booleans())))
    return made


def assistant_turn(draw: st.DrawFn, words: Words) -> tuple[Json, list[str]]:
    kinds = draw(st.lists(st.sampled_from(["text", "use", "use"]), min_size=1, max_size=4))
    content, ids = [], list[str]()
    for kind in kinds:
        if kind == "text":
            content.append(text(words.new()))
        else:
            ids.append(words.call())
            content.append(use(ids[-1], draw(NAMES), said=words.new()))
    return {"role": "assistant", "content": content}, ids


@st.composite
def conversations(draw: st.DrawFn, damaged: bool) -> tuple[list[Json], list[str]]:
    """A valid Messages history and its texts; a damaged one lacks results, has orphans, and system turns in between."""
    words = Words()
    messages: list[Json] = [{"role": "user", "content": [text(words.new()), *spoken(draw, words)]}]
    for _ in range(draw(st.integers(0, 3))):
        turn, ids = assistant_turn(draw, words)
        messages.append(turn)
        if damaged:
            ids = draw(st.permutations(ids))[: draw(st.integers(0, len(ids)))]
            ids += draw(st.lists(st.sampled_from(["toolu_gone", "toolu_0"]), max_size=1))
        if damaged and draw(st.booleans()):
            messages.append({"role": "system", "content": words.new()})
        before = [text(words.new())] if draw(st.booleans()) else []
        after = spoken(draw, words, 0 if ids else 1)
        messages.append({"role": "user", "content": [*before, *results(draw, words, ids), *after]})
    return messages, words.said


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
