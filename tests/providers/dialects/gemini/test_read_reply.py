"""What Gemini sends, beyond the samples: what a client is shown of it, and when."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.chat.blocks import PATIENCE
from providers.chat.events import (
    ArgumentsDelta,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Failed,
    Finished,
    SignatureDelta,
    Started,
    Stop,
    TextDelta,
)
from providers.chat.fold import AnswerBlock, WholeMessage, fold
from providers.errors import ErrorKind
from providers.ports import Usage
from tests.providers.dialects.gemini.asking import Json, read_all, reader
from tests.upstream import gemini

END = gemini.chunk(reason="STOP", usage=gemini.USAGE)


def streamed(*parts: Json, reason: str = "STOP", **more: Any) -> list[Event]:
    """One part in each event."""
    frames = [gemini.chunk(part) for part in parts]
    return read_all(*frames, gemini.chunk(reason=reason, usage=gemini.USAGE, **more))


def answer(*parts: Json) -> WholeMessage:
    made = streamed(*parts)
    assert made[-1] == Ended(), made[-1]
    return fold(made)


def shown(*parts: Json) -> list[tuple[str, str]]:
    return [_shown(block) for block in answer(*parts).blocks]


def _shown(block: AnswerBlock) -> tuple[str, str]:
    return str(block.kind), block.text


def finished(made: list[Event]) -> Finished:
    return next(each for each in made if isinstance(each, Finished))


def failure(made: list[Event]) -> tuple[ErrorKind, str]:
    last = made[-1]
    assert isinstance(last, Failed)
    return last.failure.kind, last.failure.words


def counted(**counts: int) -> Usage:
    return finished(read_all(gemini.chunk({"text": "Hi"}, reason="STOP", usage=counts))).usage


def test_thoughts_text_and_calls_are_blocks() -> None:
    made = answer(*gemini.thought("Hm"), *gemini.text("I look."), *gemini.call("short", {"a": [1]}, "8f2b1a3c"))
    assert [_shown(block) for block in made.blocks] == [
        ("thinking", "Hm"),
        ("text", "I look."),
        ("tool_use", '{"a": [1]}'),
    ]
    assert (made.blocks[2].id, made.blocks[2].name, made.stop) == ("8f2b1a3c", "a.long.name", Stop.TOOL_USE)


def test_calls_without_ids_get_some() -> None:
    made = answer(*gemini.call("Bash", {}), *gemini.call("Bash", {}), *gemini.call("Bash", {}, "not an id!"))
    assert [block.id for block in made.blocks] == ["toolu_tok_0", "toolu_tok_1", "toolu_tok_2"]


@pytest.mark.parametrize("arguments", ["", ', "args": null', ', "args": {}'])
def test_a_call_without_arguments(arguments: str) -> None:
    raw = '{"candidates": [{"content": {"parts": [{"functionCall": {"name": "Now"%s}}]}, "finishReason": "STOP"}]}'
    made = fold(read_all(b"data: " + (raw % arguments).encode() + b"\r\n\r\n"))
    assert [_shown(block) for block in made.blocks] == [("tool_use", "{}")]


def test_a_calls_block_closes_only_when_something_follows() -> None:
    machine = reader()
    first, second = (gemini.chunk(*gemini.call(name, {"n": 1})) for name in ("One", "Two"))
    began = machine.feed(first)
    assert [type(event) for event in began] == [Started, BlockStarted, ArgumentsDelta]
    assert machine.feed(gemini.chunk({"text": ""})) == []
    assert [type(event) for event in machine.feed(second)] == [BlockStopped, BlockStarted, ArgumentsDelta]
    assert not machine.closing
    assert machine.feed(END) == [BlockStopped()]
    assert machine.closing


def test_text_after_a_call_is_a_block_of_its_own() -> None:
    assert shown(*gemini.call("Bash", {}), *gemini.text("So."), *gemini.thought("Hm"), *gemini.call("Bash", {})) == [
        ("tool_use", "{}"),
        ("text", "So."),
        ("thinking", "Hm"),
        ("tool_use", "{}"),
    ]


def test_several_parts_in_one_event() -> None:
    parts = [*gemini.thought("Hm"), *gemini.text("Hi"), *gemini.call("Bash", {})]
    assert fold(read_all(gemini.chunk(*parts), END)) == answer(*parts)


def test_a_plain_piece_is_one_event() -> None:
    machine = reader()
    machine.feed(gemini.chunk({"text": "One"}))
    assert machine.feed(gemini.chunk({"text": " two"}, usage={"promptTokenCount": 4})) == [TextDelta(" two")]


def test_the_input_is_known_from_the_first_event() -> None:
    [started, *_] = reader().feed(gemini.chunk({"text": "Hi"}, usage={"promptTokenCount": 21}))
    assert started == Started("msg_tok", "", Usage(input_tokens=21))
    [guessed, *_] = reader().feed(gemini.chunk({"text": "Hi"}))
    assert guessed == Started("msg_tok", "", Usage(input_tokens=7))


def test_counts() -> None:
    whole = {"promptTokenCount": 20, "cachedContentTokenCount": 16, "candidatesTokenCount": 5, "thoughtsTokenCount": 9}
    assert counted(**whole, totalTokenCount=34) == Usage(4, 14, 16, reasoning_tokens=9)
    assert counted(**whole, toolUsePromptTokenCount=6, totalTokenCount=40) == Usage(10, 14, 16, reasoning_tokens=9)
    inside = {"promptTokenCount": 20, "candidatesTokenCount": 14, "thoughtsTokenCount": 9, "totalTokenCount": 34}
    assert counted(**inside) == Usage(20, 14, reasoning_tokens=9)
    assert counted() == Usage(7, 1)
    assert counted(promptTokenCount=3) == Usage(3, 1)
    assert counted(candidatesTokenCount=3) == Usage(7, 3)


@pytest.mark.parametrize("raw", ["[]", '{"promptTokenCount": "9"}', '{"promptTokenCount": true}', '"9"', "null"])
def test_counts_that_are_none(raw: str) -> None:
    event = '{"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}], "usageMetadata": %s}'
    assert finished(read_all(b"data: " + (event % raw).encode() + b"\n\n")).usage == Usage(7, 1)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", Stop.END_TURN),
        ("MAX_TOKENS", Stop.MAX_TOKENS),
        ("CONTINUATION", Stop.MAX_TOKENS),
        ("FINISH_REASON_UNSPECIFIED", Stop.END_TURN),
        ("A_REASON_OF_NEXT_YEAR", Stop.END_TURN),
        *(
            (reason, Stop.REFUSAL)
            for reason in (
                *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "OTHER"),
                *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "MODEL_ARMOR"),
            )
        ),
    ],
)
def test_reasons(reason: str, stop: Stop) -> None:
    assert finished(streamed({"text": "Hi"}, reason=reason)).stop is stop


@pytest.mark.parametrize(
    "reason",
    [
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "TOO_MANY_TOOL_CALLS",
        "UNEXPECTED_TOOL_CALL",
    ],
)
def test_reasons_that_are_failures(reason: str) -> None:
    kind, words = failure(streamed({"text": "Hi"}, reason=reason))
    assert kind is ErrorKind.SERVER_ERROR
    assert words == f"the upstream ended its answer with finishReason {reason}"


def test_a_call_that_is_refused_in_its_own_event_is_not_shown() -> None:
    made = read_all(gemini.chunk(*gemini.call("Bash", {}), reason="UNEXPECTED_TOOL_CALL"))
    assert [type(event) for event in made] == [Failed]


def test_a_limit_that_cuts_an_answer_with_calls() -> None:
    assert finished(streamed(*gemini.call("Bash", {}), reason="MAX_TOKENS")).stop is Stop.MAX_TOKENS


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "PROHIBITED_CONTENT"])
def test_a_prompt_that_was_blocked_is_a_refusal(reason: str) -> None:
    event = gemini.event({"promptFeedback": {"blockReason": reason}, "usageMetadata": {"promptTokenCount": 9}})
    made = read_all(event)
    assert (finished(made).stop, fold(made).blocks, made[-1]) == (Stop.REFUSAL, [], Ended())


def test_a_prompt_that_was_rated_is_not() -> None:
    rated = gemini.event({"promptFeedback": {"safetyRatings": []}})
    assert finished(read_all(rated, gemini.chunk({"text": "Hi"}), END)).stop is Stop.END_TURN


def test_words_after_the_reason_are_still_said() -> None:
    made = read_all(gemini.chunk({"text": "Hi"}, reason="STOP"), gemini.chunk({"text": " there"}))
    assert [_shown(block) for block in fold(made).blocks] == [("text", "Hi"), ("text", " there")]
    assert made[-1] == Ended()


def test_thoughts_that_nobody_asked_for_are_not_shown() -> None:
    frames = [gemini.chunk(part) for part in gemini.thought("Hm", "c2ln")]
    made = read_all(*frames, gemini.chunk({"text": "Hi"}), END, machine=reader(hidden=True))
    assert [_shown(block) for block in fold(made).blocks] == [("text", "Hi")]


def test_a_client_that_sees_no_thoughts_is_kept_waiting() -> None:
    frames = [gemini.chunk(*gemini.thought("Hm", pieces=1))] * (PATIENCE + 2)
    made = read_all(*frames, gemini.chunk({"text": "Hi"}), END, machine=reader(hidden=True))
    assert made.count(TextDelta("")) == 2
    assert [_shown(block) for block in fold(made).blocks] == [("text", "Hi")]


def test_a_file_that_the_model_made_is_named() -> None:
    made = shown({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}, {"inlineData": {}})
    assert made == [
        (
            "text",
            "[image/png: what the model made cannot be passed on.][a file: what the model made cannot be passed on.]",
        )
    ]


def test_every_thought_has_a_signature() -> None:
    made = streamed(*gemini.thought("Hm"), {"text": "Hi"})
    assert [event.signature for event in made if isinstance(event, SignatureDelta)] == ["keyturn:acme:thought"]


def test_errors_in_a_stream() -> None:
    said = {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}
    for event in ({"error": said}, [{"error": said}], {"error": said, "candidates": []}):
        assert failure(read_all(gemini.event(event))) == (ErrorKind.RATE_LIMITED, "Quota exceeded.")
    assert failure(read_all(gemini.event({"error": "busy"})))[1] == "busy"
    assert failure(read_all(gemini.event({"message": "busy"})))[1] == "busy"
    assert finished(read_all(gemini.chunk({"text": "Hi"}, reason="STOP", error=None))).stop is Stop.END_TURN


def test_bare_json_is_heard_wherever_it_is_cut() -> None:
    busy = json.dumps(gemini.error_body(503, "The model is overloaded."), indent=2).encode()
    began = gemini.chunk({"text": "Hi"})
    for at in range(len(busy)):
        made = read_all(began, busy[:at], busy[at:])
        assert failure(made) == (ErrorKind.MODEL_OVERLOADED, "The model is overloaded.")
    assert failure(read_all(began, busy[:-3]))[0] is ErrorKind.CUT


def test_a_whole_answer_without_a_reason_is_whole() -> None:
    made = reader().whole(json.dumps(gemini.body([{"text": "Hi"}])).encode())
    assert (finished(made).stop, made[-1]) == (Stop.END_TURN, Ended())


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"", ErrorKind.MALFORMED, "no Gemini answer"),
        (b"[]", ErrorKind.MALFORMED, "no Gemini answer"),
        (b"{}", ErrorKind.MALFORMED, "no Gemini answer"),
        (b"[1]", ErrorKind.MALFORMED, "no Gemini answer"),
        (b'{"candidates": [[]]}', ErrorKind.MALFORMED, "no Gemini answer"),
        (b'[{"error": {"code": 400, "message": "Bad."}}]', ErrorKind.INVALID_REQUEST, "Bad."),
        (b'{"error": {"code": 503, "message": "The model is overloaded."}}', ErrorKind.MODEL_OVERLOADED, "overloaded"),
    ],
)
def test_whole_bodies_that_are_no_answer(body: bytes, kind: ErrorKind, words: str) -> None:
    found, said = failure(reader().whole(body))
    assert found is kind
    assert words in said


def test_whole_answers_in_a_list() -> None:
    pieces = [gemini.body([part]) for part in gemini.text("Hello")]
    last = gemini.body([], reason="STOP", usage=gemini.USAGE)
    made = reader().whole(json.dumps([*pieces, last]).encode())
    assert fold(made) == answer(*gemini.text("Hello"))


GROUNDED: Json = {"groundingChunks": [{"web": {"uri": "https://a.test", "title": "A"}}, {}, {"web": {}}]}


def test_where_an_answer_was_looked_up_is_told_once() -> None:
    frames = [gemini.chunk({"text": piece}) for piece in ("It is ", "red.")]
    told = [_grounded(frame, GROUNDED) for frame in frames]
    (block,) = fold(read_all(*told, END)).blocks
    assert block.text == "It is red."
    assert block.raw_deltas == [{"type": "url_citation", "url": "https://a.test", "title": "A"}]


@pytest.mark.parametrize("odd", [None, 5, {"groundingChunks": 5}, {"groundingChunks": [{"web": "x"}]}, {}])
def test_odd_grounding_says_nothing(odd: Any) -> None:
    (block,) = fold(read_all(_grounded(gemini.chunk({"text": "Hi"}), odd), END)).blocks
    assert (block.text, block.raw_deltas) == ("Hi", [])


def test_where_a_call_was_looked_up_is_lost() -> None:
    machine = reader()
    call = gemini.chunk({"functionCall": {"name": "Bash", "args": {}}})
    read_all(_grounded(call, GROUNDED), END, machine=machine)
    assert machine.lost == ["answer.citations"]


def _grounded(frame: bytes, grounding: Any) -> bytes:
    told = json.loads(frame.removeprefix(b"data: "))
    told["candidates"][0]["groundingMetadata"] = grounding
    return b"data: " + json.dumps(told).encode() + b"\r\n\r\n"
