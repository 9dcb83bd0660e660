"""Tools' schemas as each profile has them: golden files, and what holds for any schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.chat.schemas import MAX_DEPTH, PROFILES, bare, clean
from tests.providers.support import property_test

Json = dict[str, Any]
FOLDER = Path(__file__).parents[2] / "wire" / "schemas"
GOLDEN = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
NAMES = sorted(PROFILES)
each_profile = pytest.mark.parametrize("profile", NAMES)
MAPS = ("properties", "patternProperties", "$defs", "definitions")
LISTS = ("anyOf", "oneOf", "allOf")
FITS = {"string": ("enum", "date-time"), "number": ("float", "double"), "integer": ("int32", "int64")}


@pytest.mark.parametrize("golden", GOLDEN.values(), ids=GOLDEN)
@each_profile
def test_the_golden_files(golden: Json, profile: str) -> None:
    made, lossy = clean(golden["schema"], profile)
    assert made == golden[profile]["schema"]
    assert lossy is golden[profile]["lossy"]
    assert list(json.dumps(made)) == list(json.dumps(golden[profile]["schema"])), "the order is kept"


def test_a_row_without_a_profile_is_sent_what_the_client_wrote() -> None:
    for golden in GOLDEN.values():
        assert clean(golden["schema"], "") == (golden["schema"], False)


def nodes(schema: Any) -> Iterator[Any]:
    """Whatever stands where a schema can stand."""
    yield schema
    if not isinstance(schema, dict):
        return
    for word in MAPS:
        for each in schema[word].values() if isinstance(schema.get(word), dict) else ():
            yield from nodes(each)
    for word in LISTS:
        for each in schema[word] if isinstance(schema.get(word), list) else ():
            yield from nodes(each)
    for word in ("items", "not"):
        if word in schema:
            yield from nodes(schema[word])


def gemini(node: Any) -> bool:
    """https://ai.google.dev/api/caching#Schema"""
    known = {"type", "format", "title", "description", "nullable", "enum", "anyOf", "items", "properties", "required"}
    known |= {"minItems", "maxItems", "minLength", "maxLength", "pattern", "minimum", "maximum"}
    if not isinstance(node, dict) or not set(node) <= known:
        return False
    if "anyOf" in node:
        return set(node) == {"anyOf"} and len(node["anyOf"]) > 1
    kind = node.get("type")
    return (
        kind in ("string", "number", "integer", "boolean", "object", "array")
        and ("items" in node) is (kind == "array")
        and ("enum" not in node or (kind == "string" and all(isinstance(value, str) for value in node["enum"])))
        and ("properties" not in node or kind == "object")
        and set(node.get("required", ())) <= set(node.get("properties", ()))
        and ("format" not in node or node["format"] in FITS.get(kind, ()))
    )


def openai(node: Any) -> bool:
    return not isinstance(node, dict) or node.get("type") != "array" or "items" in node or "prefixItems" in node


def moonshot(node: Any) -> bool:
    if not isinstance(node, dict):
        return True
    return "$ref" not in node and not ("anyOf" in node and "type" in node)


def llama_cpp(node: Any) -> bool:
    pattern = node.get("pattern") if isinstance(node, dict) else None
    return pattern is None or (pattern.startswith("^") and pattern.endswith("$"))


VALID = {
    "gemini": gemini,
    "llama_cpp": llama_cpp,
    "mistral": lambda node: not isinstance(node, dict) or not {"$id", "$schema", "additionalProperties"} & set(node),
    "moonshot": moonshot,
    "nim": lambda node: not isinstance(node, bool),
    "openai": openai,
}


def properties(schema: Any) -> set[str]:
    return {name for node in nodes(schema) if isinstance(node, dict) for name in node.get("properties", ())}


def meant(schema: Json) -> set[str]:
    """The properties of what stands in the schema, and of what it refers to."""
    written = {word: value for word, value in schema.items() if word != "$defs"}
    names = {node["$ref"].rpartition("/")[2] for node in nodes(written) if isinstance(node, dict) and "$ref" in node}
    return properties(written).union(*(properties(DEFS[name]) for name in names if name in DEFS))


