"""Tool calls in every odd form that upstreams stream them: each is put right, or is a clear error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.chat.events import ArgumentsDelta, BlockKind, BlockStarted, BlockStopped, Failed
from providers.errors import ErrorKind
from tests.providers.dialects.openai_chat.chunks import (
    answer,
    called,
    chunk,
    end,
    events,
    failure,
    piece,
    reader,
    shown,
    text,
    tools,
)

A, B = "call_aaaaaaaa", "call_bbbbbbbb"
LS, CAT = '{"command":"ls"}', '{"command":"cat"}'
END = end("tool_calls")
READ, BASH = (A, "Read", LS), (B, "Bash", CAT)


def begun(name: str = "Bash", identity: str = A, index: Any = 0, arguments: Any = "") -> bytes:
    return tools(piece(name, arguments, index=index, id=identity))


def more(arguments: Any, **where: Any) -> bytes:
    return tools(piece(None, arguments, **({"index": 0} | where)))


def test_a_call_streams_its_arguments_as_they_come() -> None:
    machine = reader()
    machine.feed(begun())
    assert machine.feed(more('{"comm'))[1:] == [BlockStarted(BlockKind.TOOL_USE, A, "Bash"), ArgumentsDelta('{"comm')]
    assert machine.feed(more('and":"ls"}')) == [ArgumentsDelta('and":"ls"}')]
    assert machine.feed(END) == [BlockStopped()]


def test_a_call_that_is_whole_closes_when_the_next_begins() -> None:
    machine = reader()
    machine.feed(begun("Read", A, 0, LS))
    assert machine.feed(begun("Bash", B, 1, "")) == [BlockStopped()]


def test_the_last_call_closes_only_on_the_reason_to_stop() -> None:
    made = events(begun(arguments=LS))
    assert isinstance(made[-1], Failed)
    assert BlockStopped() not in made


@pytest.mark.parametrize(
    "parts",
    [
        [begun("Ba", A), tools(piece("sh", "", index=0)), more(LS)],
        [begun("Ba", A), tools(piece("Bash", "", index=0)), more(LS)],
        [begun("Bash", A), begun("Bash", A), more(LS)],
        [begun("Bash", "call_aaa"), tools(piece(None, "", index=0, id="aaaaa")), more(LS)],
        [begun("Bash", "call_aaa"), tools(piece(None, "", index=0, id=A)), more(LS)],
        [
            begun("Bash", A),
            tools(piece(None, '{"comm', index=0, id=A)),
            tools(piece("Bash", 'and":"ls"}', index=0, id=A)),
        ],
        [
            begun("Bash", A),
            tools(piece(None, '{"comm', index=0, id="")),
            tools(piece("", 'and":"ls"}', index=0, id="")),
        ],
        [begun("", A), tools(piece("Bash", LS, index=0))],
        [tools(piece(None, '{"comm', index=0, id=A)), tools(piece("Bash", 'and":"ls"}', index=0))],
        [tools(piece("Bash", None, index=0)), tools(piece(None, LS, index=0, id=A))],
    ],
    ids=[
        "name split",
        "name cumulative",
        "all repeated",
        "id split",
        "id cumulative",
        "id and name with every piece",
        "empty id and name with every piece",
        "name late",
        "arguments before the name",
        "id late",
    ],
)
def test_ids_and_names_that_come_in_pieces(parts: list[bytes]) -> None:
    assert called(*parts, END) == [(A, "Bash", LS)]


@pytest.mark.parametrize("index", [None, -1, "0", True, 1.5, "absent"])
def test_whole_calls_without_a_usable_index(index: Any) -> None:
    where = {} if index == "absent" else {"index": index}
    one, two = piece("Read", LS, id=A, **where), piece("Bash", CAT, id=B, **where)
    assert called(tools(one, two), END) == [READ, BASH]
    assert called(tools(one), tools(two), END) == [READ, BASH]


@pytest.mark.parametrize("index", [None, -1])
def test_pieces_without_a_usable_index(index: Any) -> None:
    parts = [begun("Read", A, index), more('{"comm', index=index), more('and":"ls"}', index=index)]
    assert called(*parts, END) == [(A, "Read", LS)]
    assert called(*parts, begun("Bash", B, index), more(CAT, index=index), END) == [READ, BASH]


def test_pieces_without_an_index_are_known_by_their_ids() -> None:
    halves = [piece("Read", '{"comm', id=A), piece("Bash", '{"comm', id=B)]
    rest = [piece(None, 'and":"ls"}', id=A), piece(None, 'and":"cat"}', id=B)]
    assert called(tools(*halves), tools(*rest), END) == [READ, BASH]


@pytest.mark.parametrize(
    "where", [{}, {"index": None}, {"index": 0}, {"index": None, "id": ""}, {"index": 0, "id": None}]
)
def test_whole_calls_without_ids_stay_apart(where: dict[str, Any]) -> None:
    """Gemini's proxies send ``"index": null, "id": ""`` (github.com/meilisearch/meilisearch/pull/5712)."""
    one, two = piece("Read", LS, **where), piece("Bash", CAT, **where)
    for parts in ([tools(one, two)], [tools(one), tools(two)]):
        calls = called(*parts, END)
        assert [(name, arguments) for _, name, arguments in calls] == [("Read", LS), ("Bash", CAT)]
        assert len({identity for identity, _, _ in calls}) == 2


