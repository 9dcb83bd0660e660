"""A Responses client's tools as functions, which every upstream has, and their calls as the client knows them. Pure.

A custom tool, whose input is text in no form or in a grammar's, becomes a function of one string. The tools of a
namespace become functions that carry its name. Tools that OpenAI itself runs exist nowhere else and are lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.chat import unread
from providers.chat.request import Tool
from providers.json_object import NotJson, decode, encode

_OF_TOOL = frozenset({"type", "name", "description", "parameters", "strict", "format"})
INPUT = "input"  # the one member of a custom tool's arguments
_ANYTHING: Mapping[str, Any] = {"type": "object", "properties": {}}
_ONE_TEXT: Mapping[str, Any] = {
    "type": "object",
    "properties": {INPUT: {"type": "string"}},
    "required": [INPUT],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Origin:
    """A tool as its client named it."""

    name: str
    namespace: str = ""
    custom: bool = False


class Toolbox:
    """``tools`` are the request's, as functions; ``lost`` names what could not be one."""

    def __init__(self, given: Any) -> None:
        self.lost: list[str] = []
        self._functions: dict[str, Tool] = {}
        self._origins: dict[str, Origin] = {}
        self._names: dict[tuple[str, str], str] = {}
        for tool in given or ():
            if tool["type"] == "namespace":
                for inner in tool["tools"]:
                    self._add(inner, tool["name"])
            else:
                self._add(tool, "")

    @property
    def tools(self) -> tuple[Tool, ...]:
        return tuple(self._functions.values())

    def only(self, allowed: Any) -> tuple[Tool, ...]:
        """The tools that a list of ``{"type": "function", "name": ...}`` allows."""
        chosen = {self.function_name(each.get("name"), each.get("namespace")) for each in allowed if _named(each)}
        return tuple(tool for name, tool in self._functions.items() if name in chosen)

    def origin(self, name: str) -> Origin:
        """The tool that a model called by this function's name."""
        return self._origins.get(name) or Origin(name)

    def function_name(self, name: Any, namespace: Any = None) -> str:
        """The function that a tool became, also one that is no longer among the tools."""
        own, space = name if isinstance(name, str) else "", namespace if isinstance(namespace, str) else ""
        known = self._names.get((space, own)) or self._names.get(("", own))
        return known or _joined(space, own)

    def _add(self, tool: Mapping[str, Any], namespace: str) -> None:
        kind = tool["type"]
        if kind not in ("function", "custom"):
            self.lost.append(f"tools.{kind}")
            return
        unread.note(tool, _OF_TOOL, f"tools.{kind}", self.lost)
        name = _joined(namespace, tool["name"])
        while name in self._functions:
            name += "_"
        self._names[namespace, tool["name"]] = name
        self._origins[name] = Origin(tool["name"], namespace, kind == "custom")
        self._functions[name] = _function(name, tool) if kind == "function" else self._custom(name, tool)

    def _custom(self, name: str, tool: Mapping[str, Any]) -> Tool:
        described = _text(tool.get("description"))
        form = tool.get("format")
        if isinstance(form, dict) and form.get("type") == "grammar":
            self.lost.append("tools.custom.format")
            described += f"\n\nThe input must follow this grammar:\n{_text(form.get('definition'))}"
        return Tool(name, described.strip(), _ONE_TEXT)


def arguments_of(text: str) -> str:
    """A custom tool's input as the arguments of its function."""
    return encode({INPUT: text}).decode()


def input_of(arguments: str) -> str:
    """A custom tool's input out of its function's arguments; all of them where the model made something else."""
    try:
        value = decode(arguments.encode("utf-8", "replace"))
    except NotJson:
        return arguments
    found = value.get(INPUT) if isinstance(value, dict) else None
    return found if isinstance(found, str) else arguments


def _function(name: str, tool: Mapping[str, Any]) -> Tool:
    strict = tool.get("strict")
    schema = tool.get("parameters") or _ANYTHING
    return Tool(name, _text(tool.get("description")), schema, strict if isinstance(strict, bool) else None)


def _joined(namespace: str, name: str) -> str:
    if not namespace:
        return name
    return namespace + name if namespace.endswith("__") else f"{namespace}__{name}"


def _named(each: Any) -> bool:
    return isinstance(each, dict) and each.get("type") in ("function", "custom") and isinstance(each.get("name"), str)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
