"""The shape of a sound Messages request, for one fast look at it. Pure.

What fits is sound by the rules of ``checks.py``, whose slower look is for saying what does not. Nothing is kept of
what is decoded, so that a body of thousands of values costs no objects that a collector has to walk.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class _Object(msgspec.Struct, gc=False):
    """Any object."""


class _Typed(msgspec.Struct, gc=False):
    type: str


class _Text(msgspec.Struct, gc=False, tag="text"):
    text: str


class _Image(msgspec.Struct, gc=False, tag="image"):
    source: _Object


class _Document(msgspec.Struct, gc=False, tag="document"):
    source: _Object


class _Thinking(msgspec.Struct, gc=False, tag="thinking"):
    thinking: str


class _Redacted(msgspec.Struct, gc=False, tag="redacted_thinking"):
    data: str


class _ToolUse(msgspec.Struct, gc=False, tag="tool_use"):
    id: str
    name: str
    input: _Object


class _ToolResult(msgspec.Struct, gc=False, tag="tool_result"):
    tool_use_id: str
    content: str | list[_Typed] | None = None


_Block = _Text | _Image | _Document | _Thinking | _Redacted | _ToolUse | _ToolResult


class _Message(msgspec.Struct, gc=False):
    role: Literal["user", "assistant", "system"]
    content: str | list[_Block]


class _System(msgspec.Struct, gc=False):
    type: str
    text: str


class _Tool(msgspec.Struct, gc=False):
    name: str = ""
    input_schema: _Object | None = None


class _Request(msgspec.Struct, gc=False):
    model: Annotated[str, msgspec.Meta(pattern=r"\S")]
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=0)] = 0
    system: str | list[_System] = ""
    stream: bool | None = None
    tools: list[_Tool] = []
    tool_choice: _Object | None = None
    thinking: _Object | None = None
    metadata: _Object | None = None
    output_config: _Object | None = None
    context_management: _Object | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None


_decode = msgspec.json.Decoder(_Request).decode


def is_sound(raw: bytes) -> bool:
    """Whether the body fits the shape; False says only that it has to be looked at."""
    try:
        _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
