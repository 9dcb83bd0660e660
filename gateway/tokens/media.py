"""What an image or a document costs, as far as its first bytes tell. Pure.

An image is a token for every 750 pixels once it is scaled down to 1568 pixels at its longer edge, and never more than
1,600 (Anthropic's vision guide, read 2026-11). Other vendors count otherwise; what they report corrects it.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from typing import Any

IMAGE = 1600  # tokens, where the size is not known
PER_DOCUMENT_BYTE = 0.05  # tokens of a PDF, by its decoded size

_EDGE = 1568  # pixels
_PIXELS = 750  # to the token
_HEAD = 64 * 1024  # characters of base64 in which a size is looked for
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the segments of a JPEG that tell its size

Size = tuple[int, int]


def image(source: Any) -> float:
    """Tokens of an image: Anthropic's ``source``, or the URL that OpenAI's clients send it in."""
    match source:
        case {"data": str() as data}:
            return _tokens(_size(data))
        case {"url": str() as url} | str(url) if url[:5] == "data:":
            return _tokens(_size(url.partition(",")[2]))
    return IMAGE


def document(encoded: str) -> float:
    """Tokens of a document in base64."""
    return len(encoded) * 0.75 * PER_DOCUMENT_BYTE


def _tokens(size: Size | None) -> float:
    if size is None or min(size) < 1:
        return IMAGE
    width, height = size
    scale = min(1.0, _EDGE / max(size))
    return min(IMAGE, max(1.0, width * scale * height * scale / _PIXELS))


def _size(encoded: str) -> Size | None:
    """Width and height in pixels; None where the bytes do not tell."""
    start = encoded[:_HEAD]
    try:
        head = binascii.a2b_base64(start[: len(start) // 4 * 4])
    except ValueError:
        return None
    read = next((read for beginning, read in _READERS.items() if head.startswith(beginning)), None)
    return read(head) if read else None


def _number(data: bytes, at: int, length: int, order: Any = "big") -> int:
    return int.from_bytes(data[at : at + length], order)


def _png(head: bytes) -> Size:
    return _number(head, 16, 4), _number(head, 20, 4)


def _gif(head: bytes) -> Size:
    return _number(head, 6, 2, "little"), _number(head, 8, 2, "little")


def _jpeg(head: bytes) -> Size | None:
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        if head[at + 1] in _FRAMES:
            return _number(head, at + 7, 2), _number(head, at + 5, 2)
        at += 2 + max(2, _number(head, at + 2, 2))
    return None


def _webp(head: bytes) -> Size | None:
    match head[12:16]:
        case b"VP8X":
            return _number(head, 24, 3, "little") + 1, _number(head, 27, 3, "little") + 1
        case b"VP8L":
            bits = _number(head, 21, 4, "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return _number(head, 26, 2, "little") & 0x3FFF, _number(head, 28, 2, "little") & 0x3FFF
    return None


_READERS: Mapping[bytes, Callable[[bytes], Size | None]] = {
    b"\x89PNG": _png,
    b"GIF8": _gif,
    b"\xff\xd8": _jpeg,
    b"RIFF": _webp,
}
