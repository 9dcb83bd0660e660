"""What a client's history holds of earlier answers that its upstream would refuse, taken out of the bytes. Pure.

Claude Code sends every block back that it was shown: thoughts whose signatures are ours, and the empty text block that
``waiting`` sends while there is no answer (observed with 2.1.197, 2026-11-20). Anthropic's API refuses an empty text
block with 400. Ids of calls can carry the signature of another upstream (``providers.chat.marks``). Calls of server
tools that the gateway answered, or another upstream, and their results become text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from providers.chat.marks import ID_MARK, SERVED
from providers.chat.request import OURS
from providers.chat.unseen import UNSEEN
from providers.dialects.anthropic.server_blocks import FAMILIES, RESULTS, as_text
from providers.hosting import USE
from providers.json_object import JsonObject, decode, elements, encode

_EMPTY = re.compile(rb'"text": ?""')  # in both ways in which clients write JSON
_MARK = f'"{OURS}'.encode()
_SIGNED_ID = ID_MARK.encode()
_FOREIGN = re.compile(rb"keyturn[:-]")  # in both marks
_SERVED_ID = re.compile(SERVED.encode())
_SERVED = re.compile(rb'"(?:server_tool_use|web_(?:search|fetch)_tool_result)"')
_IMAGE = re.compile(rb'"image"')
_UNSIGNED = re.compile(rb'"signature": ?""')
_PLACEHOLDER = b'[{"type":"text","text":"(a thought)"}]'  # a message's content may not be empty


class _Block(msgspec.Struct, gc=False):
    type: msgspec.Raw = msgspec.Raw()
    text: msgspec.Raw = msgspec.Raw()
    signature: msgspec.Raw = msgspec.Raw()
    id: msgspec.Raw = msgspec.Raw()
    tool_use_id: msgspec.Raw = msgspec.Raw()


class _Message(msgspec.Struct, gc=False):
    role: msgspec.Raw = msgspec.Raw()
    content: msgspec.Raw = msgspec.Raw()


_message = msgspec.json.Decoder(_Message).decode
_block = msgspec.json.Decoder(_Block).decode


def cleaned(body: JsonObject, signed_thoughts: bool = False, native: Sequence[str] = FAMILIES) -> bytes | None:
    """The ``messages`` of a checked request without such blocks, all other bytes as they are; None: there are none.

    ``signed_thoughts``: thoughts with an empty signature, which other Messages upstreams send, are refused too.
    ``native`` are the families of web tools whose blocks the upstream knows.
    """
    messages = body.view("messages")
    unsigned = signed_thoughts and _UNSIGNED.search(messages) is not None
    if not (unsigned or _is_served(messages, native) or _EMPTY.search(messages) or _FOREIGN.search(messages)):
        return None
    raw = bytes(messages)
    changed = _replaced(raw, elements(raw), lambda message: _clean_message(message, unsigned, native))
    return changed if changed != raw else None


def unseen(raw: bytes) -> bytes:
    """The ``messages`` of a checked request with a note in the place of each image, all other messages as they are."""
    return _replaced(raw, elements(raw), _unseen_message) if _IMAGE.search(raw) else raw


def _unseen_message(raw: bytes) -> bytes:
    if not _IMAGE.search(raw):
        return raw
    message = JsonObject(raw)
    content = message.get("content")
    noted = _noted(content)
    return raw if noted == content else message.edited({"content": encode(noted)})


def _noted(content: Any) -> Any:
    return [_note(block) for block in content] if isinstance(content, list) else content


def _note(block: dict[str, Any]) -> dict[str, Any]:
    match block.get("type"):
        case "image":
            marked = {name: block[name] for name in ("cache_control",) if name in block}
            return {"type": "text", "text": UNSEEN, **marked}
        case "tool_result":
            return {name: _noted(value) if name == "content" else value for name, value in block.items()}
    return block


def _clean_message(raw: bytes, unsigned: bool, native: Sequence[str]) -> bytes:
    if _SERVED.search(raw):
        raw = _without_served(raw, native)
    if not (_EMPTY.search(raw) or _FOREIGN.search(raw) or (unsigned and _UNSIGNED.search(raw))):
        return raw
    message = _message(raw)
    content = bytes(message.content)
    if not content.startswith(b"["):
        return raw
    kept = _clean_content(content, bytes(message.role) == b'"assistant"', unsigned)
    return JsonObject(raw).edited({"content": kept}) if kept != content else raw


def _is_served(messages: memoryview, native: Sequence[str]) -> bool:
    """Whether there may be blocks of web tools that are not this upstream's own."""
    known = set(native) >= set(FAMILIES)
    return (_SERVED_ID if known else _SERVED).search(messages) is not None


