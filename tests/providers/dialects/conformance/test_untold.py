"""What of an answer a client's dialect has no place for: named once, streamed and whole; the rest of it is told."""

from __future__ import annotations

import pytest

from providers.chat.events import (
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
from providers.chat.fold import fold
from providers.ports import Usage
from tests.providers.dialects.conformance import kit

WEB = {"type": "citations_delta", "citation": {"type": "web_search_result_location", "url": "u", "title": "t"}}
PLACE = {"type": "citations_delta", "citation": {"type": "char_location", "document_index": 0}}
ADDRESS = {"type": "url_citation", "url": "u", "title": "t"}


def answer(*blocks: list[Event], stop: Finished | None = None) -> list[Event]:
    said = [event for block in blocks for event in block]
    return [Started("msg_1", "m"), *said, stop or Finished(Stop.END_TURN, Usage(3, 4)), Ended()]


def text(*more: Event) -> list[Event]:
    return [BlockStarted(BlockKind.TEXT), TextDelta("Hi"), *more, BlockStopped()]


def thought(signature: str) -> list[Event]:
    return [BlockStarted(BlockKind.THINKING), ThinkingDelta("why"), SignatureDelta(signature), BlockStopped()]


def raw(kind: str) -> list[Event]:
    return [BlockStarted(BlockKind.RAW, raw={"type": kind, "data": "x"}), BlockStopped()]


def finished(stop: Stop, sequence: str | None = None, **details: str) -> Finished:
    return Finished(stop, Usage(3, 4), sequence, details or None)


REFUSED = finished(Stop.REFUSAL, type="refusal", explanation="It could harm.")
EVERY = {
    "plain": (answer(text()), (), (), ()),
    "a signed thought": (answer(thought("c2ln")), (), ("signature",), ()),
    "a thought of ours": (answer(thought("keyturn:acme:reasoning_content")), (), (), ()),
    "a sealed thought": (answer(thought("keyturn:acme:responses:rs_1:gAAA")), (), ("signature",), ()),
    "a thought with details": (answer(thought("keyturn:acme:reasoning_details#x")), (), ("signature",), ()),
    "a hidden thought": (answer(raw("redacted_thinking"), text()), (), ("redacted_thinking",), ()),
    "a server's tool": (
        answer(raw("server_tool_use"), raw("server_tool_use"), text()),
        (),
        ("server_tool_use",),
        ("server_tool_use",),
    ),
    "a place in a document": (answer(text(RawDelta(PLACE))), (), ("citations",), ("citations",)),
    "an address of Anthropic's": (answer(text(RawDelta(WEB))), (), (), ()),
    "an address of OpenAI's": (answer(text(RawDelta(ADDRESS))), ("citations",), (), ()),
    "a delta of next year": (answer(text(RawDelta({"type": "next"}))), (), ("next",), ("next",)),
    "a stop sequence": (answer(text(), stop=finished(Stop.STOP_SEQUENCE, "END")), (), (), ("stop_sequence",)),
    "why it was refused": (answer(text(), stop=REFUSED), (), (), ("stop_details",)),
}


@pytest.mark.parametrize("client", ["anthropic", "openai_chat", "openai_responses"])
@pytest.mark.parametrize("name", EVERY)
def test_what_cannot_be_told_is_named(client: str, name: str) -> None:
    events, *expected = EVERY[name]
    wanted = [f"answer.{part}" for part in expected[("anthropic", "openai_chat", "openai_responses").index(client)]]
    streamed = kit.writer(client)
    sent = b"".join(streamed.write(event) for event in events)
    whole = kit.writer(client)
    body = whole.whole(fold(events))
    assert (streamed.lost, whole.lost) == (wanted, wanted)
    if any(isinstance(event, TextDelta) for event in events):
        assert (b'"Hi"' in sent, b'"Hi"' in body) == (True, True)


@pytest.mark.parametrize("client", ["openai_chat", "openai_responses"])
def test_addresses_stand_where_their_text_does(client: str) -> None:
    events = answer(text(), text(RawDelta(WEB)), text(RawDelta({**ADDRESS, "start_index": 1, "end_index": 2})))
    places = {"openai_chat": [(2, 4), (5, 6)], "openai_responses": [(0, 2), (1, 2)]}[client]
    for sent in (kit.write(client, events), kit.writer(client).whole(fold(events))):
        for start, end in places:
            assert b'"start_index":%d,"end_index":%d' % (start, end) in sent
