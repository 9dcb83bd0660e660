"""What becomes of a call in text whose stream ends before it does: it is never run, and never lost."""

from __future__ import annotations

import json

import pytest

from providers.chat.events import (
    BlockKind,
    BlockStarted,
    BlockStopped,
    Event,
    Failed,
    Finished,
    RawDelta,
    Started,
    Stop,
    TextDelta,
)
from providers.chat.fold import fold
from providers.dialects.openai_chat.read_reply import ChatReader
from providers.errors import ErrorKind, UpstreamFailure
from providers.ports import Usage
from tests.providers.chat.guardian.kit import (
    TOKEN,
    TOOLS,
    Sample,
    answer,
    guardian,
    passed,
    read,
    samples,
    shown,
    text_of,
)

GONE = Failed(UpstreamFailure(ErrorKind.CUT, "gone"))
WRITTEN = '<tool_call>\n{"name": "Bash", "arguments": {"command": "ls"}}\n</tool_call>'
REQUIRED = {tool.name: set(tool.schema["required"]) for tool in TOOLS}
each_sample = pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)


def closed_calls(events: list[Event]) -> list[str]:
    """The names of the calls whose blocks were closed."""
    names = []
    for event, after in zip(events, events[2:], strict=False):
        if isinstance(event, BlockStarted) and event.kind is BlockKind.TOOL_USE and isinstance(after, BlockStopped):
            names.append(event.name)
    return names


@each_sample
def test_a_cut_at_any_place(sample: Sample) -> None:
    """Only calls that were whole before the cut come out, and all text before the one that was cut."""
    whole = [kind for kind, _ in sample.blocks if kind != "text"]
    for at in range(len(sample.text)):
        made = passed([*answer([sample.text[:at]])[:3], GONE])
        assert made[-1] == GONE
        called = closed_calls(made)
        assert called == whole[: len(called)]
        assert len(called) < len(whole) or sample.form not in ("fenced_json", "bare_json")
        if not called:
            assert "".join(event.text for event in made if isinstance(event, TextDelta)) == sample.text[:at]
            assert not any(isinstance(event, BlockStopped) for event in made)


@each_sample
@pytest.mark.parametrize("stop", [Stop.MAX_TOKENS, Stop.END_TURN])
def test_an_end_at_any_place(sample: Sample, stop: Stop) -> None:
    """A call is made of what was said to its end, and of values that were; what else was said is there as text."""
    whole = [(name, json.loads(arguments)) for name, arguments in sample.blocks if name != "text"]
    for at in range(len(sample.text)):
        outcome = read([sample.text[:at]], stop)
        called = [(name, json.loads(arguments)) for name, arguments in outcome.blocks if name != "text"]
        if called and stop is Stop.END_TURN and called[-1] != whole[len(called) - 1]:
            name, arguments = called.pop()
            assert name == whole[len(called)][0]
            assert REQUIRED[name] <= arguments.keys()
            # A value that holds its own end tag may end there, for a model that says that it is done.
            assert all(str(whole[len(called)][1][key]).startswith(str(value)) for key, value in arguments.items())
        assert called == whole[: len(called)]
        if len(outcome.blocks) == 1 and not called:
            assert text_of(outcome) in (sample.text[:at], "")


@pytest.mark.parametrize("form", ["hermes", "qwen_coder", "fenced_json", "bare_json"])
def test_a_call_without_its_end_is_made_where_the_model_ended_and_not_where_it_was_stopped(form: str) -> None:
    ends = {"hermes": "</tool_call>", "qwen_coder": "</function>", "fenced_json": "```"}
    texts = {
        "hermes": WRITTEN,
        "qwen_coder": "<function=Bash><parameter=command>ls</parameter></function>",
        "fenced_json": 'I look.\n```json\n{"name": "Bash", "arguments": {"command": "ls"}}\n```',
        "bare_json": '{"name": "Bash", "arguments": {"command": "ls"}}',
    }
    cut = texts[form].removesuffix(ends.get(form, ""))
    for stop in (Stop.END_TURN, Stop.TOOL_USE, Stop.STOP_SEQUENCE):
        assert [name for name, _ in read([cut], stop).blocks][-1] == "Bash"
    for stop in (Stop.MAX_TOKENS, Stop.REFUSAL, Stop.CONTEXT_EXCEEDED):
        assert read([cut], stop).blocks == [["text", cut]]


