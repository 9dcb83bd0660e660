"""Whether strict modes take a schema: OpenAI's refuses the whole request for one that it does not. Pure."""

from __future__ import annotations

from typing import Any


def strictable(schema: Any) -> bool:
    """Whether every object in it closes its properties and requires all of them, as strict mode demands."""
    if isinstance(schema, list):
        return all(strictable(each) for each in schema)
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        named = list(properties) if isinstance(properties, dict) else []
        required = schema.get("required") or []
        if schema.get("additionalProperties") is not False or not isinstance(required, list):
            return False
        if len(required) != len(named) or any(name not in required for name in named):
            return False
    return all(strictable(value) for value in schema.values())
