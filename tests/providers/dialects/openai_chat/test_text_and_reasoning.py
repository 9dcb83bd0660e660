"""Text and reasoning in every form: blocks one after the other, in the order in which they were said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.chat.events import BlockKind, BlockStarted, BlockStopped, SignatureDelta, TextDelta, ThinkingDelta
from providers.chat.marks import thought_origin
from tests.providers.dialects.openai_chat.chunks import (
    DONE,
    ESTIMATE,
    answer,
    chunk,
    data,
    end,
    events,
    piece,
    reader,
    shown,
    text,
    tools,
)

CALL = tools(piece("Bash", '{"command":"ls"}', index=0, id="call_aaaaaaaa"))


def thought(words: str, field: str = "reasoning_content") -> bytes:
    return chunk({field: words})


def test_text_streams_as_it_comes() -> None:
    machine = reader()
    assert machine.feed(chunk({"role": "assistant", "content": ""})) == []
    first = machine.feed(text("He"))
    assert [type(event).__name__ for event in first] == ["Started", "BlockStarted", "TextDelta"]
    assert machine.feed(text("llo")) == [TextDelta("llo")]
    assert machine.feed(end()) == [BlockStopped()]


def test_an_answer_has_an_id_of_its_own_and_the_estimate_of_its_input() -> None:
    message = answer(text("Hi"), end())
    assert (message.id, message.usage.input_tokens) == ("msg_tok", ESTIMATE)


def test_all_text_of_an_answer_is_one_block() -> None:
    """Claude Code shows only the last text block (claude-code-wire 3.3)."""
    assert shown(text("a"), text("b"), chunk({"content": None}), text("c"), end()) == [("text", "abc")]


def test_text_and_reasoning_in_turn_are_blocks_in_turn() -> None:
    said = [thought("why"), text("a"), thought("more"), thought(" yet"), text("b"), end()]
    assert shown(*said) == [("thinking", "why"), ("text", "a"), ("thinking", "more yet"), ("text", "b")]


def test_reasoning_and_text_of_one_chunk_come_in_that_order() -> None:
    assert shown(chunk({"content": "a", "reasoning": "why"}), end()) == [("thinking", "why"), ("text", "a")]


def test_text_after_a_call_comes_after_the_calls() -> None:
    second = tools(piece("Read", "{}", index=1, id="call_bbbbbbbb"))
    said = [text("Before."), CALL, text("Af"), second, text("ter."), end("tool_calls")]
    assert [kind for kind, _ in shown(*said)] == ["text", "tool_use", "tool_use", "text"]
    assert shown(*said)[-1] == ("text", "After.")


def test_text_after_the_reason_to_stop_is_kept() -> None:
    assert shown(CALL, end("tool_calls"), text("late"), DONE)[-1] == ("text", "late")
    assert shown(text("a"), end(), text("b"), DONE) == [("text", "a"), ("text", "b")]


def test_blanks_after_a_call_are_no_block() -> None:
    assert [kind for kind, _ in shown(CALL, text("\n"), end("tool_calls"))] == ["tool_use"]


def test_text_that_came_after_a_call_that_was_cut_is_not_said() -> None:
    half = tools(piece("Bash", '{"comm', index=0, id="call_aaaaaaaa"))
    assert TextDelta("late") not in events(half, text("late"))


def test_reasoning_after_a_call_is_kept() -> None:
    said = shown(CALL, thought("after"), end("tool_calls"))
    assert ("thinking", "after") in said


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_is_read_from_either_field(field: str) -> None:
    block = answer(thought("Let ", field), thought("me", field), text("a"), end()).blocks[0]
    assert (block.kind, block.text) == (BlockKind.THINKING, "Let me")
    assert thought_origin(block.signature, "acme")[0] == field


def test_reasoning_in_two_fields_at_once_is_said_once() -> None:
    both = {
        "reasoning": "why",
        "reasoning_content": "why",
        "reasoning_details": [{"type": "reasoning.text", "text": "why"}],
    }
    assert shown(chunk(both), text("a"), end()) == [("thinking", "why"), ("text", "a")]


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ([{"type": "reasoning.text", "text": "why", "signature": None}], "why"),
        ([{"type": "reasoning.summary", "summary": "short"}], "short"),
        ([{"type": "reasoning.text", "text": "a"}, {"type": "reasoning.encrypted", "data": "x"}, {"text": "b"}], "ab"),
    ],
)
def test_reasoning_details_are_read(details: Any, said: str) -> None:
    assert shown(chunk({"reasoning": None, "reasoning_details": details}), text("a"), end())[0] == ("thinking", said)


@pytest.mark.parametrize("details", [[], [{"type": "reasoning.encrypted"}], [None], {}, 5, "", [{"text": 5}]])
def test_reasoning_that_cannot_be_shown_is_no_block(details: Any) -> None:
    assert shown(chunk({"reasoning_details": details}), text("a"), end()) == [("text", "a")]


def test_mistrals_parts_are_thinking_and_text() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Okay"}]},
        {"type": "text", "text": "Hi"},
        {"type": "reference", "reference_ids": [1]},
    ]
    assert shown(chunk({"content": parts}), text(" you"), end()) == [("thinking", "Okay"), ("text", "Hi you")]


@pytest.mark.parametrize("content", [5, {}, [5], [None], [{"type": "text"}], [{"type": "text", "text": 5}], [[]], True])
def test_content_of_another_type_is_none(content: Any) -> None:
    assert shown(chunk({"content": content}), text("a"), end()) == [("text", "a")]


def test_a_thinking_block_ends_with_one_signature() -> None:
    made = events(thought("a"), thought("b"), text("c"), end())
    assert made[1:6] == [
        BlockStarted(BlockKind.THINKING),
        ThinkingDelta("a"),
        ThinkingDelta("b"),
        SignatureDelta("keyturn:acme:reasoning_content"),
        BlockStopped(),
    ]


def test_reasoning_that_is_all_there_is_closes_too() -> None:
    assert events(thought("a"), end())[3:5] == [SignatureDelta("keyturn:acme:reasoning_content"), BlockStopped()]


@pytest.mark.parametrize(
    "signature", ["", "EqQBCgIYAhIM==", "keyturn", "keyturn:other:reasoning", "keyturn:acme2:reasoning"]
)
def test_a_thought_of_another_maker_is_in_no_field(signature: str) -> None:
    assert thought_origin(signature, "acme")[0] == ""


def test_a_refusal_is_told_from_text() -> None:
    message = answer(chunk({"refusal": "I can"}), chunk({"refusal": "not."}), end())
    assert ([(block.kind, block.text) for block in message.blocks], message.stop) == (
        [(BlockKind.REFUSAL, "I cannot.")],
        "refusal",
    )


def test_a_refusal_after_text_is_a_block_of_its_own() -> None:
    assert shown(chunk({"content": "Well. ", "refusal": None}), chunk({"refusal": "No."}), end()) == [
        ("text", "Well. "),
        ("refusal", "No."),
    ]


@pytest.mark.parametrize("choices", [[], None, "x", [None], [5], {}, [{"index": 0, "delta": None}], [{"index": 0}]])
def test_chunks_without_content_say_nothing(choices: Any) -> None:
    assert shown(data({"choices": choices}), text("a"), end()) == [("text", "a")]


def test_a_whole_message_is_read_like_its_stream() -> None:
    message = {"role": "assistant", "content": "Hi", "reasoning": "why"}
    whole = reader().whole(json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode())
    assert [event for event in whole if not isinstance(event, TextDelta | ThinkingDelta)] == [
        event
        for event in events(thought("why", "reasoning"), text("Hi"), end())
        if not isinstance(event, TextDelta | ThinkingDelta)
    ]


def test_nothing_but_the_end_is_an_empty_answer() -> None:
    assert shown(end(), DONE) == []