def test_two_calls_of_one_tool_without_ids_stay_apart() -> None:
    calls = called(tools(piece("Read", LS)), tools(piece("Read", CAT)), END)
    assert [arguments for _, _, arguments in calls] == [LS, CAT]


def test_calls_without_ids_get_some() -> None:
    calls = called(tools(piece("Read", LS, index=0), piece("Bash", CAT, index=1)), END)
    assert [identity for identity, _, _ in calls] == ["toolu_tok_0", "toolu_tok_1"]


@pytest.mark.parametrize("arguments", [LS, ""], ids=["with arguments before", "without"])
def test_an_index_used_again_with_a_new_id_is_another_call(arguments: str) -> None:
    calls = called(begun("Read", A, 0, arguments), begun("Bash", B, 0, CAT), END)
    assert calls == [(A, "Read", arguments or "{}"), BASH]


def test_an_index_used_again_with_a_short_id_and_a_name_is_another_call() -> None:
    assert called(begun("Read", "1", 0, LS), begun("Bash", "2", 0, CAT), END) == [("1", "Read", LS), ("2", "Bash", CAT)]


@pytest.mark.parametrize("index", [None, 0])
def test_an_id_that_begins_like_the_one_before_is_another_call(index: Any) -> None:
    calls = called(
        tools(piece("Read", LS, id="call_1", index=index), piece("Bash", CAT, id="call_12", index=index)), END
    )
    assert calls == [("call_1", "Read", LS), ("call_12", "Bash", CAT)]


def test_calls_of_one_id_get_ids_of_their_own() -> None:
    """Messages refuses two calls of one id."""
    calls = called(tools(piece("Read", LS, index=0, id=A), piece("Bash", CAT, index=1, id=A)), END)
    assert [(name, arguments) for _, name, arguments in calls] == [("Read", LS), ("Bash", CAT)]
    assert len({identity for identity, _, _ in calls}) == 2


def test_interleaved_calls_come_one_after_the_other() -> None:
    parts = [
        tools(piece("Read", '{"comm', index=0, id=A), piece("Bash", '{"comm', index=1, id=B)),
        tools(piece(None, 'and":"c', index=1)),
        tools(piece(None, 'and":"ls"}', index=0)),
        tools(piece(None, 'at"}', index=1)),
    ]
    assert called(*parts, END) == [READ, BASH]
    kinds = [type(event).__name__ for event in events(*parts, END) if isinstance(event, BlockStarted | BlockStopped)]
    assert kinds == ["BlockStarted", "BlockStopped"] * 2


