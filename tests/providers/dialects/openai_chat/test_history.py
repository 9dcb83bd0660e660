"""Messages conversations as Chat Completions': every block in its place, and the history mended both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.quirks import Quirks
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

IMAGE_PART = {"type": "image_url", "image_url": {"url": PNG_URL}}


def said(*messages: dict[str, Any], **body: Any) -> list[tuple[str, Any]]:
    """(role, content or ids of calls) of each message."""
    made = history(*messages, **body)
    return [(each["role"], [call["id"] for call in each.get("tool_calls", [])] or each["content"]) for each in made]


def test_system_is_one_message_and_the_billing_block_is_dropped() -> None:
    system = [text("x-anthropic-billing-header: cc_version=2.1.197.abc;"), text("You are."), text("Be brief.")]
    assert said(user("Hi"), system=system) == [("system", "You are.\n\nBe brief."), ("user", "Hi")]
    assert said(user("Hi"), system="Words.") == [("system", "Words."), ("user", "Hi")]
    assert said(user("Hi"), system=[]) == said(user("Hi"), system="") == [("user", "Hi")]


def test_user_text_is_one_string() -> None:
    assert said(user(text("a"), text("b"))) == [("user", "a\n\nb")]
    assert said(user("a")) == [("user", "a")]


def test_images_keep_their_places_between_text() -> None:
    url = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    assert said(user(text("a"), PNG, text("b"), url)) == [
        (
            "user",
            [
                text("a"),
                IMAGE_PART,
                text("b"),
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ],
        )
    ]


def test_a_system_message_stays_in_its_place() -> None:
    made = said(
        user("a"),
        {"role": "system", "content": "Agents."},
        assistant("b"),
        {"role": "system", "content": [text("Skills.")]},
    )
    assert made == [("user", "a"), ("system", "Agents."), ("assistant", "b"), ("system", "Skills.")]


def test_a_system_message_between_a_call_and_its_result_waits() -> None:
    made = said(user("a"), assistant(use("t1")), {"role": "system", "content": "Agents."}, user(result("t1", "r")))
    assert made == [("user", "a"), ("assistant", ["t1"]), ("tool", "r"), ("system", "Agents.")]


def test_a_call_and_its_result() -> None:
    made = history(
        user("a"), assistant(text("I look."), use("t1", command="ls")), user(result("t1", "x")), tools=[tool("Bash")]
    )
    assert made[1:] == [
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "Bash", "arguments": '{"command":"ls"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "x"},
    ]


def test_a_call_without_text_has_empty_content_and_not_null() -> None:
    assert history(user("a"), assistant(use("t1")), user(result("t1")))[1]["content"] == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [("a", "a"), ([], ""), (None, ""), ([text("a"), text("b")], "a\nb"), ([text("")], ""), ("", "")],
)
def test_results_are_text(content: Any, words: str) -> None:
    assert history(user("a"), assistant(use("t1")), user(result("t1", content)))[2]["content"] == words


def test_a_result_may_have_no_content_at_all() -> None:
    block = {"type": "tool_result", "tool_use_id": "t1"}
    assert history(user("a"), assistant(use("t1")), user(block))[2]["content"] == ""


@pytest.mark.parametrize(
    ("content", "words"), [("no such file", "Error: no such file"), ("", "Error"), ([text("a")], "Error: a")]
)
def test_a_result_that_is_an_error_says_so(content: Any, words: str) -> None:
    assert history(user("a"), assistant(use("t1")), user(result("t1", content, is_error=True)))[2]["content"] == words
    assert history(user("a"), assistant(use("t1")), user(result("t1", "ok", is_error=False)))[2]["content"] == "ok"


def test_images_of_a_result_move_to_a_user_turn() -> None:
    made = history(user("a"), assistant(use("t1")), user(result("t1", [text("shot"), PNG]), text("Look.")))
    assert made[2]["content"].startswith("shot\n")
    assert made[3] == {"role": "user", "content": [text("Returned by the tool call t1:"), IMAGE_PART, text("Look.")]}


def test_images_of_several_results_stand_behind_all_of_them() -> None:
    made = history(
        user("a"),
        assistant(use("t1"), use("t2")),
        user(result("t1", [PNG]), result("t2", [text("b"), PNG])),
        assistant("c"),
    )
    assert [each["role"] for each in made] == ["user", "assistant", "tool", "tool", "user", "assistant"]
    assert made[4]["content"].count(IMAGE_PART) == 2
    assert made[2]["content"]


def test_documents_in_text_are_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "words"}
    document = {"type": "document", "title": "Notes", "source": source}
    assert said(user(document)) == [("user", '<document title="Notes">\nwords\n</document>')]
    content = {"type": "document", "source": {"type": "content", "content": [text("one"), text("two")]}}
    assert "one\ntwo" in said(user(content))[0][1]
    found = {"type": "search_result", "source": "https://example.com", "title": "", "content": [text("found")]}
    assert said(user(found)) == [("user", '<document title="https://example.com">\nfound\n</document>')]
    assert "words" in history(user("a"), assistant(use("t1")), user(result("t1", [document])))[2]["content"]


def test_a_pdf_is_a_file_where_the_upstream_takes_files() -> None:
    pdf = {
        "type": "document",
        "title": "a.pdf",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    }
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    assert said(user(text("See."), pdf), quirks=Quirks(files=True)) == [("user", [text("See."), part])]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "application/pdf that this model cannot be shown",
        ),
        ({"type": "url", "url": "https://example.com/a.pdf"}, "https://example.com/a.pdf"),
    ],
)
def test_a_document_that_cannot_be_shown_is_named_and_lost(source: dict[str, Any], words: str) -> None:
    made, lost = chat(messages=[user({"type": "document", "title": "a.pdf", "source": source})])
    assert words in made["messages"][0]["content"]
    assert "a.pdf" in made["messages"][0]["content"]
    assert lost == ("messages.document",)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "container_upload", "file_id": "file_1"},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
    ],
    ids=lambda block: str(block["type"]),
)
def test_blocks_without_a_place_are_lost_by_name(block: dict[str, Any]) -> None:
    made, lost = chat(messages=[user(text("Hi"), block)])
    assert made["messages"] == [{"role": "user", "content": "Hi"}]
    assert lost == (f"messages.{block['type']}",)
    _, lost = chat(messages=[user("Hi"), assistant(text("a"), block)])
    assert lost == (f"messages.{block['type']}",)
    _, lost = chat(messages=[user("Hi"), assistant(use("t1")), user(result("t1", [block]))])
    assert lost == (f"messages.{block['type']}",)


@pytest.mark.parametrize(
    "block", [PNG, {"type": "document", "source": {"type": "text", "data": "secret words"}}], ids=["image", "document"]
)
@pytest.mark.parametrize("role", ["assistant", "system"])
def test_what_only_a_user_can_show_is_shown_or_lost_by_name(role: str, block: dict[str, Any]) -> None:
    made, lost = chat(messages=[user("Hi"), {"role": role, "content": [text("a"), block]}])
    shown = json.dumps(made)
    assert f"messages.{block['type']}" in lost or PNG_URL in shown or "secret words" in shown


def test_redacted_thinking_is_lost_by_name() -> None:
    made, lost = chat(messages=[user("a"), assistant({"type": "redacted_thinking", "data": "EmwK"}, text("b"))])
    assert made["messages"][1] == {"role": "assistant", "content": "b"}
    assert lost == ("messages.redacted_thinking",)


def test_reasoning_goes_back_to_its_maker_in_the_field_it_came_in() -> None:
    for field in ("reasoning_content", "reasoning"):
        thought = {"type": "thinking", "thinking": "why", "signature": f"keyturn:acme:{field}"}
        (_, made, _) = history(user("a"), assistant(thought, text("b"), use("t1")), user(result("t1")))[:3]
        assert (made[field], made["content"]) == ("why", "b")


def test_reasoning_of_several_blocks_is_one_field() -> None:
    thoughts = [{"type": "thinking", "thinking": words, "signature": "keyturn:acme:reasoning"} for words in ("a", "b")]
    assert history(user("a"), assistant(*thoughts, use("t1")), user(result("t1")))[1]["reasoning"] == "ab"


@pytest.mark.parametrize(
    "signature", ["EqQBCgIYAhIM==", "keyturn:other:reasoning", "keyturn:acme:of_next_year", "keyturn:acme:think", ""]
)
def test_reasoning_that_cannot_go_back_is_lost_by_name(signature: str) -> None:
    thought = {"type": "thinking", "thinking": "why", "signature": signature}
    made, lost = chat(messages=[user("a"), assistant(thought, text("b"))])
    assert "why" not in json.dumps(made)
    assert lost == ("messages.thinking",)


def test_a_prefill_stays_last() -> None:
    assert said(user("a"), assistant("You are"))[-1] == ("assistant", "You are")
