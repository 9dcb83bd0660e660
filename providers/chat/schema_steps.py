"""Steps of cleaning a JSON Schema: each takes one node and gives it back as some upstream takes it. Pure.

A node that needs nothing comes back as it is; none is changed in place, and a second time changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.json_object import encode

Json = dict[str, Any]

_TYPES = ("string", "number", "integer", "boolean", "object", "array")
_FITS = {
    "object": ("properties", "required", "minProperties", "maxProperties"),
    "array": ("items", "minItems", "maxItems"),
    "string": ("pattern", "minLength", "maxLength", "enum", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "format"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "format"),
}
_FORMATS = {"string": ("enum", "date-time"), "number": ("float", "double"), "integer": ("int32", "int64")}
_ONE_TYPES = frozenset(word for words in _FITS.values() for word in words)
_JSON_TYPES = ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "number"), (list, "array"))


def without(node: Json, *keywords: str) -> Json:
    """A copy."""
    return {keyword: value for keyword, value in node.items() if keyword not in keywords}


def pointed(root: Json, reference: Any) -> Json | None:
    """What ``#/$defs/Name`` points to; None where that is nothing of this schema."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> Json:
    """Both schemas at once, as near as one can say it: properties of both, and else the first one's word."""
    made = {**second, **first}
    for keyword, both in _JOINED.items():
        if keyword in first and keyword in second:
            made[keyword] = both(first[keyword], second[keyword])
    return made


def _properties(first: Any, second: Any) -> Any:
    if not isinstance(first, dict) or not isinstance(second, dict):
        return first if isinstance(first, dict) else second
    made = {**first, **second}
    for name in first.keys() & second.keys():
        one, other = first[name], second[name]
        made[name] = joined(one, other) if isinstance(one, dict) and isinstance(other, dict) else one
    return made


def _listed(first: Any, second: Any) -> Any:
    if not isinstance(first, list) or not isinstance(second, list):
        return first if isinstance(first, list) else second
    return [*first, *(each for each in second if each not in first)]


_JOINED = {
    "properties": _properties,
    "$defs": _properties,
    "definitions": _properties,
    "required": _listed,
    "anyOf": _listed,
    "oneOf": _listed,
    "allOf": _listed,
}


def alternatives(node: Json, keyword: str) -> list[Json]:
    """The alternatives that say something."""
    value = node.get(keyword)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def object_on_top(node: Json) -> Json:
    """An object: what the alternatives have becomes its own, and nothing of it is required but what all require."""
    if (found := pointed(node, node.get("$ref"))) is not None:
        node = joined(without(node, "$ref"), found)
    unions = [*alternatives(node, "anyOf"), *alternatives(node, "oneOf")]
    made = without(node, "anyOf", "oneOf", "allOf", "enum", "not")
    for branch in alternatives(node, "allOf"):
        made = joined(made, branch)
    for branch in unions:
        made = joined(made, without(branch, "required"))
    made = without(made, "anyOf", "oneOf", "allOf", "enum", "not")
    if made.get("type") == "object" and "properties" in made:
        return made
    return {**made, "type": "object", "properties": made.get("properties", {})}


def with_items(node: Json) -> Json:
    """A list says what it holds, if only "anything"."""
    kind = node.get("type")
    lists = kind == "array" or (isinstance(kind, list) and "array" in kind)
    return {**node, "items": {}} if lists and "items" not in node and "prefixItems" not in node else node


def without_one_of(node: Json) -> Json:
    if "oneOf" not in node:
        return node
    return {**without(node, "oneOf"), "anyOf": [*alternatives(node, "anyOf"), *alternatives(node, "oneOf")]}


def without_tuples(node: Json) -> Json:
    """A list whose places have schemas of their own is a list of any of these."""
    items = node.get("items")
    places = [*(items if isinstance(items, list) else ()), *alternatives(node, "prefixItems")]
    if not places and not isinstance(items, list):
        return without(node, "prefixItems") if "prefixItems" in node else node
    rest = [items] if isinstance(items, dict) else []
    kinds = [each for each in [*places, *rest] if isinstance(each, dict)]
    single = kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}
    return {**without(node, "prefixItems"), "items": single}


def one_type(node: Json) -> Json:
    """Several types are several schemas, and null among them is a mark."""
    types = node.get("type")
    if not isinstance(types, list):
        return node
    kinds = [kind for kind in types if kind in _TYPES]
    made = without(node, "type") | ({"nullable": True} if "null" in types else {})
    if len(kinds) < 2 or "anyOf" in node:
        return {**made, "type": kinds[0]} if len(kinds) == 1 else made
    shared = {keyword: value for keyword, value in made.items() if keyword not in _ONE_TYPES}
    own = [
        {"type": kind} | {keyword: made[keyword] for keyword in _FITS.get(kind, ()) if keyword in made}
        for kind in kinds
    ]
    return {**shared, "anyOf": own}


def const_as_enum(node: Json) -> Json:
    if "const" not in node:
        return node
    return {**without(node, "const"), "enum": [node["const"]]}


