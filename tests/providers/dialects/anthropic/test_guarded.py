"""A Messages upstream whose models write tool calls as text, on the straight line to a Messages client."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.chat.guardian import Declared, Guardian
from providers.chat.sse import FrameSplitter, name_of
from providers.dialects.anthropic.guarded import GuardedMessage, GuardedStream
from providers.dialects.anthropic.replies import MessageStream
from tests.providers.chat.guardian.kit import TOKEN, TOOLS, Sample, read, samples, talk
from tests.providers.support import by_the_book
from tests.upstream import anthropic as messages
from tests.upstream.anthropic import Block, sse

Json = dict[str, Any]
WIRE = Path(__file__).parents[3] / "wire" / "anthropic"
WRITTEN = '<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call>'
each_sample = pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)


def reader(**options: bool) -> GuardedStream:
    return GuardedStream("m", "req_1", Guardian(Declared(TOOLS), TOKEN, **options))


def said(*pieces: str) -> Block:
    deltas = tuple({"type": "text_delta", "text": piece} for piece in pieces)
    return Block({}, {"type": "text", "text": ""}, deltas)


def frames(*blocks: Block, stop: str = "end_turn") -> list[bytes]:
    return messages.frames("m", blocks, stop)


def through(machine: MessageStream, pieces: Iterable[bytes]) -> bytes:
    out = b"".join(machine.feed(piece) for piece in pieces)
    return out if machine.ended else out + machine.finish()


def shown(stream: bytes) -> tuple[list[list[str]], str]:
    """[kind, text] or [name, arguments] of each block in order, as ``kit.shown`` has them, and the reason to stop."""
    made: list[list[str]] = []
    reason = ""
    for name, data in by_the_book(stream):
        event = json.loads(data)
        if name == b"content_block_start":
            block = event["content_block"]
            made.append([block.get("name") or block["type"], ""])
            assert event["index"] == len(made) - 1
        elif name == b"content_block_delta":
            delta = event["delta"]
            assert event["index"] == len(made) - 1
            made[-1][1] += delta.get("text") or delta.get("partial_json") or delta.get("thinking") or ""
        elif name == b"message_delta":
            reason = event["delta"]["stop_reason"]
    blocks = [block for block in made if block != ["text", ""]] or made
    return blocks, reason


def in_pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def test_prose_passes_unread_and_as_it_came() -> None:
    prose = (
        'The quick brown fox: 1, 2 and 3; (it jumps) over "the" lazy dog\'s fence! Ça va? 北京 🙂\n\n# Title\n* item\n'
    )
    machine, written = reader(), frames(said(*in_pieces(prose, 3)))
    outs = [machine.feed(frame) for frame in written]
    assert b"".join(outs) == b"".join(written)
    deltas = [(out, frame) for out, frame in zip(outs, written, strict=True) if b"text_delta" in frame]
    assert all(out is frame for out, frame in deltas[1:])
    assert machine.ended


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_talk_and_code_come_out_as_they_were_said(size: int) -> None:
    for name, text in talk():
        machine = reader()
        out = through(machine, frames(said(*in_pieces(text, size))))
        assert shown(out) == ([["text", text]], "end_turn"), name


def test_a_delta_that_the_guardian_has_read_and_left_is_the_upstreams_own() -> None:
    pieces = ("See `x`, ", "[1] and <b>; ", "2 < 3 ~ 4.")
    written = [frame.replace(b'": "', b'" :  "') for frame in frames(said(*pieces))]
    assert through(reader(), written) == b"".join(written)


@each_sample
def test_a_call_in_text_becomes_a_block(sample: Sample) -> None:
    expected = read([sample.text])
    for size in (10_000, 11, 1):
        written = frames(said(*in_pieces(sample.text, size)))
        machine = reader()
        assert shown(through(machine, written)) == (expected.blocks, str(expected.stop))
        assert machine.ended


OF_EACH_FORM = list({sample.form: sample for sample in reversed(samples())}.values())


@pytest.mark.parametrize("sample", OF_EACH_FORM, ids=lambda sample: sample.form)
def test_however_the_bytes_are_cut(sample: Sample) -> None:
    stream = b"".join(frames(said(*in_pieces(sample.text, 25))))
    whole = shown(through(reader(), [stream]))
    for at in range(1, len(stream)):
        assert shown(through(reader(), [stream[:at], stream[at:]])) == whole, at


def test_every_byte_alone() -> None:
    stream = b"".join(frames(said(*in_pieces(f"I look.\n{WRITTEN}", 5))))
    out = through(reader(), (stream[at : at + 1] for at in range(len(stream))))
    assert shown(out) == ([["text", "I look.\n"], ["Bash", '{"command": "ls"}']], "tool_use")


def test_marks_that_a_server_writes_by_their_number() -> None:
    """Go's JSON has \\u003c for <."""
    text = f"I look.\n{WRITTEN}"
    written = [frame.replace(b"<", b"\\u003c").replace(b">", b"\\u003e") for frame in frames(said(*in_pieces(text, 4)))]
    assert any(b"\\u003c" in frame for frame in written)
    assert shown(through(reader(), written)) == ([["text", "I look.\n"], ["Bash", '{"command": "ls"}']], "tool_use")


