"""Neutral events as a Responses stream: what each event holds. Their order is under test beside."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    RawDelta,
    SignatureDelta,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from providers.chat.fold import AnswerBlock, WholeMessage
from providers.errors import Fault
from providers.ports import Usage
from tests.providers.dialects.openai_responses.asking import TOOLS, Json, events, streamed, writer

USAGE = Usage(input_tokens=6, output_tokens=10, cache_read_tokens=8, cache_write_tokens=5, reasoning_tokens=4)
COUNTED = {
    "input_tokens": 19,
    "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 5},
    "output_tokens": 10,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 29,
}
BEGUN = Started("msg_tok", "upstream")
FINISHED = Finished(Stop.END_TURN, USAGE)


def block(kind: BlockKind, *inner: Event, **more: Any) -> list[Event]:
    return [BlockStarted(kind, **more), *inner, BlockStopped()]


def inner(*made: Event) -> list[Json]:
    """Between the beginning and the end, without what every event has."""
    found = streamed([BEGUN, *made, FINISHED, Ended()])[2:-1]
    return [{key: value for key, value in each.items() if key != "sequence_number"} for each in found]


def last(*made: Event, stop: Stop = Stop.END_TURN) -> Json:
    found: Json = streamed([BEGUN, *made, Finished(stop, USAGE), Ended()])[-1]
    return found


def test_the_response_says_again_what_was_asked() -> None:
    asked = {"instructions": "Be brief.", "temperature": 0.5, "metadata": {"a": "b"}, "tool_choice": "required"}
    created, *_, completed = streamed([BEGUN, FINISHED, Ended()], **asked, reasoning={"effort": "low"})
    response = created["response"]
    assert asked.items() <= response.items()
    assert (response["tools"], response["reasoning"]) == (TOOLS, {"effort": "low"})
    assert (response["id"], response["object"], response["created_at"]) == ("resp_tok", "response", 1_760_000_000)
    assert (response["model"], response["status"], response["store"]) == ("asked/for", "in_progress", False)
    assert (response["output"], response["usage"], response["error"]) == ([], None, None)
    assert completed["response"] == {**response, "status": "completed", "usage": COUNTED}


def test_what_was_not_asked_is_as_openai_has_it() -> None:
    response = streamed([BEGUN])[0]["response"]
    assert (response["parallel_tool_calls"], response["tool_choice"], response["truncation"]) == (
        True,
        "auto",
        "disabled",
    )
    assert (response["text"], response["top_p"]) == ({"format": {"type": "text"}}, 1.0)


def test_text() -> None:
    place = {"item_id": "msg_tok_0", "output_index": 0, "content_index": 0}
    item = {"id": "msg_tok_0", "type": "message", "role": "assistant"}
    part = {"type": "output_text", "annotations": [], "logprobs": []}
    assert inner(*block(BlockKind.TEXT, TextDelta("Hi "), TextDelta('"ü"'))) == [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": "Hi ", "logprobs": []},
        {"type": "response.output_text.delta", **place, "delta": '"ü"', "logprobs": []},
        {"type": "response.output_text.done", **place, "text": 'Hi "ü"', "logprobs": []},
        {"type": "response.content_part.done", **place, "part": {**part, "text": 'Hi "ü"'}},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {**item, "status": "completed", "content": [{**part, "text": 'Hi "ü"'}]},
        },
    ]


def test_reasoning() -> None:
    thought = block(BlockKind.THINKING, ThinkingDelta("wh"), ThinkingDelta("y"), SignatureDelta("EqQB"))
    place = {"item_id": "rs_tok_0", "output_index": 0, "summary_index": 0}
    item = {"id": "rs_tok_0", "type": "reasoning"}
    part = {"type": "summary_text", "text": "why"}
    assert inner(*thought) == [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "summary": [], "encrypted_content": None},
        },
        {"type": "response.reasoning_summary_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.reasoning_summary_text.delta", **place, "delta": "wh"},
        {"type": "response.reasoning_summary_text.delta", **place, "delta": "y"},
        {"type": "response.reasoning_summary_text.done", **place, "text": "why"},
        {"type": "response.reasoning_summary_part.done", **place, "part": part},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {**item, "summary": [part], "encrypted_content": "keyturn::EqQB"},
        },
    ]


@pytest.mark.parametrize("signature", ["", "keyturn:acme:responses:rs_1:gAAA"])
def test_a_thought_without_words(signature: str) -> None:
    signed = [SignatureDelta(signature)] if signature else []
    added, done = inner(*block(BlockKind.THINKING, *signed))
    assert (added["type"], done["type"]) == ("response.output_item.added", "response.output_item.done")
    assert (done["item"]["summary"], done["item"]["encrypted_content"]) == ([], signature or None)


def test_a_call() -> None:
    pieces = [ArgumentsDelta('{"a":'), ArgumentsDelta("1}")]
    place = {"item_id": "fc_tok_0", "output_index": 0}
    item = {"id": "fc_tok_0", "type": "function_call", "call_id": "c1", "name": "Bash"}
    assert inner(*block(BlockKind.TOOL_USE, *pieces, id="c1", name="Bash")) == [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "arguments": ""},
        },
        {"type": "response.function_call_arguments.delta", **place, "delta": '{"a":'},
        {"type": "response.function_call_arguments.delta", **place, "delta": "1}"},
        {"type": "response.function_call_arguments.done", **place, "name": "Bash", "arguments": '{"a":1}'},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {**item, "status": "completed", "arguments": '{"a":1}'},
        },
    ]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    *_, delta, done, item = inner(*block(BlockKind.TOOL_USE, id="c1", name="Bash"))
    assert (delta["delta"], done["arguments"], item["item"]["arguments"]) == ("{}", "{}", "{}")


def test_a_call_of_a_namespaces_tool() -> None:
    item = inner(*block(BlockKind.TOOL_USE, id="c1", name="docs__search"))[-1]["item"]
    assert (item["name"], item["namespace"]) == ("search", "docs")


def test_a_call_of_a_custom_tool() -> None:
    pieces = [ArgumentsDelta('{"input":"*** Be'), ArgumentsDelta('gin \\"x\\""}')]
    place = {"item_id": "ctc_tok_0", "output_index": 0}
    added, delta, done, item = inner(*block(BlockKind.TOOL_USE, *pieces, id="c1", name="apply_patch"))
    assert (added["item"]["type"], added["item"]["input"]) == ("custom_tool_call", "")
    assert delta == {"type": "response.custom_tool_call_input.delta", **place, "delta": '*** Begin "x"'}
    assert done == {"type": "response.custom_tool_call_input.done", **place, "input": '*** Begin "x"'}
    named = {"id": "ctc_tok_0", "type": "custom_tool_call", "call_id": "c1", "name": "apply_patch"}
    assert item["item"] == {**named, "status": "completed", "input": '*** Begin "x"'}


@pytest.mark.parametrize(
    ("arguments", "text"), [("[1]", "[1]"), ('{"input"', '{"input"'), ('{"a":1}', '{"a":1}'), ("", "")]
)
def test_what_is_no_input_of_a_custom_tool_is_kept(arguments: str, text: str) -> None:
    item = inner(*block(BlockKind.TOOL_USE, ArgumentsDelta(arguments), id="c1", name="apply_patch"))[-1]["item"]
    assert item["input"] == text


def test_a_hidden_thought_is_sealed() -> None:
    raw = {"type": "redacted_thinking", "data": "Zm9v"}
    added, done = inner(*block(BlockKind.RAW, raw=raw))
    assert (added["item"]["encrypted_content"], done["item"]["encrypted_content"]) == (None, "keyturn:!:Zm9v")


def test_what_only_messages_has_leaves_no_gap() -> None:
    raw = block(BlockKind.RAW, ArgumentsDelta("{}"), RawDelta({"type": "new"}), raw={"type": "server_tool_use"})
    text = block(BlockKind.TEXT, TextDelta("a"), RawDelta({"type": "citations_delta"}))
    made = inner(*raw, *text)
    assert {each["output_index"] for each in made} == {0}


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        (Stop.END_TURN, "completed", None),
        (Stop.STOP_SEQUENCE, "completed", None),
        (Stop.TOOL_USE, "completed", None),
        (Stop.PAUSE_TURN, "completed", None),
        (Stop.MAX_TOKENS, "incomplete", "max_output_tokens"),
        (Stop.CONTEXT_EXCEEDED, "incomplete", "max_output_tokens"),
        (Stop.REFUSAL, "incomplete", "content_filter"),
    ],
)
def test_how_it_ends(stop: Stop, status: str, reason: str | None) -> None:
    two = [*block(BlockKind.TEXT, TextDelta("a")), *block(BlockKind.TOOL_USE, id="c", name="Bash")]
    end = last(*two, stop=stop)
    assert (end["type"], end["response"]["status"]) == (f"response.{status}", status)
    assert end["response"]["incomplete_details"] == ({"reason": reason} if reason else None)
    assert [item["status"] for item in end["response"]["output"]] == ["completed", status]


def test_a_whole_answer() -> None:
    message = WholeMessage("msg_tok", "upstream", [AnswerBlock(BlockKind.TEXT, "Hi")], Stop.END_TURN, None, USAGE)
    assert json.loads(writer().whole(message)) == last(*block(BlockKind.TEXT, TextDelta("Hi")))["response"]


@pytest.mark.parametrize(
    ("fault", "code", "kind"),
    [
        (Fault(502, "api_error", "gone"), "server_error", "server_error"),
        (Fault(529, "overloaded_error", "gone"), "server_error", "server_error"),
        (Fault(429, "rate_limit_error", "gone"), "rate_limit_exceeded", "rate_limit_error"),
        (Fault(400, "invalid_request_error", "gone"), "invalid_prompt", "invalid_request_error"),
    ],
)
def test_a_failure_is_told_in_every_way_that_clients_read(fault: Fault, code: str, kind: str) -> None:
    error, failed = events(writer().failed(fault))
    nested = {"type": kind, "code": code, "message": "gone", "param": None}
    flat = {"code": code, "message": "gone", "param": None, "sequence_number": 0}
    assert error == {"type": "error", **flat, "error": nested}
    assert failed["type"] == "response.failed"
    assert failed["response"]["error"] == {"code": code, "message": "gone"}
    assert (failed["response"]["id"], failed["response"]["status"]) == ("resp_1", "failed")
