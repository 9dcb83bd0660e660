"""Messages conversations that Chat Completions would refuse: orphans, missing results, odd ids and names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.providers.dialects.openai_chat.asking import (
    PNG,
    PNG_URL,
    assistant,
    chat,
    history,
    result,
    text,
    tool,
    use,
    user,
)

INTERRUPTED = "No result: the call was interrupted."
IMAGE_PART = {"type": "image_url", "image_url": {"url": PNG_URL}}


def said(*messages: dict[str, Any], **body: Any) -> list[tuple[str, Any]]:
    """(role, content or ids of calls) of each message."""
    made = history(*messages, **body)
    return [(each["role"], [call["id"] for call in each.get("tool_calls", [])] or each["content"]) for each in made]


def test_text_beside_results_comes_after_them() -> None:
    for content in ([result("t1", "r"), text("Look.")], [text("Look."), result("t1", "r")]):
        made = said(user("a"), assistant(use("t1")), user(*content))
        assert made[1:] == [("assistant", ["t1"]), ("tool", "r"), ("user", "Look.")]


def test_text_after_a_call_comes_after_its_results() -> None:
    made = said(
        user("a"),
        assistant(text("Before."), use("t1"), text("Between."), use("t2"), text("After.")),
        user(result("t1"), result("t2")),
    )
    assert made[1:] == [
        ("assistant", ["t1", "t2"]),
        ("tool", "done"),
        ("tool", "done"),
        ("assistant", "Between.\n\nAfter."),
    ]
    assert history(user("a"), assistant(text("Before."), use("t1")), user(result("t1")))[1]["content"] == "Before."


def test_results_may_come_in_any_order_and_in_several_turns() -> None:
    made = said(
        user("a"), assistant(use("t1"), use("t2")), user(result("t2", "two")), user(text("wait"), result("t1", "one"))
    )
    assert made[2:] == [("tool", "two"), ("tool", "one"), ("user", "wait")]


def test_a_result_without_its_call_becomes_text() -> None:
    made = said(user(result("gone", "words"), text("Look.")))
    assert made == [("user", "Result of an earlier tool call (gone): words\n\nLook.")]
    made = said(user("a"), assistant("b"), user(result("gone", [text("words"), PNG], is_error=True)))
    assert made[2][1][0]["text"] == "Result of an earlier tool call (gone): Error: words"
    assert IMAGE_PART in made[2][1]


def test_a_result_that_comes_twice_is_a_result_once() -> None:
    made = said(user("a"), assistant(use("t1")), user(result("t1", "one"), result("t1", "two")))
    assert made[2:] == [("tool", "one"), ("user", "Result of an earlier tool call (t1): two")]


def test_a_result_before_its_call_is_an_orphan_and_the_call_interrupted() -> None:
    made = said(user(result("t1", "early")), assistant(use("t1")))
    assert made == [
        ("user", "Result of an earlier tool call (t1): early"),
        ("assistant", ["t1"]),
        ("tool", INTERRUPTED),
    ]


@pytest.mark.parametrize(
    "after",
    [[], [user("Stop.")], [assistant("b")], [user(result("t2", "two"))], [user("Stop."), assistant("b"), user("c")]],
    ids=["the end", "user", "assistant", "a result of another", "more turns"],
)
def test_a_call_without_its_result_is_given_one(after: list[dict[str, Any]]) -> None:
    made = history(user("a"), assistant(use("t1"), use("t2")), *after)
    results = {each["tool_call_id"]: each["content"] for each in made if each["role"] == "tool"}
    assert results["t1"] == INTERRUPTED
    assert set(results) == {"t1", "t2"}


def test_what_a_user_says_instead_of_a_result_comes_after_it() -> None:
    assert said(user("a"), assistant(use("t1")), user("Stop."))[1:] == [
        ("assistant", ["t1"]),
        ("tool", INTERRUPTED),
        ("user", "Stop."),
    ]


def test_long_ids_are_mapped_alike_for_a_call_and_its_result() -> None:
    long, other = "toolu_" + "x" * 60, "toolu_" + "x" * 61
    made = history(user("a"), assistant(use(long), use(other)), user(result(long, "one"), result(other, "two")))
    ids = [call["id"] for call in made[1]["tool_calls"]]
    assert [(each["tool_call_id"], each["content"]) for each in made[2:]] == [(ids[0], "one"), (ids[1], "two")]
    assert len(set(ids)) == 2
    assert all(len(identity) <= 40 for identity in ids)


def test_an_id_that_fits_is_kept() -> None:
    fits = "functions.Bash:0"
    assert history(user("a"), assistant(use(fits)), user(result(fits)))[1]["tool_calls"][0]["id"] == fits


@pytest.mark.parametrize("name", ["mcp__a/b.c", "x" * 80, "münze", "a b"])
def test_a_tool_of_an_odd_name_has_one_name_everywhere(name: str) -> None:
    made, _ = chat(messages=[user("a"), assistant(use("t1", name)), user(result("t1"))], tools=[tool(name)])
    history(user("a"), assistant(use("t1", name)), user(result("t1")), tools=[tool(name)])
    assert made["messages"][1]["tool_calls"][0]["function"]["name"] == made["tools"][0]["function"]["name"]


@pytest.mark.parametrize("name", ["mcp__a/b.c", "x" * 80])
def test_a_tool_that_is_no_longer_offered_has_a_name_that_is_taken(name: str) -> None:
    assert history(user("a"), assistant(use("t1", name)), user(result("t1")), tools=[tool("Bash")])


def test_an_assistant_turn_of_nothing_is_left_out() -> None:
    assert said(user("a"), assistant(text("")), user("b")) == [("user", "a"), ("user", "b")]
    assert said(user("a"), assistant(""), user(text("")), user("b")) == [("user", "a"), ("user", "b")]


def test_arguments_that_were_unreadable_are_an_object() -> None:
    """Claude Code sends what it could not read as an object of its own; whatever it is, it is passed."""
    raw: dict[str, Any] = {"__unparsedToolInput": {"raw": '{"a', "len": 3}}
    made = history(user("a"), assistant(use("t1", **raw)), user(result("t1")))
    assert json.loads(made[1]["tool_calls"][0]["function"]["arguments"]) == raw
