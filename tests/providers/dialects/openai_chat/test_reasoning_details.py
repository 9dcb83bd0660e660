"""``reasoning_details``: read, carried by the client, and given back as they came."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.chat.fold import AnswerBlock
from providers.chat.marks import thought_origin
from providers.dialects.openai_chat.reasoning_details import Details, restored, text_of
from tests.providers.dialects.openai_chat.asking import assistant, history, result, use, user
from tests.providers.dialects.openai_chat.chunks import answer, chunk, end, piece, text, tools

Json = dict[str, Any]
CALL = tools(piece("Bash", "{}", index=0, id="call_aaaaaaaa"))


def detail(kind: str = "text", **more: Any) -> Json:
    return {"type": f"reasoning.{kind}", **more}


def details(*entries: Json, **more: Any) -> bytes:
    return chunk({"reasoning_details": list(entries), **more})


def sent_back(block: AnswerBlock) -> Any:
    """The details of the message that a client's next request makes of this thought."""
    thought = {"type": "thinking", "thinking": block.text, "signature": block.signature}
    return history(user("a"), assistant(thought, use("t1")), user(result("t1")))[1].get("reasoning_details")


def test_a_signed_thought_goes_back_whole() -> None:
    parts = [
        details(detail(text="Let ", index=0, format="anthropic-claude-v1", id=None), reasoning="Let "),
        details(detail(text="me.", index=0), reasoning="me."),
        details(detail(text="", signature="EqQB", index=0)),
    ]
    thought, _ = answer(*parts, text("so"), end()).blocks
    assert thought.text == "Let me."
    assert sent_back(thought) == [
        {
            "type": "reasoning.text",
            "text": "Let me.",
            "index": 0,
            "format": "anthropic-claude-v1",
            "id": None,
            "signature": "EqQB",
        }
    ]


def test_details_alone_go_back_as_details_and_other_fields_as_theirs() -> None:
    thought, _ = answer(details(detail(text="why", id="r1", index=0)), text("so"), end()).blocks
    assert sent_back(thought) == [detail(text="why", id="r1", index=0)]
    thought, _ = answer(details(detail(text="why"), reasoning="why"), text("so"), end()).blocks
    assert thought_origin(thought.signature, "acme") == ("reasoning", "")


def test_a_summary_and_what_is_encrypted_behind_it() -> None:
    parts = [details(detail("summary", summary="Short.")), details(detail("encrypted", data="x", id="rs_1"))]
    thought, _ = answer(*parts, CALL, end("tool_calls")).blocks
    assert thought.text == "Short."
    assert sent_back(thought) == [detail("summary", summary="Short."), detail("encrypted", data="x", id="rs_1")]


@pytest.mark.parametrize("last", [text("so"), CALL])
def test_what_is_only_encrypted_is_a_thought_without_words(last: bytes) -> None:
    thought, other = answer(details(detail("encrypted", data="x")), last, end()).blocks
    assert (str(thought.kind), thought.text) == ("thinking", "")
    assert sent_back(thought) == [detail("encrypted", data="x")]
    assert str(other.kind) != "thinking"


def test_what_is_encrypted_for_a_call_comes_before_it() -> None:
    parts = [text("I look."), details(detail("encrypted", data="x", id="tool_1")), CALL, end("tool_calls")]
    assert [str(block.kind) for block in answer(*parts).blocks] == ["text", "thinking", "tool_use"]


def test_what_comes_too_late_to_be_of_use_is_no_block() -> None:
    late = details(detail("encrypted", data="x"))
    assert [str(block.kind) for block in answer(text("so"), late, end()).blocks] == ["text"]
    assert [str(block.kind) for block in answer(CALL, late, end("tool_calls")).blocks] == ["tool_use"]


def test_two_encrypted_entries_stay_two() -> None:
    both = [detail("encrypted", data="x"), detail("encrypted", data="y")]
    thought, _ = answer(details(*both), text("so"), end()).blocks
    assert sent_back(thought) == both


def test_a_reasoning_that_is_worded_otherwise_keeps_both_wordings() -> None:
    thought, _ = answer(details(detail(text="long", signature="s"), reasoning="short"), text("so"), end()).blocks
    assert thought.text == "short"
    assert sent_back(thought) == [detail(text="long", signature="s")]


@pytest.mark.parametrize("payload", ["!", "e30", "W10", "WzVd", "bnVsbA", "W1td"])
def test_a_damaged_payload_restores_nothing(payload: str) -> None:
    assert restored(payload, "why") == []


def test_a_thought_without_payload_is_one_entry() -> None:
    assert restored("", "why") == [detail(text="why")]


@pytest.mark.parametrize("value", [None, [], {}, "x", 5, [None], [5], [[]], [{"text": 5}], [{"summary": None}]])
def test_other_values_say_nothing(value: Any) -> None:
    made = Details()
    made.take(value)
    assert (text_of(value), made.opaque) == ("", False)


entries = st.fixed_dictionaries(
    {"type": st.sampled_from(["reasoning.text", "reasoning.summary"])},
    optional={"text": st.text(max_size=4), "index": st.integers(0, 2), "signature": st.text(max_size=3)},
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(entries, max_size=6))
def test_what_was_put_together_comes_back(parts: list[Json]) -> None:
    made, whole = Details(), Details()
    for part in parts:
        made.take([part])
    whole.take(parts)
    said = text_of(parts)
    back = restored(made.payload(said), said) if parts else []
    assert text_of(back) == said
    assert back == (restored(whole.payload(said), said) if parts else [])
