"""The chunk that nearly every chunk is, read fast: text, and nothing else that says anything. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec


class _Delta(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    content: str
    role: Literal["assistant"] | None = None
    refusal: None = None


class _Choice(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    delta: _Delta
    index: int = 0
    logprobs: None = None
    finish_reason: None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: tuple[_Choice]
    usage: None = None
    error: None = None
    x_groq: None = None


_decode = msgspec.json.Decoder(_Chunk).decode


def plain_text(frame: bytes) -> str:
    """The text of a chunk that holds nothing else; "" where it has to be looked at more closely."""
    if not frame.startswith(b"data: {") or frame.find(b"\n") != len(frame) - 2 or b"\r" in frame:
        return ""
    try:
        return _decode(frame[6:]).choices[0].delta.content
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
