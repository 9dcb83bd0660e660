"""Arguments become what their schema wants, and only where they surely mean it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.chat.guardian import Declared, Repair
from providers.chat.guardian.mend import fits, mend
from providers.chat.request import Tool
from tests.providers.chat.guardian.kit import INTEGER, NUMBER, STRING, TOOLS
from tests.providers.support import property_test

BOOLEAN, ARRAY, OBJECT, NULL = ({"type": kind} for kind in ("boolean", "array", "object", "null"))
DEFS = {"Size": {"type": "object", "properties": {"w": INTEGER, "note": STRING}}, "Loop": {"$ref": "#/$defs/Loop"}}


def mended(value: Any, schema: Any, *, required: bool = True) -> Any:
    """What becomes of the argument ``a`` under this schema; "gone" where it is dropped."""
    whole = {"type": "object", "properties": {"a": schema}, "required": ["a"] * required, "$defs": DEFS}
    return json.loads(mend(json.dumps({"a": value}), whole, Counter())).get("a", "gone")


@pytest.mark.parametrize(
    ("schema", "value", "made"),
    [
        (INTEGER, "5", 5),
        (INTEGER, " -12\n", -12),
        (INTEGER, "5.0", 5),
        (INTEGER, "5.5", "5.5"),
        (INTEGER, "five", "five"),
        (INTEGER, "", ""),
        (INTEGER, "9" * 40, "9" * 40),
        (INTEGER, "0x10", "0x10"),
        (INTEGER, "true", "true"),
        (INTEGER, 5, 5),
        (NUMBER, "5.5", 5.5),
        (NUMBER, "1e3", 1000.0),
        (NUMBER, "7", 7),
        (NUMBER, "NaN", "NaN"),
        (NUMBER, "1e999", "1e999"),
        (BOOLEAN, "true", True),
        (BOOLEAN, "False", False),
        (BOOLEAN, "yes", "yes"),
        (BOOLEAN, "1", "1"),
        (STRING, "5", "5"),
        (STRING, "true", "true"),
        (STRING, '{"b": 1}', '{"b": 1}'),
        (STRING, "null", "null"),
        (STRING, 5, 5),
        (STRING, {"b": 1}, {"b": 1}),
        (ARRAY, '["x", 1]', ["x", 1]),
        (ARRAY, "x", "x"),
        (ARRAY, '{"b": 1}', '{"b": 1}'),
        (ARRAY, "[1, 2", "[1, 2"),
        (OBJECT, '{"b": {"c": "5"}}', {"b": {"c": "5"}}),
        (OBJECT, "[1]", "[1]"),
        ({}, "5", "5"),
        (True, "5", "5"),
        (None, "5", "5"),
        ("integer", "5", "5"),
        ({"type": ["integer", "null"]}, "5", 5),
        ({"type": ["integer", "null"]}, "null", None),
        ({"type": ["string", "integer"]}, "5", "5"),
        ({"type": 5}, "5", "5"),
        ({"anyOf": [INTEGER, NULL]}, "5", 5),
        ({"anyOf": [INTEGER, NULL]}, "None", None),
        ({"anyOf": [STRING, INTEGER]}, "5", "5"),
        ({"oneOf": [BOOLEAN, NUMBER]}, "true", True),
        ({"allOf": [INTEGER, {"minimum": 3}]}, "5", 5),
        ({"enum": [1, 2]}, "2", 2),
        ({"enum": ["1", "2"]}, "2", "2"),
        ({"const": 5}, "5", 5),
        ({"type": "array", "items": INTEGER}, ["1", "x", 3], [1, "x", 3]),
        ({"type": "array", "items": INTEGER}, '["1", "2"]', [1, 2]),
        ({"anyOf": [{"type": "array", "items": INTEGER}, NULL]}, '["1"]', [1]),
        ({"anyOf": [{"type": "array", "items": INTEGER}, ARRAY]}, ["1"], ["1"]),
        ({"$ref": "#/$defs/Size"}, '{"w": "3", "note": "4"}', {"w": 3, "note": "4"}),
        ({"type": "array", "items": {"$ref": "#/$defs/Size"}}, [{"w": "3"}], [{"w": 3}]),
        ({"$ref": "#/$defs/Loop"}, "5", "5"),
        ({"$ref": "#/$defs/Nowhere"}, "5", "5"),
        ({"$ref": "other.json"}, "5", "5"),
    ],
)
def test_a_value(schema: Any, value: Any, made: Any) -> None:
    becomes = mended(value, schema)
    assert (becomes, type(becomes)) == (made, type(made))


@pytest.mark.parametrize(
    ("schema", "value", "made"),
    [
        (STRING, None, "gone"),
        (STRING, "null", "null"),
        (INTEGER, None, "gone"),
        (INTEGER, "null", "gone"),
        (INTEGER, "None", "gone"),
        ({"anyOf": [INTEGER, NULL]}, None, None),
        ({"type": ["string", "null"]}, None, None),
        ({}, None, None),
        (OBJECT, None, "gone"),
    ],
)
def test_an_optional_argument_that_says_nothing(schema: Any, value: Any, made: Any) -> None:
    assert mended(value, schema, required=False) == made
    assert mended(value, schema) == (value if made == "gone" else made)


def test_nulls_deeper_down_and_of_no_known_argument() -> None:
    item = {"type": "object", "properties": {"b": STRING, "c": STRING}, "required": ["b"]}
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": item}}}
    repairs: Counter[str] = Counter()
    given = {"a": [{"b": None, "c": None}, {"b": "x"}], "new": None, "other": 1}
    assert json.loads(mend(json.dumps(given), schema, repairs)) == {"a": [{"b": None}, {"b": "x"}], "other": 1}
    assert repairs == {Repair.NULL: 2}
    assert mend('{"a": null}', {}, repairs) == '{"a": null}'


@pytest.mark.parametrize(
    "schema", [{}, {"properties": 5}, {"properties": {"a": 5}}, {"required": 5}, {"type": "array"}]
)
def test_a_schema_that_says_little(schema: Any) -> None:
    assert mend('{"a": "5", "b": null}', schema, Counter()) in ('{"a": "5", "b": null}', '{"a":"5"}')


def test_what_is_right_stays_byte_for_byte() -> None:
    given = '{ "command" : "ls",\n "timeout":5e0 , "x": 1.50, "command": "pwd" }'
    assert mend(given, TOOLS[0].schema, Counter()) == given


def test_nesting_without_an_end_is_no_json() -> None:
    for deep in ("[" * 100_000, '{"a":' * 100_000, '{"a":' + "[" * 20_000 + "]" * 20_000 + "}"):
        assert mend(deep, TOOLS[0].schema, Counter()) == deep


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=5)
    | st.sampled_from(["5", "true", "null", "[1]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
schemas = st.recursive(
    st.sampled_from([STRING, INTEGER, NUMBER, BOOLEAN, NULL, ARRAY, OBJECT, {}, {"enum": ["a", 1]}]),
    lambda inner: (
        st.fixed_dictionaries({"type": st.just("array"), "items": inner})
        | st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from("abc"), inner)}
        )
        | st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)})
    ),
    max_leaves=6,
)


@property_test
@given(st.dictionaries(st.sampled_from("abc"), values, max_size=3), st.dictionaries(st.sampled_from("abc"), schemas))
def test_mending_twice_is_mending_once(value: dict[str, Any], properties: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": properties}
    once = mend(json.dumps(value), schema, Counter())
    again: Counter[str] = Counter()
    assert mend(once, schema, again) == once
    assert not again
    assert json.loads(once).keys() <= value.keys()


def test_what_fits() -> None:
    schema = TOOLS[0].schema
    assert fits('{"command": "ls"}', schema)
    assert fits('{"anything": 1}', {})
    assert not fits('{"timeout": 5}', schema)
    assert not fits('{"command": "ls", "new": 1}', schema)
    assert not fits("[]", {})


def test_names_of_tools() -> None:
    tools = [Tool(name, "", {}) for name in ("Bash", "read", "Read", "mcp__a__b", "ß")]
    declared = Declared(tools, {"long_1234": "mcp a long name"})
    found = {name: declared.find(name) for name in ("Bash", "bASH", "READ", "Read", "functions.bash", "SS", "Grep", "")}
    assert found == {
        "Bash": "Bash",
        "bASH": "Bash",
        "READ": "",  # two tools differ by their case only
        "Read": "Read",
        "functions.bash": "Bash",
        "SS": "ß",
        "Grep": "",
        "": "",
    }
    assert declared.find("long_1234") == declared.find("LONG_1234") == "mcp a long name"
    assert declared.schema("Grep") == {}
