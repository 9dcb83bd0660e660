"""Neutral events as a Messages stream, byte for byte what Claude Code expects (claude-code-wire 3.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
from providers.dialects.anthropic import DIALECT
from providers.errors import ErrorKind, Fault, UpstreamFailure
from providers.json_object import JsonObject
from providers.ports import Usage

USAGE = Usage(input_tokens=6, output_tokens=10, cache_read_tokens=8, cache_write_tokens=5, reasoning_tokens=4)
COUNTED = {
    "input_tokens": 6,
    "cache_creation_input_tokens": 5,
    "cache_read_input_tokens": 8,
    "output_tokens": 10,
    "output_tokens_details": {"thinking_tokens": 4},
}


def writer() -> EventWriter:
    return DIALECT.writer(Call("req_1", "anthropic", Operation.MESSAGES, JsonObject(b"{}"), "asked/for", True))


def frames(*events: Event) -> list[tuple[str, Any]]:
    """(name, data) of each frame; each has both lines, and its data repeats its name."""
    machine = writer()
    raw = b"".join(machine.write(event) for event in events).decode()
    assert raw.endswith("\n\n") or not raw
    pairs = [frame.split("\n") for frame in raw.split("\n\n")[:-1]]
    made = [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in pairs]
    assert all(name == data["type"] for name, data in made)
    return made


def data(*events: Event) -> list[Any]:
    return [data for _, data in frames(*events)]


def test_a_stream_of_every_kind_of_block() -> None:
    raw = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    made = data(
        Started("msg_1", "upstream", Usage(input_tokens=6)),
        BlockStarted(BlockKind.THINKING),
        ThinkingDelta("why"),
        SignatureDelta("sig"),
        BlockStopped(),
        BlockStarted(BlockKind.TEXT),
        TextDelta("Hi"),
        RawDelta({"type": "citations_delta", "citation": {}}),
        BlockStopped(),
        BlockStarted(BlockKind.TOOL_USE, "toolu_1", "Bash"),
        ArgumentsDelta('{"a":1}'),
        BlockStopped(),
        BlockStarted(BlockKind.RAW, raw=raw),
        BlockStopped(),
        Finished(Stop.TOOL_USE, USAGE),
        Ended(),
    )
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "asked/for",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 6,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 1,
        },
    }
    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
    assert made == [
        {"type": "message_start", "message": message},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "why"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": {}}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2, "content_block": call},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"a":1}'}},
        {"type": "content_block_stop", "index": 2},
        {"type": "content_block_start", "index": 3, "content_block": raw},
        {"type": "content_block_stop", "index": 3},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": COUNTED},
        {"type": "message_stop"},
    ]


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(words=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives(words: str) -> None:
    kinds = (TextDelta, ThinkingDelta, ArgumentsDelta, SignatureDelta)
    for made, field in zip(
        data(*(kind(words) for kind in kinds)), ("text", "thinking", "partial_json", "signature"), strict=True
    ):
        assert made["delta"][field] == words


def test_no_count_is_ever_null() -> None:
    for made in data(Started("m", ""), Finished(Stop.END_TURN, Usage())):
        usage = made["usage"] if "usage" in made else made["message"]["usage"]
        assert len(usage) == 4
        assert all(isinstance(count, int) for count in usage.values())


@pytest.mark.parametrize("stop", list(Stop))
def test_reasons_and_the_sequence(stop: Stop) -> None:
    (made,) = data(Finished(stop, USAGE, "END"))
    assert made["delta"] == {"stop_reason": str(stop), "stop_sequence": "END"}


def test_a_failure_writes_nothing() -> None:
    """The gateway says it, for it knows whether anything went out."""
    assert writer().write(Failed(UpstreamFailure(ErrorKind.CUT, "gone"))) == b""


def whole(*blocks: AnswerBlock, **more: Any) -> Any:
    return json.loads(writer().whole(WholeMessage("msg_1", "upstream", list(blocks), **more)))


def test_a_whole_answer() -> None:
    made = whole(
        AnswerBlock(BlockKind.THINKING, "why", "sig"),
        AnswerBlock(BlockKind.TEXT, "Hi"),
        AnswerBlock(BlockKind.TOOL_USE, '{"a":1}', id="toolu_1", name="Bash"),
        AnswerBlock(BlockKind.TOOL_USE, "", id="toolu_2", name="Plan"),
        AnswerBlock(BlockKind.RAW, '{"query":"x"}', raw={"type": "server_tool_use", "id": "s", "input": {}}),
        AnswerBlock(BlockKind.RAW, raw={"type": "redacted_thinking", "data": "x"}),
        stop=Stop.STOP_SEQUENCE,
        stop_sequence="END",
        usage=USAGE,
    )
    assert made == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "asked/for",
        "content": [
            {"type": "thinking", "thinking": "why", "signature": "sig"},
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"a": 1}},
            {"type": "tool_use", "id": "toolu_2", "name": "Plan", "input": {}},
            {"type": "server_tool_use", "id": "s", "input": {"query": "x"}},
            {"type": "redacted_thinking", "data": "x"},
        ],
        "stop_reason": "stop_sequence",
        "stop_sequence": "END",
        "usage": COUNTED,
    }


@pytest.mark.parametrize("arguments", ['{"a"', "[1]", "null", '{"a":1}{"b":2}', "x"])
def test_arguments_that_are_no_object_are_kept_in_one(arguments: str) -> None:
    made = whole(AnswerBlock(BlockKind.TOOL_USE, arguments, id="t", name="Bash"))
    assert made["content"][0]["input"] == {"unparsed": arguments}


def test_a_whole_answer_of_nothing() -> None:
    made = whole()
    assert (made["content"], made["stop_reason"], made["usage"]["output_tokens"]) == ([], "end_turn", 0)


def test_a_failure_is_one_event() -> None:
    event = writer().failed(Fault(502, "api_error", "two\nlines"))
    name, data, *rest = event.split(b"\n")
    assert (name, rest) == (b"event: error", [b"", b""])
    error = {"type": "api_error", "message": "two\nlines"}
    assert json.loads(data.removeprefix(b"data: ")) == {"type": "error", "error": error, "request_id": "req_1"}


def test_an_upstreams_own_words_in_this_shape_stay() -> None:
    own = b'{"type":"error","error":{"type":"overloaded_error","message":"theirs"}}'
    assert own in writer().failed(Fault(529, "overloaded_error", "ours", body=own))