@pytest.mark.parametrize("before", ['It says "', "It says `", "> ", "- ", "    "])
@pytest.mark.parametrize("more", [1, 600])
def test_what_passed_unread_still_counts(before: str, more: int) -> None:
    """The mark stands in a quotation, in code or in a list that began in deltas that nobody read."""
    text = [*["word "] * more, "\n", *before, WRITTEN.replace("\n", " ")]
    machine = reader()
    assert shown(through(machine, frames(said(*text)))) == ([["text", "".join(text)]], "end_turn")


def test_blocks_around_a_call_keep_their_order_and_are_counted_anew() -> None:
    thought = messages.thinking("Which one?", "c2ln")
    blocks = (thought, said("I look.\n", WRITTEN, "\nDone."), messages.thinking("Good.", "c2ln"), said("Bye."))
    out = through(reader(), frames(*blocks))
    kinds = ["thinking", "text", "Bash", "text", "thinking", "text"]
    got, reason = shown(out)
    assert ([kind for kind, _ in got], reason) == (kinds, "tool_use")
    assert out.count(b'"signature_delta"') == 2


def test_thoughts_pass_unread() -> None:
    thought = messages.thinking("What does <tool_call> mean?" * 9, "c2ln", pieces=9)
    machine, written = reader(), frames(thought, said("Hello"))
    outs = [machine.feed(frame) for frame in written]
    assert b"".join(outs) == b"".join(written)
    deltas = [out is frame for out, frame in zip(outs, written, strict=True) if b'"thinking_delta"' in frame]
    assert deltas[1:] == [True] * 8


@pytest.mark.parametrize("first", [messages.thinking("Hm", "c2ln"), said("Hello"), said(WRITTEN)])
def test_an_answer_has_begun_with_its_first_content(first: Block) -> None:
    """Though nothing of it may be out."""
    machine, written = reader(), frames(first)
    assert not [frame for frame in written[:3] if machine.feed(frame) and machine.begun]
    machine.feed(written[3])
    assert machine.begun


def test_a_block_that_ends_without_saying_so() -> None:
    texts = [said(WRITTEN, "\nDone."), said("Bye.")]
    open_ended = [frame for frame in frames(*texts) if b"content_block_stop" not in frame]
    got, reason = shown(through(reader(), open_ended))
    assert got == [["Bash", '{"command": "ls"}'], ["text", "\nDone."], ["text", "Bye."]]
    assert reason == "tool_use"


def test_proper_calls_are_repaired() -> None:
    calls = (
        messages.tool_use("bash", {"command": "ls", "timeout": "5", "run_in_background": None}, "toolu_1"),
        messages.tool_use("TaskList", {}, "toolu_1"),
    )
    machine = reader()
    got, reason = shown(through(machine, frames(said("I look."), *calls, stop="tool_use")))
    assert got == [["text", "I look."], ["Bash", '{"command":"ls","timeout":5}'], ["TaskList", "{}"]]
    assert reason == "tool_use"