def test_an_upstreams_block_that_ended_is_ended_before_a_failure_too() -> None:
    opened, stopped = BlockStarted(BlockKind.TEXT), BlockStopped()
    text = TextDelta(WRITTEN[:40])
    assert passed([Started("m", ""), opened, text, stopped, GONE]) == [Started("m", ""), opened, text, stopped, GONE]


def test_whole_calls_before_a_failure_stay_and_text_after_them_too() -> None:
    made = passed([*answer([WRITTEN, "\nand <to"])[:4], GONE])
    assert closed_calls(made) == ["Bash"]
    assert made[-4:] == [BlockStarted(BlockKind.TEXT), TextDelta("\nand "), TextDelta("<to"), GONE]


def test_white_space_beside_a_call_is_no_block() -> None:
    assert [name for name, _ in read(f"\n\n{WRITTEN}\n\n{WRITTEN}\n \n").blocks] == ["Bash", "Bash"]
    made = passed([*answer([WRITTEN, "\n"])[:4], GONE])
    assert made[-2:] == [BlockStopped(), GONE]


def test_json_that_is_not_the_whole_answer_is_text() -> None:
    json_call = '{"name": "Bash", "arguments": {"command": "ls"}}'
    block: list[Event] = [BlockStarted(BlockKind.TEXT), TextDelta(json_call), BlockStopped()]
    said: list[Event] = [BlockStarted(BlockKind.TEXT), TextDelta("and so on"), BlockStopped()]
    end: list[Event] = [Finished(Stop.END_TURN, Usage())]
    for blocks in ([*block, *said], [*said, *block], [*block, *block]):
        message = fold(passed([Started("m", ""), *blocks, *end]))
        assert {kind for kind, _ in shown(message)} == {"text"}
    assert shown(fold(passed([Started("m", ""), *block, *end], guardian(bare_json=False)))) == [["text", json_call]]


def test_an_event_that_no_text_may_wait_behind() -> None:
    raw = RawDelta({"type": "citation"})
    made = passed([*answer([WRITTEN[:30]])[:3], raw, TextDelta(WRITTEN[30:]), BlockStopped()])
    assert fold(made).blocks[0].text == WRITTEN
    assert made.index(raw) == 3


def test_events_out_of_order_stay_so() -> None:
    """The grammar that stands behind the guardian finds them."""
    for event in (TextDelta("x"), BlockStopped()):
        assert guardian().take([event]) == [event]
    opened = BlockStarted(BlockKind.TEXT)
    finished = Finished(Stop.END_TURN, Usage())
    assert guardian().take([opened, TextDelta("x"), finished]) == [opened, TextDelta("x"), finished]
    assert guardian().take([opened, TextDelta("x"), opened]) == [opened, TextDelta("x")]


def chunks(text: str) -> bytes:
    """A Chat Completions stream of a few characters a chunk."""
    parts = [text[at : at + 11] for at in range(0, len(text), 11)]
    choices = [{"delta": {"content": part}} for part in parts] + [{"delta": {}, "finish_reason": "stop"}]
    lines = [json.dumps({"choices": [choice]}, ensure_ascii=False) for choice in choices]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()


@each_sample
def test_every_byte_split_of_the_stream(sample: Sample) -> None:
    stream = chunks(sample.text)
    for at in range(0, len(stream), 7):
        reader, machine = ChatReader(TOKEN, "acme", 1, (), {}), guardian()
        made = [
            event
            for given in (reader.feed(stream[:at]), reader.feed(stream[at:]), reader.finish())
            for event in machine.take(given)
        ]
        message = fold(made)
        assert (shown(message), message.stop) == (sample.blocks, Stop.TOOL_USE), at


@each_sample
def test_a_whole_answer_is_the_fold_of_its_stream(sample: Sample) -> None:
    body = {"choices": [{"message": {"content": sample.text}, "finish_reason": "stop"}]}
    machine = guardian()
    message = fold(machine.take(ChatReader(TOKEN, "acme", 1, (), {}).whole(json.dumps(body).encode())))
    assert (shown(message), message.stop) == (sample.blocks, Stop.TOOL_USE)