def wholes(kind: str, inner: Any) -> Any:
    """Schemas of a kind, with what people write beside it."""
    words = st.fixed_dictionaries({}, optional={"description": st.just("Words."), "title": st.just("T")})
    kinds: dict[str, Any] = {
        "string": st.fixed_dictionaries(
            {},
            optional={
                "pattern": st.sampled_from(["a+", "^a+$"]),
                "format": st.sampled_from(["uri", "date-time"]),
                "enum": st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=3, unique=True),
                "const": st.just("a"),
            },
        ),
        "integer": st.fixed_dictionaries(
            {}, optional={"exclusiveMinimum": st.integers(0, 3), "enum": st.just([1, 2]), "const": st.just(3)}
        ),
        "number": st.fixed_dictionaries({}, optional={"exclusiveMaximum": st.just(1.5), "minimum": st.just(0)}),
        "array": st.fixed_dictionaries({}, optional={"items": inner, "minItems": st.just(1)}),
        "object": st.builds(
            lambda names, extra: {"properties": names, "required": list(names)[:1], **extra},
            st.dictionaries(st.sampled_from(list("abcde")), inner, max_size=3),
            st.fixed_dictionaries({}, optional={"additionalProperties": st.booleans() | inner}),
        ),
        "null": st.just({}),
    }
    typed: Any = st.sampled_from([kind, [kind, "null"]]) if kind != "null" else st.just(kind)
    return st.builds(lambda said, own, type_: {**said, "type": type_, **own}, words, kinds[kind], typed)


def unions(inner: Any) -> Any:
    word = st.sampled_from(LISTS)
    beside: Any = st.fixed_dictionaries({}, optional={"description": st.just("W"), "nullable": st.just(True)})
    some = st.lists(inner, min_size=1, max_size=3)
    return st.builds(lambda name, each, more: {name: each, **more}, word, some, beside)


KINDS = ("string", "integer", "number", "array", "object", "null")
LEAVES = st.booleans() | st.just({}) | wholes("string", st.just({})) | wholes("integer", st.just({}))
REFS = st.sampled_from([{"$ref": "#/$defs/One"}, {"$ref": "#/$defs/Loop", "description": "D"}, {"$ref": "#/nowhere"}])
INNER = st.recursive(
    LEAVES | REFS,
    lambda inner: st.one_of([*(wholes(kind, inner) for kind in KINDS), unions(inner)]),
    max_leaves=8,
)
DEFS = {
    "One": {"type": "object", "properties": {"one": {"type": ["string", "integer"]}}, "required": ["one", "gone"]},
    "Loop": {"type": "object", "properties": {"loop": {"$ref": "#/$defs/Loop"}, "list": {"type": "array"}}},
}
SCHEMAS = st.builds(lambda whole: {"$schema": "x", **whole, "$defs": DEFS}, wholes("object", INNER))


@each_profile
@property_test
@given(schema=SCHEMAS)
def test_any_schema_comes_out_valid_whole_and_settled(profile: str, schema: Json) -> None:
    before = json.dumps(schema)
    made, _ = clean(schema, profile)
    assert [node for node in nodes(made) if not VALID[profile](node)] == []
    assert clean(made, profile)[0] == made
    assert json.dumps(schema) == before
    assert meant(schema) <= properties(made)


@each_profile
def test_a_circle_and_a_bomb_of_references_end(profile: str) -> None:
    defs: Json = {f"n{at}": {"type": "object", "properties": {}} for at in range(40)}
    for at in range(39):
        defs[f"n{at}"]["properties"] = {side: {"$ref": f"#/$defs/n{at + 1}"} for side in ("left", "right")}
    made, _ = clean({"type": "object", "properties": {"top": {"$ref": "#/$defs/n0"}}, "$defs": defs}, profile)
    assert len(json.dumps(made)) < 2_000_000
    loop = {"type": "object", "properties": {"me": {"$ref": "#"}}}
    assert "me" in properties(clean(loop, profile)[0])


@each_profile
def test_a_schema_of_any_depth_is_cleaned(profile: str) -> None:
    schema: Any = {"type": "string"}
    for _ in range(2 * MAX_DEPTH):
        schema = {"type": "object", "properties": {"in": schema}}
    made, lossy = clean(schema, profile)
    assert "in" in properties(made)
    assert lossy


@each_profile
@pytest.mark.parametrize(
    "schema",
    [
        {"type": 5},
        {"properties": []},
        {"properties": {"a": None, "b": 7}},
        {"anyOf": {}, "enum": "x", "required": "y"},
        {"items": 3, "type": "array"},
        {"$ref": 5},
        {"allOf": [None, True]},
        {"type": ["nothing", None]},
        {"enum": []},
    ],
)
def test_what_is_no_schema_at_all_raises_nothing(profile: str, schema: Json) -> None:
    made, _ = clean(schema, profile)
    assert all(VALID[profile](node) for node in nodes(made))


def test_a_tool_without_parameters() -> None:
    assert bare({"type": "object"}, "gemini")
    assert not bare({"type": "object", "properties": {"a": {"type": "string"}}}, "gemini")
    assert not bare({"type": "object"}, "openai")


def test_every_profile_is_shown_and_checked() -> None:
    assert set(VALID) == set(PROFILES)
    assert all(golden["from"] for golden in GOLDEN.values())