def test_arguments_that_cannot_be_read_are_the_clients_to_refuse() -> None:
    call = Block({}, {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}, ())
    broken = Block({}, call.start, ({"type": "input_json_delta", "partial_json": '{"command": "l'},))
    assert shown(through(reader(), frames(broken)))[0] == [["Bash", '{"command": "l']]
    assert shown(through(reader(), frames(call)))[0] == [["Bash", "{}"]]


def test_arguments_that_come_with_the_blocks_start_are_not_lost() -> None:
    """Clients read deltas only."""
    start = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}}
    assert shown(through(reader(), frames(Block({}, start, ()))))[0] == [["Bash", '{"command":"ls"}']]
    piece = {"type": "input_json_delta", "partial_json": '{"command": "pwd"}'}
    assert shown(through(reader(), frames(Block({}, start, (piece,)))))[0] == [["Bash", '{"command": "pwd"}']]


def test_what_only_messages_knows_passes_through() -> None:
    start = messages.message_start("other", {"input_tokens": 3, "service_tier": "x", "cache_creation": {"a": 1}})
    odd = sse({"type": "new_thing", "a": 1})
    delta = sse({"type": "message_delta", "delta": {"stop_reason": "end_turn", "container": {"id": "c"}}, "usage": {}})
    body = messages.block(0, said("Hello"))
    written = [start, messages.ping(), b": comment\n\n", *body[:2], odd, *body[2:], delta, messages.message_stop()]
    out = through(reader(), written)
    assert out == b"".join(written).replace(b'"other"', b'"m"')


def test_the_reason_to_stop_is_mended_and_all_else_of_it_kept() -> None:
    delta = {"stop_reason": "end_turn", "stop_sequence": None, "container": {"id": "c"}}
    late = [sse({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7, "x": 1}})]
    late.append(sse({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 9}}))
    machine = reader()
    out = through(machine, [*frames(said(WRITTEN))[:-2], *late, messages.message_stop()])
    told = [json.loads(data) for name, data in by_the_book(out) if name == b"message_delta"]
    assert told[0]["delta"] == {**delta, "stop_reason": "tool_use"}
    assert told[0]["usage"] == {"output_tokens": 7, "x": 1}
    assert told[1]["usage"] == {"output_tokens": 9}
    assert machine.usage.output_tokens == 9


@pytest.mark.parametrize("end", [0, 1, 2])
def test_an_end_that_is_left_out(end: int) -> None:
    """As on every straight line: without message_stop the answer is whole, without message_delta it is cut."""
    machine = reader()
    out = through(machine, frames(said(f"I look.\n{WRITTEN}"))[: -end or None])
    assert machine.ended is (end < 2)
    assert bool(machine.failure) is (end == 2)
    assert shown(out)[0] == [["text", "I look.\n"], ["Bash", '{"command": "ls"}']]


@pytest.mark.parametrize("at", range(4, len(WRITTEN), 5))
def test_a_cut_inside_of_a_call_loses_no_text_and_closes_no_block(at: int) -> None:
    machine = reader()
    out = through(machine, frames(said(*in_pieces(WRITTEN[:at], 6)))[:-3])
    assert machine.failure is not None
    assert shown(out)[0] == [["text", WRITTEN[:at]]]
    assert b"content_block_stop" not in out


def test_a_cut_inside_of_a_proper_call() -> None:
    machine = reader()
    call = messages.tool_use("Bash", {"command": "rm -r build"}, "toolu_1")
    out = through(machine, frames(call)[:-4])
    assert machine.failure is not None
    assert b"content_block_stop" not in out
    assert json.dumps({"command": "rm -r build"}).startswith(shown(out)[0][0][1])


def test_an_error_after_a_held_call() -> None:
    machine = reader()
    error = messages.error_event("overloaded_error", "Busy")
    out = machine.feed(b"".join([*frames(said(WRITTEN[:30]))[:-3], error]))
    assert machine.failure is not None
    assert machine.failure.words == "Busy"
    assert shown(out)[0] == [["text", WRITTEN[:30]]]
    assert machine.feed(b"more") == machine.finish() == b""