def inclusive_bounds(node: Json) -> Json:
    """One further for whole numbers; for others the bound itself, which is as near as it gets."""
    for keyword, bound, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
        if keyword not in node:
            continue
        value = node[keyword]
        node = without(node, keyword)
        if isinstance(value, int | float) and not isinstance(value, bool) and bound not in node:
            whole = node.get("type") == "integer" and isinstance(value, int)
            node = {**node, bound: value + step if whole else value}
    return node


def text_enums(node: Json) -> Json:
    """Only texts can be listed; other values are named in the description."""
    values = node.get("enum")
    if "enum" not in node or not isinstance(values, list):
        return without(node, "enum") if "enum" in node else node
    texts = [value for value in values if isinstance(value, str) and value]
    made = {**without(node, "enum"), "nullable": True} if None in values else without(node, "enum")
    others = [value for value in values if not isinstance(value, str) and value is not None]
    if texts and not others:
        return {**made, "type": "string", "enum": texts}
    if not others:
        return made
    if "type" not in made:
        made["type"] = _type_of(others[0])
    listed = ", ".join(encode(value).decode() for value in (*texts, *others))
    said = made.get("description")
    return {**made, "description": f"{said} One of: {listed}." if isinstance(said, str) else f"One of: {listed}."}


def _type_of(value: Any) -> str:
    return next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "object")


def nullable(node: Json) -> Json:
    """An alternative that is null is a mark on the others."""
    branches = alternatives(node, "anyOf")
    kept = [branch for branch in branches if branch.get("type") != "null"]
    if len(kept) == len(branches):
        if node.get("type") != "null":
            return node
        return {**without(node, "type"), "nullable": True}
    return {**without(node, "anyOf"), "nullable": True} | ({"anyOf": kept} if kept else {})


def union_alone(node: Json) -> Json:
    """What stands beside alternatives moves into each of them; words about the whole into the first."""
    if "anyOf" not in node:
        return node
    branches = alternatives(node, "anyOf")
    beside = without(node, "anyOf", "description", "title", "type" if branches else "")
    if branches and "type" in node:
        branches = [branch if _says_type(branch) else {"type": node["type"], **branch} for branch in branches]
    said: Json = {word: node[word] for word in ("title", "description") if word in node}
    if len(branches) < 2:
        return joined({**beside, **said}, branches[0] if branches else {})
    branches = [joined(branch, beside) for branch in branches] if beside else branches
    if said:
        branches = [joined(branches[0], said), *branches[1:]]
    return {"anyOf": branches}


def _says_type(node: Json) -> bool:
    return bool({"type", "anyOf", "oneOf", "allOf", "$ref", "enum", "const"} & node.keys())


def typed(node: Json) -> Json:
    """One type, the one that its keywords imply where none is named; and no keywords of other types."""
    if "anyOf" in node:
        return node
    kind = _implied(node)
    fits = _FITS.get(kind, ())
    foreign = [keyword for keyword in node if keyword in _ONE_TYPES and keyword not in fits]
    made = {**without(node, *foreign), "type": kind}
    if kind == "array" and not isinstance(made.get("items"), dict):
        made["items"] = {"type": "string"}
    return made if _properties_of(made) else without(made, "properties")


def _properties_of(node: Json) -> Json:
    found = node.get("properties")
    return found if isinstance(found, dict) else {}


def _implied(node: Json) -> str:
    if _properties_of(node):
        return "object"
    if node.get("type") in _TYPES:
        return str(node["type"])
    if "items" in node:
        return "array"
    return "number" if "minimum" in node or "maximum" in node else "string"


def known_formats(node: Json) -> Json:
    known = _FORMATS.get(node.get("type", ""), ())
    return node if "format" not in node or node["format"] in known else without(node, "format")


def required_that_exist(node: Json) -> Json:
    if "required" not in node:
        return node
    known = _properties_of(node)
    names = node["required"] if isinstance(node["required"], list) else []
    kept = [name for name in names if isinstance(name, str) and name in known]
    return {**node, "required": kept} if kept else without(node, "required")


def type_in_union(node: Json) -> Json:
    """A type beside alternatives belongs to each that names none."""
    if "anyOf" not in node or "type" not in node:
        return node
    kind = node["type"]
    branches = [branch if _says_type(branch) else {"type": kind, **branch} for branch in alternatives(node, "anyOf")]
    return {**without(node, "type"), "anyOf": branches}


def typed_enum(node: Json) -> Json:
    values = node.get("enum")
    if "type" in node or not isinstance(values, list) or not values:
        return node
    kinds = {_type_of(value) for value in values if value is not None}
    return {**node, "type": kinds.pop()} if len(kinds) == 1 else node


def whole_patterns(node: Json) -> Json:
    """A pattern that does not span the text from ^ to $ is a word in the description."""
    pattern = node.get("pattern")
    if not isinstance(pattern, str) or (pattern.startswith("^") and pattern.endswith("$")):
        return node
    said = node.get("description")
    words = f"Matches the pattern {pattern}"
    return {**without(node, "pattern"), "description": f"{said} {words}" if isinstance(said, str) else words}
