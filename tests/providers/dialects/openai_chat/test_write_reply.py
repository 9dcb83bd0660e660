"""Neutral events as Chat Completions chunks, byte for byte what its clients expect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.call import Call, Operation
from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Failed,
    Finished,
    RawDelta,
    SignatureDelta,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from providers.chat.fold import AnswerBlock, WholeMessage
from providers.chat.ports import EventWriter
from providers.dialects.openai_chat import DIALECT
from providers.errors import ErrorKind, Fault, UpstreamFailure
from providers.json_object import JsonObject
from providers.ports import Usage

USAGE = Usage(input_tokens=6, output_tokens=10, cache_read_tokens=8, cache_write_tokens=5, reasoning_tokens=4)
COUNTED = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
REASONS = {
    Stop.END_TURN: "stop",
    Stop.STOP_SEQUENCE: "stop",
    Stop.PAUSE_TURN: "stop",
    Stop.MAX_TOKENS: "length",
    Stop.CONTEXT_EXCEEDED: "length",
    Stop.TOOL_USE: "tool_calls",
    Stop.REFUSAL: "content_filter",
}


def writer(**body: Any) -> EventWriter:
    asked = JsonObject(json.dumps({"model": "asked", "messages": [], **body}).encode())
    return DIALECT.writer(
        Call("req_1", "openai_chat", Operation.MESSAGES, asked, "asked/for", True, received=1_760_000_000)
    )


def chunks(*events: Event, **body: Any) -> list[Any]:
    """The JSON of each event that is written; the last may be [DONE]."""
    made = writer(**body)
    raw = b"".join(made.write(event) for event in events)
    lines = raw.decode().split("\n\n")
    assert lines.pop() == ""
    assert all(line.startswith("data: ") for line in lines)
    return [line if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


def deltas(*events: Event) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(Started("m1", ""), *events)[1:]]


def test_each_chunk_has_the_same_head() -> None:
    made = chunks(
        Started("m1", "upstream"),
        TextDelta("Hi"),
        Finished(Stop.END_TURN, USAGE),
        stream_options={"include_usage": True},
    )
    heads = [{key: value for key, value in chunk.items() if key not in ("choices", "usage")} for chunk in made]
    assert (
        heads
        == [{"id": "chatcmpl-m1", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "asked/for"}]
        * 4
    )


def test_an_answer_of_text() -> None:
    made = chunks(
        Started("m1", ""),
        BlockStarted(BlockKind.TEXT),
        TextDelta("Hi"),
        BlockStopped(),
        Finished(Stop.END_TURN, USAGE),
        Ended(),
    )
    assert [chunk["choices"] for chunk in made[:-1]] == [
        [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None, "logprobs": None}],
        [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None, "logprobs": None}],
        [{"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": None}],
    ]
    assert made[-1] == "data: [DONE]"


def test_reasoning_is_a_field_of_its_own() -> None:
    events: list[Event] = [
        BlockStarted(BlockKind.THINKING),
        ThinkingDelta("why"),
        SignatureDelta("sig"),
        BlockStopped(),
    ]
    assert deltas(*events) == [{"reasoning_content": "why"}]


def test_calls_are_numbered() -> None:
    def call(number: int) -> list[Event]:
        return [
            BlockStarted(BlockKind.TOOL_USE, f"call_{number}", "Bash"),
            ArgumentsDelta("{"),
            ArgumentsDelta("}"),
            BlockStopped(),
        ]

    made = [delta["tool_calls"] for delta in deltas(*call(0), *call(1))]
    assert made[:3] == [
        [{"index": 0, "id": "call_0", "type": "function", "function": {"name": "Bash", "arguments": ""}}],
        [{"index": 0, "function": {"arguments": "{"}}],
        [{"index": 0, "function": {"arguments": "}"}}],
    ]
    assert [call["index"] for (call,) in made] == [0, 0, 0, 1, 1, 1]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    """Clients parse what they put together, and "" is no JSON."""
    made = deltas(BlockStarted(BlockKind.TOOL_USE, "call_0", "Plan"), BlockStopped())
    assert "".join(call["function"]["arguments"] for delta in made for call in delta["tool_calls"]) == "{}"


def test_blocks_that_only_messages_knows_are_left_out() -> None:
    raw: list[Event] = [
        BlockStarted(BlockKind.RAW, raw={"type": "server_tool_use"}),
        ArgumentsDelta("{}"),
        RawDelta({}),
        BlockStopped(),
    ]
    assert deltas(*raw) == []
    after: list[Event] = [BlockStarted(BlockKind.TOOL_USE, "call_0", "Bash"), ArgumentsDelta("{}"), BlockStopped()]
    assert deltas(*after, *raw) == deltas(*after)


@pytest.mark.parametrize("stop", list(Stop))
def test_reasons(stop: Stop) -> None:
    assert chunks(Started("m", ""), Finished(stop, USAGE))[1]["choices"][0]["finish_reason"] == REASONS[stop]
    whole = json.loads(writer().whole(WholeMessage(stop=stop)))
    assert whole["choices"][0]["finish_reason"] == REASONS[stop]


@pytest.mark.parametrize(
    ("options", "counted"),
    [
        ({"include_usage": True}, True),
        ({"include_usage": False}, False),
        ({}, False),
        (None, False),
        ({"include_usage": 1}, False),
    ],
)
def test_usage_comes_where_it_was_asked_for(options: Any, counted: bool) -> None:
    made = chunks(Started("m", ""), Finished(Stop.END_TURN, USAGE), stream_options=options)
    assert len(made) == 2 + counted
    if counted:
        assert (made[-1]["choices"], made[-1]["usage"]) == ([], COUNTED)


def test_a_failure_writes_nothing() -> None:
    """The gateway says it, for it knows whether anything went out."""
    assert writer().write(Failed(UpstreamFailure(ErrorKind.CUT, "gone"))) == b""


def test_a_whole_answer() -> None:
    message = WholeMessage(
        id="m1",
        blocks=[
            AnswerBlock(BlockKind.THINKING, "why", "sig"),
            AnswerBlock(BlockKind.TEXT, "I look."),
            AnswerBlock(BlockKind.TOOL_USE, '{"a":1}', id="call_0", name="Bash"),
            AnswerBlock(BlockKind.TOOL_USE, "", id="call_1", name="Plan"),
            AnswerBlock(BlockKind.RAW, raw={"type": "new"}),
        ],
        stop=Stop.TOOL_USE,
        usage=USAGE,
    )
    calls = [
        {"id": "call_0", "type": "function", "function": {"name": "Bash", "arguments": '{"a":1}'}},
        {"id": "call_1", "type": "function", "function": {"name": "Plan", "arguments": "{}"}},
    ]
    said = {"role": "assistant", "content": "I look.", "refusal": None}
    answer = {**said, "reasoning_content": "why", "tool_calls": calls}
    assert json.loads(writer().whole(message)) == {
        "id": "chatcmpl-m1",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "asked/for",
        "choices": [{"index": 0, "message": answer, "finish_reason": "tool_calls", "logprobs": None}],
        "usage": COUNTED,
    }


def test_a_whole_answer_without_text_has_none() -> None:
    assert json.loads(writer().whole(WholeMessage()))["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
    }


def test_a_failure_is_a_chunk_and_no_end() -> None:
    error = {"message": "gone", "type": "server_error", "param": None, "code": "api_error"}
    assert json.loads(writer().failed(Fault(502, "api_error", "gone")).removeprefix(b"data: ")) == {"error": error}
