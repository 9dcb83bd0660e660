"""A JSON object keeps every byte that is not edited, and whatever is none is NotJson and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.json_object import JsonObject, NotJson, decode, elements, encode
from tests.providers.support import property_test

DEEP = 100_000

NOT_OBJECTS = {
    "nothing": b"",
    "blank": b"  \n",
    "list": b"[]",
    "string": b'"a"',
    "number": b"1",
    "null": b"null",
    "words": b"not json",
    "unended": b'{"a":1',
    "unended string": b'{"a":"b',
    "unended name": b'{"a',
    "no value": b'{"a":}',
    "no colon": b'{"a" 1}',
    "no comma": b'{"a":1 "b":2}',
    "last comma": b'{"a":1,}',
    "number as name": b"{1:2}",
    "single quotes": b"{'a':1}",
    "two values": b"{}{}",
    "trailing words": b"{} x",
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "utf-16": '{"a":1}'.encode("utf-16"),
    "nul": b"\x00",
    "broken utf-8 in a value": b'{"a":"\xff"}',
    "broken utf-8 in a name": b'{"\xc3\x28":1}',
    "broken utf-8 deep down": b'{"a":[{"b":"x\xe2\x82"}]}',
    "surrogate in utf-8": b'{"a":"\xed\xa0\x80"}',
    "overlong utf-8": b'{"a":"\xc0\xaf"}',
    "lone surrogate in a name": rb'{"\ud800":1}',
    "deep list": b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep list, unended": b'{"a":' + b"[" * DEEP,
    "deep object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep object, unended": b'{"a":' * DEEP,
}

NOT_VALUES = {
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "lone surrogate": rb'"\ud800"',
    "surrogates the wrong way round": rb'"\udc00\ud800"',
    "unknown escape": rb'"\x"',
    "control character": b'"\x01"',
    "leading zero": b"01",
    "bare minus": b"-",
    "point without digits": b"1.",
    "half a word": b"tru",
    "too large a number": b"1e999",
    "5,000 digits": b"1" * 5000,
}


@pytest.mark.parametrize("raw", NOT_OBJECTS.values(), ids=NOT_OBJECTS.keys())
def test_what_is_no_object_is_not_json(raw: bytes) -> None:
    with pytest.raises(NotJson):
        JsonObject(raw)


@pytest.mark.parametrize("raw", NOT_VALUES.values(), ids=NOT_VALUES.keys())
def test_a_value_that_is_none_is_not_json_by_the_time_it_is_read(raw: bytes) -> None:
    with pytest.raises(NotJson):
        JsonObject(b'{"a":' + raw + b"}").get("a")
    with pytest.raises(NotJson):
        decode(raw)


@pytest.mark.parametrize(("raw", "word"), [(b'{"sk-secret": nope}', "sk-secret"), (b"sk-secret", "sk-secret")])
def test_the_reason_does_not_quote_the_body(raw: bytes, word: str) -> None:
    with pytest.raises(NotJson) as raised:
        JsonObject(raw)
    assert word not in str(raised.value)
    assert "JSON" in str(raised.value)


@pytest.mark.parametrize("depth", [10, 300, 900, 1100, 5000])
def test_any_depth_is_either_read_or_refused(depth: int) -> None:
    raw = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    try:
        assert isinstance(JsonObject(raw).get("a"), list)
    except NotJson:
        assert depth > 10


def test_reads_members() -> None:
    body = JsonObject(rb'{"a": [1, 2.5, null], "\u0062": "\ud83d\ude42", "c": {"d": true}}')
    assert (body.get("a"), body.get("b"), body.get("c")) == ([1, 2.5, None], "🙂", {"d": True})
    assert body.get("a") is body.get("a")
    assert (body.get("d"), body.get("d", 7)) == (None, 7)
    assert ("b" in body, "d" in body) == (True, False)


def test_a_child_has_its_own_bytes() -> None:
    child = JsonObject(b'{"a": { "model" : "x" } , "b": 1}').child("a")
    assert child.raw == b'{ "model" : "x" }'
    assert child.edited({"model": b'"y"'}) == b'{ "model" : "y" }'


def test_a_member_can_be_looked_at_without_a_copy() -> None:
    body = JsonObject(b'{ "a" : [ 1 ,2 ] }')
    assert (bytes(body.view("a")), bytes(body.view("b"))) == (b"[ 1 ,2 ]", b"")


@pytest.mark.parametrize(
    ("raw", "texts"),
    [
        (b"[]", []),
        (b" [ ] ", []),
        (b"[1]", [b"1"]),
        (b'[ {"a": [1, 2]} ,\r\n\t"],[\\"" ,[ ] , null]', [b'{"a": [1, 2]}', b'"],[\\""', b"[ ]", b"null"]),
    ],
)
def test_where_the_elements_of_a_list_stand(raw: bytes, texts: list[bytes]) -> None:
    assert [raw[start:end] for start, end in elements(raw)] == texts


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1", b"[1,]", b'"[1]"', b"null"])
def test_what_is_no_list_has_no_elements(raw: bytes) -> None:
    with pytest.raises(NotJson):
        elements(raw)


def test_a_child_that_is_not_there_or_no_object() -> None:
    body = JsonObject(b'{"a": [1]}')
    with pytest.raises(KeyError):
        body.child("b")
    with pytest.raises(NotJson):
        body.child("a")


@pytest.mark.parametrize(
    ("raw", "changes", "edited"),
    [
        (b'{"model":"a","x":1}', {"model": b'"b"'}, b'{"model":"b","x":1}'),
        (b'\n{ "x" : 1 ,\t"model"\r\n:"a" } ', {"model": b'"longer"'}, b'\n{ "x" : 1 ,\t"model"\r\n:"longer" } '),
        (b'{"x":{"model":"a"},"model":"a"}', {"model": b'"b"'}, b'{"x":{"model":"a"},"model":"b"}'),
        (b'{"x":"\\"model\\":\\"a\\"","model":"a"}', {"model": b"1"}, b'{"x":"\\"model\\":\\"a\\"","model":1}'),
        (rb'{"mod\u0065l":"a"}', {"model": b'"b"'}, rb'{"mod\u0065l":"b"}'),
        (b'{"a":1,"b":2,"c":3}', {"c": b"30", "a": b"10"}, b'{"a":10,"b":2,"c":30}'),
        (b'{"a":1}', {"b": b"[2]"}, b'{"a":1,"b":[2]}'),
        (b"{}", {"b": b"2"}, b'{"b":2}'),
        (b'{"a":1,"b": 2 ,"c":3}', {"b": None}, b'{"a":1,"c":3}'),
        (b'{"a":1}', {"a": None}, b"{}"),
        (b'{"a":1}', {"b": None}, b'{"a":1}'),
        (b'{"a":1,"b": {"x" : 2}}', {"a": None, "c": b"3"}, b'{"b":{"x" : 2},"c":3}'),
        (b'{"model":"a","x":1,"model":"b"}', {"model": b'"c"'}, b'{"model":"c","x":1}'),
        (b'{ "model":"a","model":"a" , "x" : 1 }', {"model": b'"c"'}, b'{"model":"c","x":1}'),
        (rb'{"model":"a","x":1,"mod\u0065l":"b"}', {"model": b'"c"'}, b'{"model":"c","x":1}'),
        ('{"é":1,"model":"ü"}'.encode(), {"model": '"日"'.encode()}, '{"é":1,"model":"日"}'.encode()),
    ],
)
def test_edits(raw: bytes, changes: dict[str, bytes | None], edited: bytes) -> None:
    assert JsonObject(raw).edited(changes) == edited


@pytest.mark.parametrize("raw", [b' {"a" : 1}\n', b'{"a":1,"a":2}', rb'{"a":1,"\u0061":2, "b":0}', b"{}"])
def test_no_edit_changes_no_byte(raw: bytes) -> None:
    assert JsonObject(raw).edited({}) == raw


def test_an_edit_leaves_no_second_one_of_any_name() -> None:
    raw = b'{ "model": "a", "x": 1, "x": [ 2 ] }'
    assert JsonObject(raw).edited({"model": b'"b"'}) == b'{"model":"b","x":[ 2 ]}'


# Random objects, written with random blanks and escapes.

NAMES = ["model", "stream", "a", "", "é", 'q"uote', "back\\slash", "日本", "a/b", "{}", ":,"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    # A nested member may have any name, that of an edited one too.
    | st.text(max_size=8)
    | st.just('"model": "trap"'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
BLANKS = st.text(" \t\r\n", max_size=2).map(str.encode)


@dataclass
class Member:
    name: str
    head: bytes  # up to the value
    value: bytes
    tail: bytes

    @property
    def raw(self) -> bytes:
        return self.head + self.value + self.tail


def written(value: Any, ascii_only: bool, spaced: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only, indent=1 if spaced else None).encode()


def escaped(name: str) -> bytes:
    return b'"' + b"".join(b"\\u%04x" % ord(each) for each in name) + b'"'


@st.composite
def members(draw: st.DrawFn) -> Member:
    name = draw(st.sampled_from(NAMES))
    literal = escaped(name) if draw(st.booleans()) else written(name, draw(st.booleans()), False)
    value = written(draw(JSON), draw(st.booleans()), draw(st.booleans()))
    return Member(name, draw(BLANKS) + literal + draw(BLANKS) + b":" + draw(BLANKS), value, draw(BLANKS))


def together(start: bytes, parts: list[Member], end: bytes) -> bytes:
    return start + b"{" + b",".join(part.raw for part in parts) + b"}" + end


def once(parts: list[Member]) -> list[Member]:
    return list({part.name: part for part in parts}.values())


@property_test
@given(BLANKS, st.lists(members(), max_size=6).map(once), BLANKS, st.data())
def test_setting_members_keeps_every_other_byte(
    start: bytes, parts: list[Member], end: bytes, data: st.DataObject
) -> None:
    chosen = data.draw(st.sets(st.sampled_from([part.name for part in parts]))) if parts else set()
    changes: dict[str, bytes | None] = {name: written(data.draw(JSON), False, False) for name in chosen}
    changed = [Member(part.name, part.head, changes.get(part.name) or part.value, part.tail) for part in parts]
    assert JsonObject(together(start, parts, end)).edited(changes) == together(start, changed, end)


@property_test
@given(
    BLANKS,
    st.lists(members(), max_size=7),
    st.dictionaries(st.sampled_from([*NAMES, "new"]), st.none() | JSON, min_size=1),
)
def test_the_last_of_several_wins_and_none_survives_an_edit(
    start: bytes, parts: list[Member], wanted: dict[str, Any]
) -> None:
    changes = {name: None if value is None else encode(value) for name, value in wanted.items()}
    edited = JsonObject(together(start, parts, b"")).edited(changes)
    pairs: list[tuple[str, Any]] = json.loads(edited, object_pairs_hook=lambda found: found)
    for name, value in wanted.items():
        found = [json.dumps(each) for seen, each in pairs if seen == name]
        assert len(found) == (value is not None)
    last = {part.name: json.loads(part.value) for part in parts}
    expected = {name: value for name, value in (last | wanted).items() if name not in wanted or value is not None}
    assert json.loads(edited) == expected
    order = list(dict.fromkeys(name for name, _ in pairs))
    assert order == [name for name in {**last, **wanted} if name in expected]


@property_test
@given(st.lists(members(), max_size=6))
def test_reads_what_any_json_reader_reads(parts: list[Member]) -> None:
    raw = together(b"", parts, b"")
    expected = json.loads(raw)
    body = JsonObject(raw)
    assert {name: body.get(name) for name in NAMES if name in body} == expected
    assert body.raw == raw


TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b'"a"',
    b'"model"',
    b"1",
    b"-",
    b".5",
    b"e9",
    b"null",
    b"tru",
    b'"',
    b"\\",
    b"\xc3",
]


@property_test
@given(st.binary(max_size=40) | st.lists(st.sampled_from([*TOKENS, b'{"a":', b" ", b"NaN", b"\x00"])).map(b"".join))
def test_any_bytes_are_an_object_or_not_json(raw: bytes) -> None:
    for each in (raw, b'{"a":' + raw + b"}", b'{"model":1,' + raw):
        try:
            body = JsonObject(each)
        except NotJson:
            continue
        assert isinstance(json.loads(each), dict)
        for name in ("a", "model", "", "none"):
            read_or_refused(body, name)


def read_or_refused(body: JsonObject, name: str) -> None:
    try:
        value = body.get(name)
        child = body.child(name) if isinstance(value, dict) else None
    except NotJson:
        return
    assert json.loads(encode(value)) == value
    assert child is None or isinstance(child.edited({"x": b"1"}), bytes)
