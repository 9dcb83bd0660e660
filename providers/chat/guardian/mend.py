"""Arguments of tool calls, made what their JSON Schema wants. Pure.

Only what a model surely meant is changed: text that stands for a number, a boolean, an object or a list where the
schema wants no text, and a null where an argument may as well be left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from providers.chat.guardian.repairs import Repair
from providers.json_object import NotJson, decode, encode

Schema = Mapping[str, Any]

_DEEPEST = 32  # levels of a schema that are followed
_SCALAR = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,2})?")
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None, "none": None}
_ANY = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})


def mend(arguments: str, schema: Schema, repairs: Counter[str]) -> str:
    """A call's JSON text, repaired; as it came where nothing is wrong, or where it is no JSON object."""
    if not arguments.strip():
        repairs[Repair.EMPTY_ARGUMENTS] += 1
        return "{}"
    value = _decoded(arguments)
    if value is None:
        repairs[Repair.EMPTY_ARGUMENTS] += 1
        return "{}"
    if isinstance(value, str) and isinstance(inner := _decoded(value), dict):
        repairs[Repair.ENCODED_ARGUMENTS] += 1
        arguments, value = value, inner
    if not isinstance(value, dict):
        return arguments
    mending = _Mending(schema)
    mended = mending.value(value, schema, 0)
    repairs.update(mending.repairs)
    return encode(mended).decode() if mending.repairs else arguments


def fits(arguments: str, schema: Schema) -> bool:
    """Whether an object has all that its schema requires, and nothing that it does not know."""
    value, known = _decoded(arguments), schema.get("properties")
    if not isinstance(value, dict) or lacks(value, schema):
        return False
    return not isinstance(known, dict) or value.keys() <= known.keys()


def lacks(value: Mapping[str, Any], schema: Schema) -> bool:
    """Whether a member is missing that the schema requires."""
    required = schema.get("required")
    return isinstance(required, list) and any(name not in value for name in required)


def wants_text(schema: Any, root: Schema) -> bool:
    """Whether a string is a right value; True where the schema says nothing of types."""
    return "string" in _types(schema, root, 0)


def properties(schema: Schema) -> Mapping[str, Any]:
    known = schema.get("properties")
    return known if isinstance(known, dict) else {}


class _Mending:
    """One object's repairs. ``root`` is where the schema's references begin."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self.repairs: Counter[str] = Counter()

    def value(self, value: Any, schema: Any, depth: int) -> Any:
        schema = _resolved(schema, self._root)
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return value
        if isinstance(value, str):
            value = self._meant(value, _types(schema, self._root, 0))
        if isinstance(value, dict):
            return self._object(value, _option(schema, "object", self._root), depth)
        if isinstance(value, list):
            items = _option(schema, "array", self._root).get("items")
            return [self.value(item, items, depth + 1) for item in value] if isinstance(items, dict) else value
        return value

    def _meant(self, text: str, wanted: frozenset[str]) -> Any:
        if "string" in wanted:
            return text
        meant = _read(text.strip(), wanted)
        if isinstance(meant, str):
            return text
        self.repairs[Repair.VALUE] += 1
        return meant

    def _object(self, value: dict[str, Any], schema: Schema, depth: int) -> dict[str, Any]:
        known, needed = properties(schema), schema.get("required")
        required = needed if isinstance(needed, list) else ()
        made = {}
        for name, member in value.items():
            wanted = known.get(name)
            if known and name not in required and self._says_nothing(member, wanted):
                self.repairs[Repair.NULL] += 1
                continue
            made[name] = self.value(member, wanted, depth + 1)
        return made

    def _says_nothing(self, value: Any, schema: Any) -> bool:
        """Whether a value is null, or text that means it, and the schema takes neither."""
        text = isinstance(value, str) and value.strip().casefold() in ("null", "none")
        types = _types(schema, self._root, 0) if schema is not None else frozenset({"string"})
        return "null" not in types and (value is None or (text and "string" not in types))


def _read(text: str, wanted: frozenset[str]) -> Any:
    """What the text stands for among the wanted types; the text itself where it is none of them."""
    value: Any = text
    if text[:1] in ("{", "["):
        value = _decoded(text)
    elif text.casefold() in _WORDS:
        value = _WORDS[text.casefold()]
    elif _SCALAR.fullmatch(text):
        value = _decoded(text)
    if isinstance(value, float) and value.is_integer() and "number" not in wanted:
        value = int(value)
    return value if _type_of(value) & wanted else text


def _type_of(value: Any) -> frozenset[str]:
    match value:
        case None:
            return frozenset({"null"})
        case bool():
            return frozenset({"boolean"})
        case int():
            return frozenset({"integer", "number"})
        case float():
            return frozenset({"number"})
        case dict():
            return frozenset({"object"})
        case list():
            return frozenset({"array"})
    return frozenset()


def _types(schema: Any, root: Schema, depth: int) -> frozenset[str]:
    """The types that a schema allows; all of them where it does not say."""
    schema = _resolved(schema, root)
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return _ANY
    kind = schema.get("type")
    if isinstance(kind, str | list):
        return frozenset([kind] if isinstance(kind, str) else [each for each in kind if isinstance(each, str)])
    for several in ("anyOf", "oneOf"):
        if isinstance(options := schema.get(several), list):
            return frozenset().union(*(_types(option, root, depth + 1) for option in options))
    if isinstance(parts := schema.get("allOf"), list):
        return _ANY.intersection(*(_types(part, root, depth + 1) for part in parts))
    values = schema["enum"] if isinstance(schema.get("enum"), list) else [schema["const"]] if "const" in schema else []
    return frozenset().union(*(_type_of(each) or {"string"} for each in values)) if values else _ANY


def _option(schema: Schema, kind: str, root: Schema) -> Schema:
    """The one alternative of a schema that says more of this type; an empty one where several do."""
    options = next((schema[several] for several in ("anyOf", "oneOf") if isinstance(schema.get(several), list)), None)
    if options is None:
        return schema
    found = [each for each in (_resolved(option, root) for option in options) if kind in _types(each, root, 0)]
    return found[0] if len(found) == 1 and isinstance(found[0], dict) else {}


def _resolved(schema: Any, root: Schema) -> Any:
    """The schema that a local ``$ref`` names."""
    for _ in range(_DEEPEST):
        if not isinstance(schema, dict) or not isinstance(path := schema.get("$ref"), str):
            return schema
        schema = root
        for step in path.removeprefix("#").strip("/").split("/"):
            schema = schema.get(step) if isinstance(schema, dict) and step else schema
    return None


def _decoded(text: str) -> Any:
    """The JSON value, "" for what is none."""
    try:
        return decode(text.encode("utf-8", "replace"))
    except NotJson:
        return ""
