"""A message that is begun while no upstream has begun to answer, and the answer that continues it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.call import Call, Operation, Waiting
from providers.dialects.anthropic import DIALECT
from providers.json_object import JsonObject
from tests.providers.support import Counted, by_the_book
from tests.upstream import Block, block, error_event, frames, message_stop, text, thinking, tool_use

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
EMPTY = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}\n\n'
)
BEGUN = (
    b"event: message_start\n"
    b'data: {"type":"message_start","message":{"id":"msg_5f3a","type":"message","role":"assistant",'
    b'"model":"asked/for:free","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1234,'
    b'"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}\n\n'
    b"event: content_block_start\n"
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
)
CLOSED = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
START = b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_up","usage":%s}}\n\n'
DELTA = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}%s}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
ERROR = error_event("api_error", "Sorry")
CALL = tool_use("Bash", {"command": "ls"}, "toolu_1")


def waiting(request_id: str = "req_5f3a", estimate: int = 1234) -> Waiting:
    body = JsonObject(b'{"model":"asked/for:free"}')
    call = Call(request_id, "anthropic", Operation.MESSAGES, body, "asked/for:free", True, estimate=Counted(estimate))
    return DIALECT.waiting(call)


def held() -> Waiting:
    """A machine whose client has been sent BEGUN and EMPTY."""
    machine = waiting()
    assert machine.hold() == BEGUN + EMPTY
    return machine


def shut() -> Waiting:
    """One whose own block the answer has closed, so that every index of the answer is one too low."""
    machine = held()
    assert machine.join(START % b"{}" + block(0, CALL)[0]).startswith(CLOSED)
    return machine


def events(raw: bytes) -> list[Any]:
    return [json.loads(data) for _, data in by_the_book(raw)]


def test_pings_tell_nothing() -> None:
    machine = waiting()
    assert machine.ping() == PING
    machine.hold()
    assert machine.ping() == PING


def test_the_message_is_begun_once_and_then_only_kept_alive() -> None:
    machine = waiting()
    assert [machine.hold() for _ in range(3)] == [BEGUN + EMPTY, EMPTY, EMPTY]


@pytest.mark.parametrize(("request_id", "message_id"), [("req_5f3a", "msg_5f3a"), ("trace-7.b", "msg_trace-7.b")])
def test_a_message_is_named_after_its_request(request_id: str, message_id: str) -> None:
    for _ in range(2):
        assert events(waiting(request_id).hold())[0]["message"]["id"] == message_id


@pytest.mark.parametrize(("estimate", "told"), [(0, 1), (1, 1), (99, 99)])
def test_input_is_never_told_as_nothing(estimate: int, told: int) -> None:
    assert events(waiting(estimate=estimate).hold())[0]["message"]["usage"]["input_tokens"] == told


def test_text_goes_on_in_the_block_that_is_open() -> None:
    answer = frames("up", [text("Hi"), CALL], usage={"output_tokens": 1})
    assert answer[2] == block(0, text("Hi"))[0]
    assert held().join(b"".join(answer)) == b"".join([answer[1], *answer[3:]])


@pytest.mark.parametrize("first", [thinking("why", "sig"), CALL], ids=["thinking", "tool_use"])
def test_anything_else_comes_after_it(first: Block) -> None:
    blocks = [first, text("Hi")]
    joined = held().join(b"".join(frames("up", blocks, usage={})))
    moved = [piece for index, each in enumerate(blocks) for piece in block(index + 1, each)]
    end = frames("up", blocks)[-2:]
    assert joined == b"".join([frames("up", [])[1], CLOSED, *moved, *end])


def test_an_answer_in_bytes() -> None:
    answer = (
        START
        % b'{"input_tokens":25,"cache_read_input_tokens":7,"output_tokens":1}'
        + b': a comment\n\nevent: content_block_start\ndata: {"type":"content_block_start","index":0,'
        b'"content_block":{"type":"thinking","thinking":"","signature":""}}\n\n'
        b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "delta": '
        b'{"type": "thinking_delta", "thinking": "\\"index\\": 0"}}\n\n'
        b'event: content_block_stop\r\ndata: {"type":"content_block_stop","index":0}\r\n\r\n'
        + DELTA % b',"usage":{"output_tokens":15}'
        + STOP
    )
    assert held().join(answer) == (
        b": a comment\n\n" + CLOSED + b'event: content_block_start\ndata: {"type":"content_block_start","index":1,'
        b'"content_block":{"type":"thinking","thinking":"","signature":""}}\n\n'
        b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 1, "delta": '
        b'{"type": "thinking_delta", "thinking": "\\"index\\": 0"}}\n\n'
        b'event: content_block_stop\r\ndata: {"type":"content_block_stop","index":1}\r\n\r\n'
        + DELTA % b',"usage":{"output_tokens":15,"input_tokens":25,"cache_read_input_tokens":7}'
        + STOP
    )


def test_nothing_in_is_nothing_out() -> None:
    assert held().join(b"") == b""
    assert shut().join(b"") == b""


@pytest.mark.parametrize("between", [b"", PING, b": hm\n\n", b"event: news\ndata: 1\n\n"])
def test_an_error_before_any_block_leaves_ours_open(between: bytes) -> None:
    """So Claude Code asks again: after a block that has ended it would show the error instead."""
    assert held().join(START % b"{}" + between + ERROR) == between + ERROR


@pytest.mark.parametrize("end", [DELTA % b"" + STOP, STOP, DELTA % b""])
def test_an_answer_without_blocks_closes_ours(end: bytes) -> None:
    assert held().join(START % b"{}" + PING + end) == PING + CLOSED + end


def test_a_block_after_a_message_delta_is_a_new_one() -> None:
    joined = held().join(DELTA % b"" + b"".join(block(0, text("Hi"))))
    assert joined == CLOSED + DELTA % b"" + b"".join(block(1, text("Hi")))


def test_text_that_is_not_at_the_first_place_does_not_go_on_in_ours() -> None:
    assert held().join(b"".join(block(1, text("Hi")))) == CLOSED + b"".join(block(2, text("Hi")))


def test_a_stop_of_no_block_closes_ours_once() -> None:
    machine = held()
    assert machine.join(CLOSED) == CLOSED
    assert machine.join(message_stop()) == message_stop()


def test_no_second_message_is_ever_begun() -> None:
    machine = shut()
    assert machine.join(START % b"{}" + START % b"null" + PING) == PING


@pytest.mark.parametrize(
    ("early", "late", "told"),
    [
        ('{"input_tokens":9}', '{"output_tokens":5}', {"output_tokens": 5, "input_tokens": 9}),
        ('{"input_tokens":9}', '{"input_tokens":0,"output_tokens":5}', {"input_tokens": 9, "output_tokens": 5}),
        ('{"input_tokens":9}', '{"input_tokens":null}', {"input_tokens": 9}),
        ('{"input_tokens":9,"output_tokens":1}', '{"input_tokens":8,"output_tokens":5}', None),
        ('{"output_tokens":1}', '{"output_tokens":0}', None),
        ('{"output_tokens":4}', '{"input_tokens":3}', {"input_tokens": 3, "output_tokens": 4}),
        ('{"input_tokens":9}', "null", {"input_tokens": 9}),
        ('{"input_tokens":9}', "[]", {"input_tokens": 9}),
        ("null", '{"input_tokens":0}', None),
        ('{"input_tokens":0,"cache_creation":null}', '{"output_tokens":5}', None),
        (
            '{"cache_creation":{"ephemeral_5m_input_tokens":3},"service_tier":"standard"}',
            '{"output_tokens":5}',
            {"output_tokens": 5, "cache_creation": {"ephemeral_5m_input_tokens": 3}, "service_tier": "standard"},
        ),
    ],
)
def test_usage_of_the_beginning_comes_at_the_end(early: str, late: str, told: Any) -> None:
    """``told`` None: nothing is missing, and no byte changes."""
    machine = held()
    machine.join(START % early.encode() + block(0, text("Hi"))[0])
    end = DELTA % f',"usage":{late}'.encode()
    joined = machine.join(end)
    assert events(joined)[0]["usage"] == (json.loads(late) if told is None else told)
    assert joined == end or told is not None


def test_a_message_delta_without_usage_gets_it() -> None:
    machine = held()
    machine.join(START % b'{"input_tokens":9}' + block(0, text("Hi"))[0])
    assert machine.join(DELTA % b"") == DELTA % b',"usage":{"input_tokens":9}'


def test_the_last_report_counts_of_several() -> None:
    machine = held()
    machine.join(START % b'{"input_tokens":9}' + block(0, text("Hi"))[0])
    joined = machine.join(DELTA % b',"usage":{"input_tokens":20}' + DELTA % b',"usage":{"output_tokens":5}')
    assert [event["usage"] for event in events(joined)] == [
        {"input_tokens": 20},
        {"output_tokens": 5, "input_tokens": 20},
    ]


@pytest.mark.parametrize("kind", ["message_delta", "content_block_start", "content_block_delta", "content_block_stop"])
@pytest.mark.parametrize("data", ['{"index":', "", "words", "[0]", '{"index":"0"}', '{"index":true}', '{"index":0x}'])
def test_what_cannot_be_read_passes(kind: str, data: str) -> None:
    odd = f"event: {kind}\ndata: {data}\n\n".encode()
    assert shut().join(odd) == odd
    before_any_block = held().join(odd)
    assert before_any_block.removeprefix(CLOSED) in (odd, b"")


@pytest.mark.parametrize("data", ["", "words", '{"message":1}', '{"message":{"usage":7}}', '{"message":'])
def test_a_beginning_that_cannot_be_read_is_no_second_one(data: str) -> None:
    odd = f"event: message_start\ndata: {data}\n\n".encode()
    assert held().join(odd + PING) == PING


def test_other_fields_of_a_moved_event_stay() -> None:
    odd = b': note\nid: 7\nevent: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\nretry: 5\n\n'
    assert shut().join(odd % 0) == odd % 1


def test_an_event_in_several_data_lines_is_moved() -> None:
    joined = shut().join(b'event: content_block_stop\ndata: {"type":"content_block_stop",\ndata: "index":0}\n\n')
    [(name, data)] = by_the_book(joined)
    assert (name, json.loads(data)) == (b"content_block_stop", {"type": "content_block_stop", "index": 1})


def test_what_is_no_whole_event_is_not_kept() -> None:
    assert shut().join(PING + b"\n") == PING + b"\n"
