"""What a client sends back of earlier answers goes to a Messages upstream without what that would refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.call import Operation
from providers.dialects.anthropic import DIALECT
from providers.json_object import JsonObject
from tests.providers.support import call, config, property_test

Json = dict[str, Any]

EMPTY = {"type": "text", "text": ""}
FOREIGN = {"type": "thinking", "thinking": "why", "signature": "keyturn:acme:reasoning"}
OWN = {"type": "thinking", "thinking": "", "signature": "EqQBCgIYAhIM=="}
SAID = {"type": "text", "text": "a"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "type", "input": {"type": "text", "text": ""}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [EMPTY]}
PLACEHOLDER = {"type": "text", "text": "(a thought)"}


def sent(body: bytes, operation: Operation = Operation.MESSAGES) -> bytes:
    """The body that goes out, under the model that was asked for."""
    assert DIALECT.straight is not None
    asked = call(body, operation=operation)
    return DIALECT.straight.request(asked, "asked", True, config("https://api.example.com"), "").body


def body_of(*messages: Json, **form: Any) -> bytes:
    return json.dumps({"model": "asked", "messages": list(messages), "max_tokens": 9}, **form).encode()


def user(*content: Json) -> Json:
    return {"role": "user", "content": list(content)}


def assistant(*content: Json) -> Json:
    return {"role": "assistant", "content": list(content)}


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ([EMPTY, OWN, USE], [OWN, USE]),
        ([OWN, EMPTY], [OWN]),
        ([EMPTY, EMPTY, SAID, EMPTY, USE, EMPTY, EMPTY], [SAID, USE]),
        ([{**EMPTY, "cache_control": {"type": "ephemeral"}}, SAID], [SAID]),
        ([{"text": "", "citations": None, "type": "text"}, SAID], [SAID]),
        ([FOREIGN, SAID], [SAID]),
        ([EMPTY, FOREIGN, USE], [USE]),
        ([FOREIGN], [PLACEHOLDER]),
        ([EMPTY, FOREIGN], [PLACEHOLDER]),
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["narrow", "wide"])
def test_what_is_taken_out_of_an_answer(content: list[Json], kept: list[Json], separators: tuple[str, str]) -> None:
    before, after = (
        json.dumps({"x": "\u00e9\u2028", "messages": [user(SAID), assistant(*blocks), user(RESULT)]})
        for blocks in (content, kept)
    )
    before, after = (json.dumps(json.loads(each), separators=separators) for each in (before, after))
    expected = after.replace(json.dumps([PLACEHOLDER], separators=separators), '[{"type":"text","text":"(a thought)"}]')
    assert sent(b'{"model": "asked", ' + before.encode()[1:]) == b'{"model": "asked", ' + expected.encode()[1:]


@pytest.mark.parametrize(
    "message",
    [
        assistant(EMPTY),
        assistant(EMPTY, EMPTY),
        assistant(USE),
        assistant({**OWN, "text": ""}),
        assistant({"type": "server_tool_use", "id": "a", "name": "b", "text": ""}),
        assistant({"type": "text", "text": " "}, SAID),
        assistant({"type": "text", "text": '{"type":"text","text":""}'}, {"type": "text", "text": '"keyturn:'}),
        {"role": "assistant", "content": '"text":"" and "keyturn:'},
        user(EMPTY, SAID),
        user(RESULT, SAID),
        {"role": "system", "content": [EMPTY, SAID]},
        {"content": [USE], "text": "", "role": "assistant"},
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["narrow", "wide"])
def test_what_stays_as_it_is(message: Json, separators: tuple[str, str]) -> None:
    body = body_of(user(SAID), message, user(SAID), separators=separators)
    assert sent(body) == body


def test_every_other_byte_stays() -> None:
    body = (
        b'{ "messages" : [ {"role":"user","content":"\\u00e9 \\/ \xc3\xa9"} ,\n'
        b'\t{"content":[%b{"type":"tool_use","id":"a","name":"b","input":{"n":1.0e+2,"big":12345678901234567890123}}\r\n'
        b' ] , "role":"assistant","x":"\\ud83d\\ude42"},{"role":"user","content":[ ]}] , "model":"asked" }'
    )
    assert sent(body % b'{"type":"text","text":""} ,  ') == body % b""


def test_tokens_are_counted_without_them_too() -> None:
    before, after = body_of(assistant(EMPTY, USE)), body_of(assistant(USE))
    assert sent(before, Operation.COUNT_TOKENS) == after


def test_the_neutral_language_has_none_either() -> None:
    messages = [assistant(EMPTY, OWN, USE), user(RESULT, EMPTY), assistant(EMPTY)]
    with_it, without = (
        DIALECT.read_request(JsonObject(body_of(*each)), "m", True).messages
        for each in (messages, [assistant(OWN, USE), *messages[1:]])
    )
    assert with_it == without
    assert [len(message.content) for message in with_it] == [2, 2, 1]


words = st.text(max_size=8) | st.sampled_from(["", '"text":""', '{"type": "text", "text": ""}', '"keyturn:a'])
blocks = (
    st.builds(lambda text: {"type": "text", "text": text}, words)
    | st.builds(lambda text: {"text": text, "type": "text", "citations": []}, words)
    | st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": text.replace("key", "")}, words)
    | st.builds(lambda text: {"type": "tool_use", "id": "a", "name": "b", "input": {"text": text}}, words)
    | st.builds(lambda text: {"type": "tool_result", "tool_use_id": "a", "content": [EMPTY], "text": text}, words)
    | st.sampled_from([EMPTY, FOREIGN])
)
messages = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", "system"]),
    words | st.lists(blocks, max_size=6),
)
forms = st.fixed_dictionaries(
    {
        "separators": st.sampled_from([(",", ":"), (", ", ": ")]),
        "indent": st.none() | st.just(2),
        "ensure_ascii": st.booleans(),
    }
)


@property_test
@given(st.lists(messages, max_size=5), forms)
def test_what_goes_out_is_what_a_client_without_them_would_have_written(history: list[Json], form: Json) -> None:
    expected = body_of(*map(reference, history), **form)
    if b'"(nothing)"' not in expected:
        assert sent(body_of(*history, **form)) == expected
    assert json.loads(sent(body_of(*history, **form))) == json.loads(
        expected.replace(b'"(nothing)"', json.dumps(PLACEHOLDER).encode())
    )


def reference(message: Json) -> Json:
    """The rule again, on values."""
    content = message["content"]
    if isinstance(content, str):
        return message
    others = [block for block in content if block != FOREIGN]
    empty = [block for block in others if block["type"] == "text" and block["text"] == ""]
    kept = [block for block in others if message["role"] != "assistant" or block not in empty]
    if FOREIGN in content:
        return {**message, "content": kept or ["(nothing)"]}
    return {**message, "content": kept or content}