def _without_served(raw: bytes, native: Sequence[str]) -> bytes:
    """With text in the place of the blocks of web tools that are not this upstream's own."""
    content = bytes(_message(raw).content)
    if not content.startswith(b"["):
        return raw
    kept = _replaced(content, elements(content), lambda block: _said(block, native))
    return JsonObject(raw).edited({"content": kept}) if kept != content else raw


def _said(raw: bytes, native: Sequence[str]) -> bytes:
    if not _SERVED.search(raw):
        return raw
    block = decode(raw)
    kind = block.get("type")
    family = block.get("name") if kind == USE else str(kind).removesuffix("_tool_result") if kind in RESULTS else None
    identity = block.get("id") if kind == USE else block.get("tool_use_id")
    if family not in FAMILIES or (family in native and not str(identity).startswith(SERVED)):
        return raw
    return encode({"type": "text", "text": as_text(block) or "(nothing)"})


def _clean_content(raw: bytes, assistant: bool, unsigned: bool) -> bytes:
    if _SIGNED_ID in raw:
        raw = _replaced(raw, elements(raw), _with_plain_id)
    spans = elements(raw)
    blocks = [_block(raw[start:end]) for start, end in spans]
    foreign = [_is_foreign(block, unsigned) for block in blocks]
    empty = [assistant and _is_empty(block) for block in blocks]
    kept = [not (mine or nothing) for mine, nothing in zip(foreign, empty, strict=True)]
    if any(kept):
        return _without(raw, spans, kept)
    return _PLACEHOLDER if any(foreign) else raw


def _with_plain_id(raw: bytes) -> bytes:
    block = _block(raw)
    for identity in (bytes(block.id), bytes(block.tool_use_id)):
        plain, mark, _ = identity.partition(_SIGNED_ID)
        if mark:
            raw = raw.replace(identity, plain + b'"', 1)
    return raw


def _is_foreign(block: _Block, unsigned: bool) -> bool:
    """A thought that another upstream had: this one would refuse its signature."""
    signature = bytes(block.signature)
    return signature.startswith(_MARK) or (unsigned and signature == b'""' and bytes(block.type) == b'"thinking"')


def _is_empty(block: _Block) -> bool:
    return bytes(block.type) == b'"text"' and bytes(block.text) == b'""'


def _replaced(raw: bytes, spans: list[tuple[int, int]], change: Callable[[bytes], bytes]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for start, end in spans:
        parts += (raw[at:start], change(raw[start:end]))
        at = end
    return b"".join((*parts, raw[at:]))


def _without(raw: bytes, spans: list[tuple[int, int]], kept: list[bool]) -> bytes:
    """A list's bytes, less the elements that are not kept, each with what stands between it and the next one."""
    last = max(at for at, keep in enumerate(kept) if keep)
    ends = [start for start, _ in spans[1 : last + 1]] + [spans[last][1]]
    parts = [raw[start:end] for (start, _), end, keep in zip(spans, ends, kept, strict=False) if keep]
    return b"".join((raw[: spans[0][0]], *parts, raw[spans[-1][1] :]))
