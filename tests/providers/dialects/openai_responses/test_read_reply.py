"""What a Responses upstream sends, beyond the samples: events that come late, twice, mixed, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from providers.chat.events import BlockStarted, Ended, Event, Failed, Finished, Started, Stop
from providers.chat.fold import AnswerBlock, WholeMessage, fold
from providers.json_object import encode
from providers.ports import Usage
from tests.providers.dialects.openai_responses.asking import Json, event, item, read_all, reader

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
CALL = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "Bash", "arguments": ""}
THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": []}


def delta(kind: str, text: str, index: int = 0, **more: Any) -> bytes:
    return event(f"response.{kind}.delta", output_index=index, delta=text, **more)


def end(status: str = "completed", **more: Any) -> bytes:
    return event(f"response.{status}", response={"id": "resp_1", "status": status, "output": [], **more})


def answer(*parts: bytes) -> WholeMessage:
    made = read_all(*parts)
    assert made[-1] == Ended(), made[-1]
    return fold(made)


def shown(*parts: bytes) -> list[tuple[str, str]]:
    return [_shown(block) for block in answer(*parts).blocks]


def _shown(block: AnswerBlock) -> tuple[str, str]:
    return str(block.kind), block.text


def finished(made: list[Event]) -> Finished:
    return next(each for each in made if isinstance(each, Finished))


def words(*parts: bytes) -> str:
    last = read_all(*parts)[-1]
    assert isinstance(last, Failed)
    return last.failure.words


def text_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": []}


def test_a_text_that_only_its_end_tells() -> None:
    done = event("response.output_text.done", output_index=0, content_index=0, text="Hi")
    assert shown(item("added", 0, **MESSAGE), done, end()) == [("text", "Hi")]
    assert shown(item("done", 0, **{**MESSAGE, "content": [text_part("Hi")]}), end()) == [("text", "Hi")]
    assert shown(end(output=[{**MESSAGE, "content": [text_part("Hi")]}])) == [("text", "Hi")]


def test_a_text_whose_end_tells_more_than_its_deltas() -> None:
    whole = {**MESSAGE, "content": [text_part("Hi there")]}
    assert shown(delta("output_text", "Hi"), item("done", 0, **whole), end()) == [("text", "Hi there")]


def test_each_part_of_a_message_is_a_block() -> None:
    parts = [delta("output_text", text, content_index=at) for at, text in enumerate(["a", "b"])]
    assert shown(item("added", 0, **MESSAGE), *parts, end()) == [("text", "a"), ("text", "b")]


def test_a_part_that_has_ended_goes_on_no_more() -> None:
    done = event("response.output_text.done", output_index=0, content_index=0, text="a")
    assert shown(delta("output_text", "a"), done, delta("output_text", "b"), end()) == [("text", "a")]


def test_an_empty_message_is_no_block() -> None:
    assert shown(item("added", 0, **MESSAGE), item("done", 0, **MESSAGE), end()) == []


def test_a_refusal_is_told_from_text_and_is_a_reason() -> None:
    message = answer(delta("refusal", "I can"), delta("refusal", "not."), end())
    assert ([_shown(block) for block in message.blocks], message.stop) == ([("refusal", "I cannot.")], Stop.REFUSAL)


def test_parts_of_a_summary_stand_apart() -> None:
    parts = [delta("reasoning_summary_text", text, summary_index=at) for at, text in enumerate(["one", "two"])]
    sealed = {**THOUGHT, "encrypted_content": "gAAA"}
    (block,) = answer(item("added", 0, **THOUGHT), *parts, item("done", 0, **sealed), end()).blocks
    assert (block.text, block.signature) == ("one\n\ntwo", "keyturn:acme:responses:rs_1:gAAA")


def test_a_summary_that_only_its_end_tells() -> None:
    summary = [{"type": "summary_text", "text": text} for text in ("one", "two")]
    whole = {**THOUGHT, "summary": summary}
    assert shown(item("done", 0, **whole), end()) == [("thinking", "one\n\ntwo")]
    assert shown(end(output=[whole])) == [("thinking", "one\n\ntwo")]


def test_of_a_summary_and_the_reasoning_itself_the_first_is_the_thought() -> None:
    made = [delta("reasoning_text", "all of it"), delta("reasoning_summary_text", "in short")]
    (block,) = answer(*made, item("done", 0, **THOUGHT), end()).blocks
    assert (block.text, block.signature) == ("all of it", "keyturn:acme:reasoning_text:rs_1")


def test_a_thought_without_words_or_seal_is_no_block() -> None:
    assert shown(item("added", 0, **THOUGHT), item("done", 0, **THOUGHT), end()) == []


def test_a_sealed_thought_without_words_is_a_block() -> None:
    (block,) = answer(item("done", 0, **{**THOUGHT, "encrypted_content": "gAAA"}), end()).blocks
    assert (block.kind, block.text, block.signature) == ("thinking", "", "keyturn:acme:responses:rs_1:gAAA")


def test_a_call_whose_name_comes_late() -> None:
    nameless = {**CALL, "name": None}
    made = [
        item("added", 0, **nameless),
        delta("function_call_arguments", '{"a":'),
        delta("function_call_arguments", "1}"),
    ]
    (block,) = answer(*made, item("done", 0, **{**CALL, "arguments": '{"a":1}'}), end()).blocks
    assert (block.id, block.name, block.text) == ("call_1", "Bash", '{"a":1}')


def test_arguments_that_only_their_end_tells() -> None:
    done = event("response.function_call_arguments.done", output_index=0, arguments='{"a":1}')
    assert shown(item("added", 0, **CALL), done, item("done", 0, **CALL), end()) == [("tool_use", '{"a":1}')]
    whole = {**CALL, "arguments": '{"a":1}'}
    assert shown(item("added", 0, **CALL), item("done", 0, **whole), end()) == [("tool_use", '{"a":1}')]


def test_a_tool_gets_its_own_name_back() -> None:
    (block,) = answer(item("done", 0, **{**CALL, "name": "short"}), end()).blocks
    assert block.name == "a.long.name"


def test_calls_without_ids_of_their_own_get_some() -> None:
    anonymous = {**CALL, "id": "", "call_id": None}
    made = answer(item("done", 0, **anonymous), item("done", 1, **anonymous), item("done", 2, **CALL), end())
    assert [block.id for block in made.blocks] == ["call_tok_0", "call_tok_1", "call_1"]


def test_an_answer_with_calls_stops_for_them() -> None:
    assert answer(item("done", 0, **CALL), end()).stop is Stop.TOOL_USE
    assert answer(delta("output_text", "a"), end()).stop is Stop.END_TURN


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("max_output_tokens", Stop.MAX_TOKENS),
        ("content_filter", Stop.REFUSAL),
        ("steered", Stop.END_TURN),
        (None, Stop.TOOL_USE),
    ],
)
def test_why_an_answer_is_incomplete(reason: str | None, stop: Stop) -> None:
    details = {"incomplete_details": {"reason": reason}}
    assert answer(item("done", 0, **CALL), end("incomplete", **details)).stop is stop


def test_items_of_the_end_are_those_that_were_streamed() -> None:
    """By their ids, for a server may leave some out of the last event, or count them from another number."""
    streamed = [item("added", 3, **MESSAGE), delta("output_text", "Hi", 3)]
    whole = {**MESSAGE, "content": [text_part("Hi!")]}
    assert shown(*streamed, end(output=[whole])) == [("text", "Hi!")]


def test_usage() -> None:
    details = {"input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1}}
    more = {"output_tokens_details": {"reasoning_tokens": 2}}
    counts = {"input_tokens": 9, "output_tokens": 5, **details, **more}
    made = read_all(delta("output_text", "x" * 40), end(usage=counts))
    assert finished(made).usage == Usage(4, 5, 4, 1, 2)


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": None}, {"input_tokens": True}])
def test_usage_that_never_comes_is_estimated(usage: Any) -> None:
    made = read_all(delta("output_text", "x" * 40), end(usage=usage))
    assert finished(made).usage == Usage(input_tokens=7, output_tokens=10)


def test_the_beginning_is_told_at_once_and_once() -> None:
    machine = reader()
    assert machine.feed(event("response.created", response={"id": "resp_1"})) == [
        Started("msg_tok", "", Usage(input_tokens=7))
    ]
    assert machine.feed(event("response.in_progress", response={"id": "resp_1"})) == []
    assert not machine.closing


def test_text_goes_out_as_it_comes_and_a_second_item_waits() -> None:
    machine = reader()
    machine.feed(item("added", 0, **MESSAGE))
    (begun, first) = machine.feed(delta("output_text", "a"))[-2:]
    assert isinstance(begun, BlockStarted)
    assert getattr(first, "text", "") == "a"
    assert machine.feed(item("added", 1, **CALL)) == []
    assert len(machine.feed(delta("output_text", "b"))) == 1
    assert len(machine.feed(item("done", 0, **MESSAGE))) == 2


def test_a_failure_says_what_the_response_says() -> None:
    failed = event("response.failed", response={"error": {"code": "server_error", "message": "their words"}})
    assert words(event("response.created", response={}), failed) == "their words"
    assert words(event("error", message="flat words", code=None)) == "flat words"
    assert words(event("error", error={"message": "nested words"})) == "nested words"
    assert words(event("response.cancelled", response={})) == "the response failed without an error"
    assert words(b'data: {"error":{"message":"bare words"}}\n\n') == "bare words"


def test_a_whole_answer_that_is_not_done_is_none() -> None:
    made = reader().whole(encode({"object": "response", "status": "in_progress", "output": []}))
    assert isinstance(made[-1], Failed)
    assert "'in_progress', not completed" in made[-1].failure.words
