"""The demo's tool calls and JSON answers fit the schema they were asked for, and no schema is an accident."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.demo import answer


def asked(prompt: str, **members: Any) -> dict[str, Any]:
    return {"model": "demo", "max_tokens": 1000, "messages": [{"role": "user", "content": prompt}], **members}


def fits(schema: Any, value: Any) -> bool:
    """Does the value fit? Only as much of JSON Schema as Claude Code's tools use."""
    if any(key in schema for key in ("anyOf", "oneOf")):
        return any(fits(each, value) for each in schema.get("anyOf") or schema.get("oneOf"))
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    named = schema.get("type", [])
    types = [named] if isinstance(named, str) else named
    if types and not any(_is_a(each, value) for each in types):
        return False
    return _fits_inside(schema, value)


def _is_a(kind: str, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "string": isinstance(value, str),
        "integer": number and value == int(value) if number else False,
        "number": number,
        "boolean": isinstance(value, bool),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
        "null": value is None,
    }[kind]


def _fits_inside(schema: Any, value: Any) -> bool:
    if isinstance(value, dict):
        named = schema.get("properties", {})
        return set(schema.get("required", ())) <= set(value) and all(
            fits(named.get(key, {}), each) for key, each in value.items()
        )
    if isinstance(value, list):
        return len(value) >= int(schema.get("minItems", 0)) and all(
            fits(schema.get("items", {}), each) for each in value
        )
    if isinstance(value, str):
        return int(schema.get("minLength", 0)) <= len(value) <= int(schema.get("maxLength", 1000))
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        return bool(low <= value <= high and schema.get("exclusiveMinimum", value - 1) < value)
    return True


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


SCHEMAS = {
    "nothing": {},
    "no properties": an_object(),
    "of each type": an_object(
        s={"type": "string"}, i={"type": "integer"}, n={"type": "number"}, b={"type": "boolean"}, z={"type": "null"},
        a={"type": "array"}, o={"type": "object"}, any={}
    ),
    "nested": an_object(a=an_object(b=an_object(c={"type": "string"}))),
    "enum": an_object(a={"type": "string", "enum": ["x", "y"]}, b={"enum": [3]}),
    "const": an_object(a={"const": "x"}, b={"const": None}),
    "default": an_object(a={"type": "integer", "default": 7}),
    "several types": an_object(a={"type": ["string", "null"]}, b={"type": ["null", "integer"]}),
    "minimum": an_object(a={"type": "integer", "minimum": 5, "maximum": 9007199254740991}),
    "optional ones": {**an_object(a={"type": "string"}, b={"type": "integer"}), "required": ["b"]},
    "draft": {"$schema": "https://json-schema.org/draft/2020-12/schema", **an_object(a={"type": "string"})},
}  # fmt: skip
# What Claude Code's own tools and MCP servers use too.
HARDER = {
    "minItems": an_object(a={"type": "array", "items": an_object(q={"type": "string"}), "minItems": 1}),
    "anyOf": an_object(a={"anyOf": [{"type": "string"}, {"type": "null"}]}),
    "exclusiveMinimum": an_object(a={"type": "integer", "exclusiveMinimum": 1}),
    "maximum": an_object(a={"type": "integer", "maximum": 0}),
    "minLength": an_object(a={"type": "string", "minLength": 8}),
    "maxLength": an_object(a={"type": "string", "maxLength": 2}),
}


@pytest.mark.parametrize("schema", [*SCHEMAS.values(), *HARDER.values()], ids=[*SCHEMAS, *HARDER])
def test_a_call_fits_the_tools_schema(schema: dict[str, Any]) -> None:
    message = answer(asked("use the Odd_tool", tools=[{"name": "Odd_tool", "input_schema": schema}]), "t1")
    arguments = message["content"][1]["input"]
    assert isinstance(arguments, dict)
    assert fits(schema, arguments)
    assert set(arguments) == set(schema.get("required", ()))


@pytest.mark.parametrize("schema", [*SCHEMAS.values(), *HARDER.values()], ids=[*SCHEMAS, *HARDER])
def test_an_answer_fits_the_wanted_schema(schema: dict[str, Any]) -> None:
    message = answer(asked("hi", output_config={"format": {"type": "json_schema", "schema": schema}}), "t1")
    assert [block["type"] for block in message["content"]] == ["text"]
    assert fits(schema, json.loads(message["content"][0]["text"]))


def test_a_schema_without_a_bottom_ends() -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(2000):
        schema = an_object(a=schema)
    assert answer(asked("use the Odd_tool", tools=[{"name": "Odd_tool", "input_schema": schema}]), "t1")


ODD_SCHEMAS: list[Any] = [
    {"type": 7},
    {"type": []},
    {"type": [[]]},
    {"type": {}},
    {"enum": {"a": 1}},
    {"enum": "ab"},
    {"enum": 7},
    {"properties": {"a": {}}, "required": 7},
    {"properties": {"a": {}}, "required": "a"},
    {"properties": {"a": {}}, "required": [["a"], {}, None, "a"]},
    {"properties": {"a": 7}, "required": ["a"]},
    {"properties": [], "required": ["a"]},
    {"properties": {"a": {"enum": {}}}, "required": ["a"]},
    {"default": None},
]


@pytest.mark.parametrize("schema", ODD_SCHEMAS, ids=[json.dumps(schema) for schema in ODD_SCHEMAS])
def test_a_schema_that_is_none_is_no_accident(schema: Any) -> None:
    tool = {"name": "Odd_tool", "input_schema": {"type": "object", "properties": {"x": schema}, "required": ["x"]}}
    assert answer(asked("use the Odd_tool", tools=[tool]), "t1")["stop_reason"] == "tool_use"
    assert answer(asked("use the Odd_tool", tools=[{"name": "Odd_tool", "input_schema": schema}]), "t1")


@pytest.mark.parametrize("format_", [7, "json", [], {}, {"schema": []}, {"schema": None}, None])
def test_a_format_that_is_none_is_no_accident(format_: Any) -> None:
    message = answer(asked("hi", output_config={"format": format_}), "t1")
    assert [block["type"] for block in message["content"]] == ["text"]
