"""Tools' schemas, cleaned to what an upstream takes. Pure.

A profile is data: the steps that a schema goes through, each on its own node, and the keywords that may stay. No
step takes a property away. Which provider has which profile stands in its row; what each refuses, and where it says
so, stands beside the profiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from providers.chat import schema_steps as steps
from providers.chat.schema_steps import Json
from providers.json_object import decode, encode

MAX_DEPTH = 64  # levels that are looked into; what lies deeper may be anything
MAX_NODES = 20_000  # references that lead to references end here
MAX_ROUNDS = 8  # of the steps, on one node
KEPT = 512  # cleaned schemas

_MAPS = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems", "items")
_ONES = ("items", "not", "if", "then", "else", "contains", "propertyNames")
_OR_FLAGS = ("additionalProperties", "additionalItems", "unevaluatedItems", "unevaluatedProperties")

# A step that takes one of these away leaves the schema weaker.
_RESTRICT = frozenset({"enum", "pattern", "not"})
_RESTRICT_ALL = _RESTRICT | {"anyOf", "oneOf"}
# To remove one of these changes nothing that a tool could be called with.
_SAYS_NOTHING = frozenset(
    {
        *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "$vocabulary"),
        *("title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly"),
    }
)
_GOOGLES = frozenset(
    {
        *("type", "format", "title", "description", "nullable", "enum", "anyOf", "items", "properties", "required"),
        *("minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength", "pattern"),
        *("minimum", "maximum"),
    }
)


@dataclass(frozen=True, slots=True)
class Profile:
    """``booleans``, ``references`` and ``all_of`` say that it takes true and false for a schema, $ref, and allOf."""

    booleans: bool = True
    references: bool = True
    all_of: bool = True
    top: tuple[Callable[[Json], Json], ...] = ()  # steps of the outermost schema, before its others
    steps: tuple[Callable[[Json], Json], ...] = ()
    keywords: frozenset[str] = frozenset()  # the only ones that stay; none = all
    removed: frozenset[str] = frozenset()
    bare: bool = True  # takes an object without properties for a function's parameters


PROFILES: Mapping[str, Profile] = {
    # OpenAI's own words, in github.com/langchain-ai/langchainjs/issues/9804: "must have type 'object' and not have
    # 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level"; "array schema missing items" for the other.
    "openai": Profile(top=(steps.object_on_top,), steps=(steps.with_items,)),
    # Hosted NIM refuses true and false where a schema stands (claude-code-proxy).
    "nim": Profile(booleans=False),
    # Gemini's Schema has these keywords and no others; anyOf must be alone, enums are texts, every schema has one type
    # (ai.google.dev/api/caching#Schema; the refusals: github.com/zed-industries/zed/issues/44875).
    "gemini": Profile(
        booleans=False,
        references=False,
        all_of=False,
        steps=(
            steps.without_one_of,
            steps.without_tuples,
            steps.one_type,
            steps.const_as_enum,
            steps.inclusive_bounds,
            steps.text_enums,
            steps.nullable,
            steps.union_alone,
            steps.typed,
            steps.known_formats,
            steps.required_that_exist,
        ),
        keywords=_GOOGLES,
        bare=False,
    ),
    # "when using anyOf, type should be defined in anyOf items", "references must start with #/$defs/", and a bare enum
    # is refused: github.com/openJiuwen-ai/jiuwenswarm/issues/3942, github.com/CommandCodeAI/command-code/issues/594,
    # github.com/HaseebKhalid1507/SynapsCLI/pull/66.
    "moonshot": Profile(
        references=False,
        steps=(steps.type_in_union, steps.typed_enum),
        removed=frozenset({"$defs", "definitions"}),
    ),
    # As litellm 1.109.1 cleans them for Mistral.
    "mistral": Profile(removed=frozenset({"$id", "$schema", "additionalProperties"})),
    # A pattern without ^ and $ ends its grammar (llama.cpp, common/json-schema-to-grammar.cpp).
    "llama_cpp": Profile(steps=(steps.whole_patterns,)),
}


def clean(schema: Mapping[str, Any], profile: str) -> tuple[Json, bool]:
    """The schema as this profile takes it, and whether something that restricted it is gone.

    A client sends the same tools with every request, so the last ones are kept: what comes back is not to be changed.
    """
    return _clean(encode(schema), profile) if profile in PROFILES else (dict(schema), False)


@lru_cache(maxsize=KEPT)
def _clean(schema: bytes, profile: str) -> tuple[Json, bool]:
    cleaner = _Cleaner(PROFILES[profile], decode(schema))
    return cleaner.cleaned(), cleaner.lossy


def bare(schema: Mapping[str, Any], profile: str) -> bool:
    """An object that can only be empty, for an upstream that wants no parameters then."""
    rules = PROFILES.get(profile)
    return rules is not None and not rules.bare and not schema.get("properties") and "anyOf" not in schema


class _Cleaner:
    def __init__(self, profile: Profile, root: Json) -> None:
        self.lossy = False
        self._profile = profile
        self._root = root
        self._left = MAX_NODES

    def cleaned(self) -> Json:
        node = self._root
        for step in self._profile.top:
            node, before = step(node), node
            self.lossy |= not _RESTRICT_ALL.isdisjoint(before.keys() - node.keys())
        made: Json = self._node(node, 0, ())
        return made

    def _node(self, schema: Any, depth: int, opened: tuple[str, ...]) -> Any:
        """``opened`` are the references that led here."""
        self._left -= 1
        if isinstance(schema, bool) and self._profile.booleans:
            return schema
        if not isinstance(schema, dict) or depth > MAX_DEPTH:
            self.lossy |= schema is not True
            schema = {}
        node, opened = self._settled(schema, opened)
        return {
            keyword: self._inside(keyword, value, depth + 1, opened)
            for keyword, value in node.items()
            if self._stays(keyword)
        }

    def _settled(self, node: Json, opened: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
        """All steps, again while they find something: what one lays open may be work for another."""
        for _ in range(MAX_ROUNDS):
            before = node
            if not self._profile.references:
                node, opened = self._followed(node, opened)
            if not self._profile.all_of:
                node, opened = self._joined(node, opened)
            for step in self._profile.steps:
                node = self._stepped(node, step)
            if node is before or node == before:
                break
        return node, opened

    def _stepped(self, node: Json, step: Callable[[Json], Json]) -> Json:
        made = step(node)
        self.lossy |= made is not node and not _RESTRICT.isdisjoint(node.keys() - made.keys())
        return made

    def _stays(self, keyword: str) -> bool:
        keywords = self._profile.keywords
        if keyword not in self._profile.removed and (not keywords or keyword in keywords):
            return True
        self.lossy |= keyword not in _SAYS_NOTHING
        return False

    def _inside(self, keyword: str, value: Any, depth: int, opened: tuple[str, ...]) -> Any:
        if keyword in _MAPS and isinstance(value, dict):
            return {name: self._node(each, depth, opened) for name, each in value.items()}
        if keyword in _LISTS and isinstance(value, list):
            return [self._node(each, depth, opened) for each in value]
        if keyword in _ONES or (keyword in _OR_FLAGS and isinstance(value, dict)):
            return self._node(value, depth, opened)
        return value

    def _joined(self, node: Json, opened: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
        """All that holds at once, in one."""
        while "allOf" in node:
            parts = steps.alternatives(node, "allOf")
            node = steps.without(node, "allOf")
            for part in parts:
                found, opened = self._followed(part, opened)
                node = steps.joined(node, found)
        return node, opened

    def _followed(self, node: Json, opened: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
        """The schema that a reference names, with what stands beside it; a circle ends in any object."""
        while "$ref" in node:
            name = node["$ref"]
            beside = steps.without(node, "$ref")
            found = steps.pointed(self._root, name)
            if found is None or name in opened or self._left < 0:
                self.lossy = True
                return {"type": "object", **beside}, opened
            opened = (*opened, name)
            node = steps.joined(beside, found)
        return node, opened
