"""What a Gemini answer is made of, as far as it is read. Pure.

A stream is a sequence of such chunks, a whole answer is one; asked without ``alt=sse``, an upstream sends a list of
them (ai.google.dev/api/generate-content, GenerateContentResponse, read 2026-11).
"""

from __future__ import annotations

import msgspec

from providers.chat.reader import Confused

_NONE = msgspec.Raw(b"null")  # where a member stays as it came, and has not come


class FunctionCall(msgspec.Struct, gc=False):
    """No id before Gemini 3."""

    name: str | None = None
    args: msgspec.Raw = _NONE
    id: str | None = None


class Blob(msgspec.Struct, rename="camel", gc=False):
    mime_type: str | None = None


class Part(msgspec.Struct, rename="camel", gc=False):
    """A piece of text or of a thought, a call, or a file. Any of them may be signed."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    inline_data: Blob | None = None


class Content(msgspec.Struct, gc=False):
    parts: list[Part] | None = None


class Candidate(msgspec.Struct, rename="camel", gc=False):
    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    grounding_metadata: msgspec.Raw = _NONE


class _Web(msgspec.Struct, gc=False):
    uri: str | None = None
    title: str | None = None


class _Source(msgspec.Struct, gc=False):
    web: _Web | None = None


class _Grounding(msgspec.Struct, rename="camel", gc=False):
    grounding_chunks: list[_Source] | None = None


class Feedback(msgspec.Struct, rename="camel", gc=False):
    block_reason: str | None = None


class Chunk(msgspec.Struct, rename="camel", gc=False):
    """``usage_metadata`` and ``error`` are left as they came: most are never looked at."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: msgspec.Raw = _NONE
    error: msgspec.Raw = _NONE

    @property
    def counts(self) -> bytes:
        """b"" where there are none."""
        return as_it_came(self.usage_metadata)

    @property
    def failed(self) -> bool:
        return bool(as_it_came(self.error))

    @property
    def says_nothing(self) -> bool:
        """No answer, and no word on why there is none."""
        return not (self.candidates or self.prompt_feedback or self.counts)


def sources(grounding: msgspec.Raw) -> list[dict[str, str]]:
    """The addresses that an answer rests on, by url and title."""
    try:
        chunks = _decode_grounding(grounding).grounding_chunks or []
    except _BROKEN:
        return []
    return [{"url": each.web.uri, "title": each.web.title or ""} for each in chunks if each.web and each.web.uri]


def as_it_came(member: msgspec.Raw) -> bytes:
    """The bytes of a member, b"" where it is null or not there."""
    raw = bytes(member)
    return b"" if raw == b"null" else raw


_decode_one = msgspec.json.Decoder(Chunk).decode
_decode_list = msgspec.json.Decoder(list[Chunk]).decode
_decode_grounding = msgspec.json.Decoder(_Grounding).decode
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def chunk(data: bytes) -> Chunk:
    """One chunk. Raises Confused."""
    try:
        return _decode_one(data)
    except _BROKEN as error:
        raise Confused("an event that is no chunk of an answer") from error


def chunks(body: bytes) -> list[Chunk]:
    """The chunks of a whole body. Raises Confused."""
    if not body.lstrip().startswith(b"["):
        return [chunk(body)]
    try:
        return _decode_list(body)
    except _BROKEN as error:
        raise Confused("a list that is no answer") from error
