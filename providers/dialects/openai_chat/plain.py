"""The chunk that nearly every chunk is, read fast: a piece of text or of reasoning, with counts at most. Pure."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class PlainDelta(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What upstreams write beside a piece, where it says nothing."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    role: Literal["assistant"] | None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None
    audio: None = None


class _Choice(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    delta: PlainDelta
    index: int = 0
    logprobs: None = None
    finish_reason: None = None
    native_finish_reason: None = None
    stop_reason: None = None
    matched_stop: None = None
    token_ids: None = None


class _Fine(msgspec.Struct, gc=False):
    status_code: Literal[0]


class PlainChunk(msgspec.Struct, gc=False):
    choices: tuple[_Choice]
    usage: dict[str, Any] | None = None
    error: None = None
    x_groq: None = None
    base_resp: _Fine | None = None


_decode = msgspec.json.Decoder(PlainChunk).decode


def plain_chunk(frame: bytes) -> PlainChunk | None:
    """A chunk that holds nothing else; None where it has to be looked at more closely."""
    if not frame.startswith(b"data: {") or frame.find(b"\n") != len(frame) - 2 or b"\r" in frame:
        return None
    try:
        return _decode(frame[6:])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
