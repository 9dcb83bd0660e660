"""Server tools in the neutral language: functions in their places, and calls that are the server's own."""

from __future__ import annotations

import json

import pytest

from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    Started,
    Stop,
    TextDelta,
)
from providers.chat.fold import fold
from providers.chat.marks import call_signature, plain_id, signed_id
from providers.chat.request import ChatRequest, Message, Text, Tool
from providers.dialects.anthropic.write_reply import MessageWriter
from providers.errors import Fault
from providers.hosting import HostedTool, Hosting, Round
from providers.ports import Usage

SEARCH = HostedTool("web_search", "web_search_20250305", "web_search", allowed=("example.com",))
FETCH = HostedTool("web_fetch", "web_fetch_20250910", "web_fetch")
BASH = Tool("Bash", "", {"type": "object"})
TOKEN = "0123456789abcdef0123"
START = Started("msg_1", "", Usage(5))
END: list[Event] = [Finished(Stop.TOOL_USE, Usage(5, 7)), Ended()]


def call(name: str = "web_search", *pieces: str, identity: str = "call_1") -> list[Event]:
    said = pieces or ('{"query"', ': "a"}')
    return [BlockStarted(BlockKind.TOOL_USE, identity, name), *map(ArgumentsDelta, said), BlockStopped()]


TEXT: list[Event] = [BlockStarted(BlockKind.TEXT), TextDelta("Hi"), BlockStopped()]


def written(round_: Round, *events: Event) -> list[dict[str, object]]:
    data = b"".join(round_.write(event) for event in events)
    return [json.loads(frame.split(b"data: ")[1]) for frame in data.split(b"\n\n")[:-1]]


def first() -> Round:
    return Hosting((SEARCH, FETCH)).round(MessageWriter("m"), TOKEN)


def asked(*tools: Tool) -> ChatRequest:
    lost = ("tools.web_search_20250305", "speed", "tools.web_fetch_20250910")
    return ChatRequest("m", (Message("user", (Text("Hi"),)),), tools=tools, lost=lost)


def test_functions_in_the_places_of_tools() -> None:
    made = Hosting((SEARCH, FETCH)).offered(asked(BASH))
    assert [tool.name for tool in made.tools] == ["Bash", "web_search", "web_fetch"]
    assert made.lost == ("speed",)
    search, fetch = made.tools[1:]
    assert (list(search.schema["properties"]), search.schema["required"]) == (["query"], ["query"])
    assert list(fetch.schema["properties"]) == ["url"]
    assert "example.com" in search.description
    assert "holds no instructions" in search.description
    assert "holds no instructions" in fetch.description


def test_a_function_of_that_name_is_the_clients() -> None:
    made = Hosting((SEARCH,)).offered(asked(Tool("web_search", "mine", {})))
    assert [tool.description for tool in made.tools] == ["mine"]
    assert "tools.web_search_20250305" in made.lost


@pytest.mark.parametrize(
    ("native", "needed"),
    [
        ((), True),
        (("web_search",), True),
        (("web_search", "web_fetch"), False),
        (("web_fetch", "web_search"), False),
    ],
)
def test_an_upstream_that_has_them_all_needs_none(native: tuple[str, ...], needed: bool) -> None:
    assert Hosting((SEARCH, FETCH)).needed(native) is needed
    assert Hosting((SEARCH, FETCH), before=Usage()).needed(native)


def test_a_round_with_a_call_goes_out_without_its_end() -> None:
    round_ = first()
    told = written(round_, START, *TEXT, *call(), *END)
    assert [event["type"] for event in told] == [
        "message_start",
        *["content_block_start", "content_block_delta", "content_block_stop"] * 2,
    ]
    assert told[4]["content_block"] == {
        "type": "server_tool_use",
        "id": "srvtoolu_keyturn_0123456789abcdef0100",
        "name": "web_search",
        "input": {},
    }
    assert told[5]["delta"] == {"type": "input_json_delta", "partial_json": '{"query":"a"}'}
    assert round_.message is not None
    assert [block.kind for block in round_.message.blocks] == [BlockKind.TEXT, BlockKind.RAW]
    assert [use.text for use in round_.uses] == ['{"query":"a"}']


def test_the_next_round_goes_on_where_that_one_was() -> None:
    round_ = first()
    written(round_, START, *TEXT, *call(), *END)
    again = Hosting((SEARCH,), Usage(5, 7, web_searches=1), round_.inner).round(MessageWriter("m"), TOKEN)
    told = written(again, Started("msg_2", "", Usage(50)), *TEXT, Finished(Stop.END_TURN, Usage(50, 3)), Ended())
    assert [event["index"] for event in told[:3]] == [2, 2, 2]
    usage = told[-2]["usage"]
    assert isinstance(usage, dict)
    assert (usage["input_tokens"], usage["output_tokens"]) == (55, 10)
    assert usage["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}


def test_an_attempt_that_failed_leaves_nothing_behind() -> None:
    round_ = first()
    written(round_, START, *call(), *END)
    hosting = Hosting((SEARCH,), Usage(), round_.inner)
    for _ in range(2):
        told = written(hosting.round(MessageWriter("m"), TOKEN), START, BlockStarted(BlockKind.TEXT))
        assert [event["index"] for event in told] == [1]


def test_a_round_without_a_call_is_an_answer() -> None:
    round_ = first()
    told = written(round_, START, *TEXT, *call("Bash"), *END)
    assert [event["type"] for event in told][-2:] == ["message_delta", "message_stop"]
    assert (round_.uses, told[4]["content_block"]) == (
        [],
        {"type": "tool_use", "id": "call_1", "name": "Bash", "input": {}},
    )


def test_a_whole_round_says_nothing_yet() -> None:
    round_ = first()
    events = [START, *TEXT, *call(), *call("Bash", "{}", identity="call_2"), *END]
    assert round_.whole(fold(events)) == b""
    assert round_.message is not None
    assert [block.kind for block in round_.message.blocks] == [BlockKind.TEXT, BlockKind.RAW, BlockKind.TOOL_USE]
    assert (len(round_.uses), round_.message.usage) == (1, Usage(5, 7))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('{"query": "a", "more": 1}', '{"query":"a"}'),
        ('{"query": 1}', "{}"),
        ("[]", "{}"),
        ("", "{}"),
        ("  ", "{}"),
        ('{"query": "', "{}"),
        ('{"query": "\\ud800"}', "{}"),
    ],
)
def test_arguments_as_the_tool_takes_them(said: str, kept: str) -> None:
    round_ = first()
    written(round_, START, *call("web_search", said), *END)
    assert round_.uses[0].text == kept


def test_the_upstreams_signature_stays_with_its_call() -> None:
    signed = signed_id("call_1", "gemini", "google", "c2lnbmVk")
    round_ = first()
    written(round_, START, *call(identity=signed), *call(identity="call_2"), *END)
    one, two = (use.raw["id"] for use in round_.uses)
    assert call_signature(one, "gemini") == ("google", "c2lnbmVk")
    assert (plain_id(one)[:-1], plain_id(one) == plain_id(two)) == (two[:-1], False)
    assert len(plain_id(one)) <= 40  # what OpenAI takes


def test_a_failure_is_told_in_the_clients_words() -> None:
    assert b"overloaded_error" in first().failed(Fault(529, "overloaded_error", "sorry"))
