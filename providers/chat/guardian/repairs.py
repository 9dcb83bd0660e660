"""What the guardian repairs, by name, and the tools that it may call. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from providers.chat.request import Tool


class Repair(StrEnum):
    """A kind of repair. The first ones are calls that were found in text, by the form that they had."""

    HERMES = "hermes"  # <tool_call>{json}</tool_call>, and <tools> for the tag
    QWEN_CODER = "qwen_coder"  # <function=name><parameter=key>value</parameter></function>
    GLM = "glm"  # <tool_call>name<arg_key>key</arg_key><arg_value>value</arg_value></tool_call>
    INVOKE = "invoke"  # <invoke name="..."><parameter name="...">, in <function_calls> or <minimax:tool_call> or bare
    DSML = "dsml"  # the same with DeepSeek's marks in the tags
    DEEPSEEK = "deepseek"  # <|tool_call_begin|> with DeepSeek's own bars and gaps
    MISTRAL = "mistral"  # [TOOL_CALLS]
    KIMI = "kimi"  # <|tool_call_begin|> with these
    LLAMA = "llama"  # <|python_tag|>{json}
    FENCED_JSON = "fenced_json"
    BARE_JSON = "bare_json"

    NAME = "name"  # the case of a tool's name, or a namespace before it
    VALUE = "value"  # an argument made the type that the schema wants
    NULL = "null"  # an optional argument that was null, dropped
    EMPTY_ARGUMENTS = "empty_arguments"  # made {}
    ENCODED_ARGUMENTS = "encoded_arguments"  # an object inside a JSON string
    CONTROL_CHARACTER = "control_character"  # a line break or the like, bare inside a JSON string
    UNCLOSED = "unclosed"  # an end that the model left out where what follows shows it
    DUPLICATE_ID = "duplicate_id"
    REPEATED_CALL = "repeated_call"  # sent properly after it had been found in the text
    STOP_REASON = "stop_reason"


@dataclass(frozen=True, slots=True)
class TextCall:
    """A call that was found in text. ``name`` is as declared, ``arguments`` the JSON text of an object."""

    name: str
    arguments: str
    repairs: tuple[Repair, ...]


class Declared:
    """The tools that a request declares."""

    __slots__ = ("_folded", "_names", "_schemas", "_tools")

    def __init__(self, tools: Iterable[Tool], aliases: Mapping[str, str] | None = None) -> None:
        """``tools`` are first looked at when a call comes, for most answers have none.

        ``aliases`` are the names that the upstream was told, for those that it was not told as they are.
        """
        self._tools: Iterable[Tool] | None = tools
        self._schemas: dict[str, Mapping[str, Any]] = {}
        self._names = dict(aliases or {})
        self._folded: dict[str, str] = {}  # "" where two names differ by their case only

    def _read(self, tools: Iterable[Tool]) -> None:
        self._tools = None
        self._schemas = {tool.name: tool.schema for tool in tools}
        self._names |= {name: name for name in self._schemas}
        for written, name in self._names.items():
            folded = written.casefold()
            self._folded[folded] = name if self._folded.get(folded, name) == name else ""

    def find(self, written: str) -> str:
        """The declared name that a model meant, "" where there is none."""
        if self._tools is not None:
            self._read(self._tools)
        for name in (written, written.rpartition("functions.")[2]):
            if found := self._names.get(name) or self._folded.get(name.casefold(), ""):
                return found
        return ""

    def schema(self, name: str) -> Mapping[str, Any]:
        """The JSON Schema of a declared tool's arguments; an empty one for any other."""
        if self._tools is not None:
            self._read(self._tools)
        return self._schemas.get(name, {})
