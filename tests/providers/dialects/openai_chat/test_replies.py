"""A Chat answer that passes straight through: the bytes that came, the model that was asked for, and a true end."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.call import Call, Operation, StreamReader
from providers.dialects.openai_chat import DIALECT
from providers.errors import ErrorKind, Fault
from providers.json_object import JsonObject
from providers.ports import Usage
from tests.providers.dialects.conformance.samples import Sample, samples
from tests.providers.dialects.openai_chat.chunks import DONE, USAGE, chunk, data, end, piece, text, tools
from tests.providers.support import Counted
from tests.upstream import openai_chat as chat

property_test = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
Json = dict[str, Any]
ASKED = "asked/for:free"
ROLE = chunk({"role": "assistant", "content": ""}, model="m")
WITH_USAGE = {"stream_options": {"include_usage": True}}
FRAMES = chat.frames("gpt-4o-2024-08-06", [chat.text("Hello", 3), chat.call("Bash", {"a": 1}, "call_1")])
# Calls are not put together here, so that without a reason to stop nobody knows whether they are whole.
STREAMS = [each for each in samples("openai_chat", "answers/*.sse") if not each.stem.endswith("no_reason")]
WHOLES = samples("openai_chat", "answers/*.json")
# Nor are they looked into.
FAILURES = [each for each in samples("openai_chat", "failures/*.sse") if not each.stem.endswith("nameless_tool")]


def reader(stream: bool = True, **body: Any) -> StreamReader:
    asked = JsonObject(json.dumps({"model": ASKED, "messages": [], "stream": stream, **body}).encode())
    assert DIALECT.straight is not None
    call = Call("req_1", "openai_chat", Operation.MESSAGES, asked, ASKED, stream, received=7, estimate=Counted(5))
    return DIALECT.straight.reader(call)


def passed(*parts: bytes, **body: Any) -> tuple[StreamReader, bytes]:
    machine = reader(**{**WITH_USAGE, **body})
    sent = b"".join(machine.feed(part) for part in parts)
    return machine, sent + machine.finish()


def values(raw: bytes) -> list[Any]:
    """The JSON of each event; [DONE] is None."""
    lines = [line.removeprefix("data:").strip() for line in raw.decode().splitlines() if line.startswith("data:")]
    return [None if line == "[DONE]" else json.loads(line) for line in lines]


def renamed(made: list[Any]) -> list[Any]:
    return [{**each, "model": ASKED} if each and "model" in each else each for each in made]


def test_the_bytes_are_the_upstreams_but_for_the_model() -> None:
    machine, sent = passed(*FRAMES)
    assert sent == b"".join(FRAMES).replace(b"gpt-4o-2024-08-06", ASKED.encode())
    assert (machine.ended, machine.failure, machine.closing) == (True, None, True)
    assert machine.usage == Usage(16, 8, 5, 0, 3)


def test_a_stream_of_the_model_that_was_asked_for_is_untouched() -> None:
    raw = b"".join(chat.frames(ASKED, [chat.text("Hello", 3)]))
    assert passed(raw)[1] == raw


@pytest.mark.parametrize("sample", STREAMS, ids=str)
def test_every_answer_passes(sample: Sample) -> None:
    machine, sent = passed(sample.raw)
    assert (machine.ended, machine.failure) == (True, None)
    came = values(sample.raw)
    assert values(sent) == renamed(came) + ([] if None in came else [None])


@pytest.mark.parametrize("sample", STREAMS, ids=str)
def test_every_split_gives_the_same_bytes(sample: Sample) -> None:
    whole = passed(sample.raw)[1]
    size = len(sample.raw)

    @property_test
    @given(st.lists(st.integers(0, size), max_size=9).map(sorted))
    def holds(cuts: list[int]) -> None:
        pieces = [sample.raw[start:stop] for start, stop in zip([0, *cuts], [*cuts, size], strict=True)]
        assert passed(*pieces)[1].splitlines() == whole.splitlines()

    holds()


@pytest.mark.parametrize("sample", STREAMS, ids=str)
def test_a_stream_cut_anywhere_ends_only_where_a_reason_came(sample: Sample) -> None:
    for cut in range(len(sample.raw)):
        machine, sent = passed(sample.raw[:cut])
        assert machine.ended is (machine.failure is None)
        if not machine.ended:
            assert b"[DONE]" not in sent
            continue
        reasons = [choice["finish_reason"] for each in values(sent) if each for choice in each["choices"]]
        assert any(reason is not None for reason in reasons) or sample.raw[:cut].rstrip().endswith(b"[DONE]")


@pytest.mark.parametrize("sample", FAILURES, ids=str)
def test_a_failure_is_found(sample: Sample) -> None:
    machine, _ = passed(sample.raw)
    assert not machine.ended
    assert machine.failure is not None
    assert sample.notes["words"] in machine.failure.words
    assert machine.feed(text("more")) + machine.finish() == b""


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
def test_chunks_that_hold_only_pieces_are_not_read(separators: tuple[str, str]) -> None:
    """Their text may be no JSON at all: only the beginning that chunks share is looked at."""
    frames = [
        b"data: " + json.dumps(each, separators=separators).encode() + b"\n\n" for each in values(b"".join(FRAMES[:4]))
    ]
    machine = reader()
    first = machine.feed(frames[0] + frames[1])
    assert machine.begun
    assert first.count(ASKED.encode()) == 2
    odd = frames[2].replace(b'"choices"', b"*choices*") + frames[3]
    assert machine.feed(odd) == odd.replace(b"gpt-4o-2024-08-06", ASKED.encode())
    assert machine.failure is None


def test_a_model_that_a_text_speaks_of_stays() -> None:
    said = 'He said: "model":"m" and data: {"model":"m"}'
    raw = [ROLE, chunk({"content": "a"}, model="m"), chunk({"content": said}, model="m"), end(model="m"), DONE]
    assert [each["choices"][0]["delta"] for each in values(passed(*raw)[1])[:3]][2] == {"content": said}


@pytest.mark.parametrize(
    ("first", "begun"),
    [
        (ROLE, False),
        (b": comment\n\n", False),
        (data({"choices": [], "prompt_filter_results": []}), False),
        (text("Hi"), True),
        (chunk({"reasoning_content": "Hm"}), True),
        (chunk({"reasoning": "Hm"}), True),
        (chunk({"refusal": "No"}), True),
        (tools(piece("Bash", "", id="c", index=0)), True),
        (end(), True),
    ],
)
def test_what_begins_an_answer(first: bytes, begun: bool) -> None:
    machine = reader()
    machine.feed(first)
    assert machine.begun is begun


@pytest.mark.parametrize("counts", chat.Counts)
@pytest.mark.parametrize("wanted", [True, False])
def test_usage_is_read_wherever_it_comes_and_shown_where_it_is_wanted(counts: chat.Counts, wanted: bool) -> None:
    raw = chat.frames("m", [chat.text("Hi")], counts=counts)
    machine, sent = passed(*raw, stream_options={"include_usage": wanted})
    assert machine.usage == Usage(16, 8, 5, 0, 3)
    alone = [each for each in values(sent) if each and not each["choices"]]
    assert len(alone) == (wanted and counts is chat.Counts.LAST)


@pytest.mark.parametrize("missing", [1, 2])
def test_the_end_is_supplied_where_a_reason_came(missing: int) -> None:
    machine, sent = passed(*FRAMES[:-missing])
    assert machine.ended
    assert sent.endswith(b"data: [DONE]\n\n")


def test_a_done_without_a_reason_ends_a_text_and_no_call() -> None:
    assert passed(ROLE, text("Hi"), DONE)[0].ended
    machine, _ = passed(ROLE, tools(piece("Bash", '{"a":', id="c", index=0)), DONE)
    assert machine.failure is not None
    assert "in the middle of a tool call" in machine.failure.words
    assert passed(ROLE, tools(piece("Bash", "{}", id="c", index=0)), end(""), DONE)[0].ended
    machine, _ = passed(DONE)
    assert machine.failure is not None
    assert machine.failure.kind is ErrorKind.CUT


def test_an_error_inside_a_text_is_none() -> None:
    raw = [ROLE, text('"error": {"message": "x"} [DONE] "finish_reason":"stop" event: error'), end(), DONE]
    assert passed(*raw)[0].failure is None


@pytest.mark.parametrize(
    "last",
    [
        chat.error_event("their words"),
        chat.error_event("their words", name="error"),
        data({"error": "their words"}),
        data({"object": "error", "message": "their words", "code": 400}),
    ],
)
@pytest.mark.parametrize("begun", [True, False])
def test_an_error_inside_a_stream(last: bytes, begun: bool) -> None:
    machine, sent = passed(*([ROLE, text("Hi"), text("there")] if begun else []), last)
    assert machine.failure is not None
    assert machine.failure.words == "their words"
    assert b"their words" not in sent


def test_a_frame_without_an_end() -> None:
    machine = reader()
    while machine.failure is None:
        assert machine.feed(b"data: " + b"x" * 4_000_000) == b""
    assert machine.failure.kind is ErrorKind.MALFORMED


@pytest.mark.parametrize("sample", WHOLES, ids=str)
def test_a_whole_completion_passes(sample: Sample) -> None:
    machine = reader(stream=False)
    sent = machine.take_whole(sample.raw)
    assert (machine.ended, machine.failure) == (True, None)
    assert json.loads(sent) == {**json.loads(sample.raw), "model": ASKED}


@pytest.mark.parametrize(
    "sample", [each for each in samples("openai_chat", "failures/*") if not each.streamed], ids=str
)
@pytest.mark.parametrize("stream", [True, False])
def test_a_whole_failure_is_found(sample: Sample, stream: bool) -> None:
    machine = reader(stream)
    assert machine.take_whole(sample.raw) == b""
    assert machine.failure is not None
    assert sample.notes["words"] in machine.failure.words


@pytest.mark.parametrize("reason", ["error", "network_error"])
def test_a_whole_completion_that_failed(reason: str) -> None:
    machine = reader(stream=False)
    assert machine.take_whole(json.dumps(chat.whole("m", [chat.text("x")], reason)).encode()) == b""
    assert machine.failure is not None
    assert machine.failure.kind is ErrorKind.SERVER_ERROR


PARTS = [chat.reasoning("Hm."), chat.text("Five"), chat.call("Bash", {"a": 1}, "call_1")]


@pytest.mark.parametrize(("stream", "usage"), list(product([True, False], [USAGE, None])))
def test_an_answer_in_the_other_form_is_made_into_the_one_that_was_asked_for(stream: bool, usage: Json | None) -> None:
    whole = json.dumps(chat.whole("m", PARTS, usage=usage)).encode()
    streamed = b"".join(chat.frames("m", PARTS, usage=usage))
    machine = reader(stream, **WITH_USAGE)
    sent = machine.take_whole(whole if stream else streamed)
    assert (machine.ended, machine.failure) == (True, None)
    if stream:
        assert values(sent)[-1] is None
        deltas = [choice["delta"] for each in values(sent)[:-1] for choice in each["choices"]]
        assert "".join(delta.get("content") or "" for delta in deltas) == "Five"
    else:
        (choice,) = json.loads(sent)["choices"]
        assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == ("Five", "Hm.")
        assert (choice["finish_reason"], json.loads(sent)["model"]) == ("tool_calls", ASKED)
    assert machine.usage.output_tokens > 0


@property_test
@given(st.lists(st.binary(max_size=40) | st.sampled_from([*FRAMES, ROLE, b"\n\n", b"data: ", b"[DONE]"]), max_size=9))
def test_no_bytes_make_it_raise(pieces: list[bytes]) -> None:
    machine, _ = passed(*pieces)
    assert machine.ended is (machine.failure is None)
    for stream in (True, False):
        machine = reader(stream)
        machine.take_whole(b"".join(pieces))
        assert machine.ended is (machine.failure is None)


def test_how_it_fails_is_a_chunk() -> None:
    assert values(reader().failed(Fault(502, "api_error", "gone")))[0]["error"]["message"] == "gone"