def test_calls_come_in_the_order_of_their_first_pieces() -> None:
    parts = [tools(piece("Bash", CAT, index=1, id=B)), tools(piece("Read", LS, index=0, id=A))]
    assert called(*parts, END) == [BASH, READ]


def test_a_piece_for_a_call_that_is_closed_is_an_error() -> None:
    said = failure(begun("Read", A, 0, LS), begun("Bash", B, 1, CAT), more(',"x":1}'), END)
    assert said.kind is ErrorKind.MALFORMED
    assert "mixed with each other" in said.words


def test_a_repetition_for_a_call_that_is_closed_is_nothing() -> None:
    assert called(begun("Read", A, 0, LS), begun("Bash", B, 1, CAT), more(LS), END) == [READ, BASH]


def test_a_call_without_a_name_is_an_error() -> None:
    for parts in ([tools(piece(None, LS, index=0, id=A))], [tools(piece("", LS, index=0, id=A))], [tools({"id": A})]):
        said = failure(*parts, END)
        assert (said.kind, said.words) == (ErrorKind.MALFORMED, "the upstream sent a tool call without a name")


@pytest.mark.parametrize(
    "ghost",
    [
        {},
        {"index": 0},
        {"index": 0, "id": None, "function": None},
        {"index": 0, "function": {"name": None}},
        {"function": 5},
    ],
)
def test_entries_that_say_nothing_are_no_calls(ghost: Any) -> None:
    assert shown(text("Hi"), tools(ghost), text(" you"), end()) == [("text", "Hi you")]
    assert answer(text("Hi"), tools(ghost), end("tool_calls")).stop == "end_turn"


def test_entries_that_say_nothing_do_not_hold_up_others() -> None:
    assert called(tools({"index": 0}), tools(piece("Bash", LS, index=1, id=A)), begun("Read", B, 2, LS), END) == [
        (A, "Bash", LS),
        (B, "Read", LS),
    ]


@pytest.mark.parametrize("odd", [None, [], {}, "x", 5, [None], ["x"], [[]], [5]])
def test_tool_calls_of_another_type_are_none(odd: Any) -> None:
    assert shown(chunk({"content": "Hi", "tool_calls": odd}), end()) == [("text", "Hi")]


def test_whole_calls_in_one_delta() -> None:
    both = tools(piece("Read", LS, index=0, id=A), piece("Bash", CAT, index=1, id=B))
    assert called(both, END) == [READ, BASH]


def test_the_calls_of_a_whole_message_have_no_index() -> None:
    calls = [
        {"id": one, "type": "function", "function": {"name": name, "arguments": said}}
        for one, name, said in (READ, BASH)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}).encode()
    whole = [event for event in reader().whole(body) if isinstance(event, BlockStarted | ArgumentsDelta)]
    assert whole == [
        BlockStarted(BlockKind.TOOL_USE, A, "Read"),
        ArgumentsDelta(LS),
        BlockStarted(BlockKind.TOOL_USE, B, "Bash"),
        ArgumentsDelta(CAT),
    ]


def test_the_legacy_function_call_is_a_call() -> None:
    parts = [chunk({"function_call": {"name": "Bash", "arguments": '{"comm'}})]
    parts.append(chunk({"function_call": {"arguments": 'and":"ls"}'}}))
    assert called(*parts, end("function_call")) == [("toolu_tok_0", "Bash", LS)]


def test_a_tool_gets_its_own_name_back() -> None:
    machine = reader(names={"mcp_a_1234": "mcp a/tool", "Bash": "Bash"})
    assert called(begun("mcp_a_1234", A, 0, LS), begun("Other", B, 1, LS), END, machine=machine) == [
        (A, "mcp a/tool", LS),
        (B, "Other", LS),
    ]