def crossed(*texts: str) -> list[bytes]:
    """Two calls whose blocks are open at once, as a client takes them."""
    first, second = (
        messages.tool_use("Bash", {"command": "ls"}, "a"),
        messages.tool_use("Bash", {"command": "pwd"}, "b"),
    )
    one, two = messages.block(len(texts), first), messages.block(len(texts) + 1, second)
    mixed = [one[0], two[0], *itertools.chain(*zip(one[1:], two[1:], strict=True))]
    before = [frame for index, text in enumerate(texts) for frame in messages.block(index, said(text))]
    end = [messages.message_delta("tool_use"), messages.message_stop()]
    return [messages.message_start("m"), *before, *mixed, *end]


def test_events_out_of_order_pass_as_they_came() -> None:
    for texts in ((), ("I look.",)):
        written = crossed(*texts)
        machine = reader()
        assert through(machine, written) == b"".join(written)
        assert (machine.ended, machine.failure) == (True, None)


def test_out_of_order_and_not_as_they_came_is_a_failure() -> None:
    machine = reader()
    through(machine, crossed(f"I look.\n{WRITTEN}"))
    assert machine.failure is not None


def wire() -> Iterator[Any]:
    for path in sorted(WIRE.rglob("*.sse")):
        yield pytest.param(path, id=str(path.relative_to(WIRE)))


def frames_of(stream: bytes) -> list[bytes]:
    """In order, but for what may stand anywhere, and for the end of a block that had ended."""
    found = FrameSplitter().feed(stream)
    ordered = [frame for frame in found if name_of(frame).startswith((b"content", b"message"))]
    ordered = [frame for frame, _ in itertools.groupby(ordered)]
    return ordered + sorted(set(found) - set(ordered))


@pytest.mark.parametrize("path", list(wire()))
@pytest.mark.parametrize("size", [1, 60, 100_000])
def test_what_any_upstream_sends(path: Path, size: int) -> None:
    """As without a guardian, but that arguments come in one piece."""
    stream = path.read_bytes()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    plain, machine = MessageStream("m", "req_1"), reader()
    expected, out = through(plain, pieces), through(machine, pieces)
    assert (machine.ended, machine.begun, machine.usage) == (plain.ended, plain.begun, plain.usage)
    assert (machine.failure is None) == (plain.failure is None)
    if plain.ended and b"input_json_delta" not in stream and path.stem != "open_block":
        assert frames_of(out) == frames_of(expected)


def whole(*content: Json, **more: Any) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "other", "new": {"a": 1}}
    usage = {"input_tokens": 3, "output_tokens": 5, "service_tier": "x"}
    return json.dumps({**message, "content": content, "stop_reason": "end_turn", "usage": usage, **more}).encode()


def taken(body: bytes) -> Json:
    machine = GuardedMessage("m", Guardian(Declared(TOOLS), TOKEN))
    answer: Json = json.loads(machine.take_whole(body))
    assert (machine.ended, machine.usage.output_tokens) == (True, 5)
    return answer


def test_a_whole_answer() -> None:
    answer = taken(whole({"type": "text", "text": f"I look.\n{WRITTEN}"}))
    text, call = answer.pop("content")
    assert text == {"type": "text", "text": "I look.\n"}
    assert (call["name"], call["input"]) == ("Bash", {"command": "ls"})
    expected = json.loads(whole(stop_reason="tool_use", model="m"))
    assert answer == {name: value for name, value in expected.items() if name != "content"}


def test_a_whole_answer_without_a_call_is_the_upstreams_own() -> None:
    body = whole({"type": "text", "text": "Hello", "citations": None, "odd": 1}, model="m")
    machine = GuardedMessage("m", Guardian(Declared(TOOLS), TOKEN))
    assert machine.take_whole(body) == body


def test_a_whole_answer_that_is_none() -> None:
    for body in (b"<html>", b'{"type":"error","error":{"message":"no"}}', b'{"content": 5}'):
        machine = GuardedMessage("m", Guardian(Declared(TOOLS), TOKEN))
        assert machine.take_whole(body) == b""
        assert machine.failure is not None
