"""A body from a stranger: unpacked within bounds, and its text decoded. Pure."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from gateway.server_tools.failures import ToolFailure

ACCEPTED = "gzip, deflate"  # the encodings that are asked for and read

_GZIP, _DEFLATE = ("gzip", "x-gzip"), ("deflate",)
# Python knows codecs that are no character sets, and some that take a square of the text's length.
_CHARSET = re.compile(
    r"utf-?8|utf-16(le|be)?|us-ascii|iso-8859-\d{1,2}|latin-?1|windows-12\d\d|koi8-[ru]|gb18030|gbk|gb2312|big5"
    r"|euc-(jp|kr)|shift_jis"
)
_META = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_-]{1,20})", re.IGNORECASE)
_KIND = re.compile(r"[!-.0-~]+/[!-.0-~]+")
_PARAMETER = re.compile(r"(?:^|[\s;])charset\s*=\s*[\"']?\s*([a-z0-9_-]{1,20})")
_LOOKED_AT = 4096  # bytes of a page in which its own word on its character set stands


class Unpacker:
    """Pieces of a body in, pieces of what was packed out: never more than ``most`` bytes in all."""

    def __init__(self, encoding: str, most: int) -> None:
        """Raises ToolFailure for an encoding that nobody asked for."""
        name = encoding.strip().lower()
        if name not in ("", "identity", *_GZIP, *_DEFLATE):
            raise ToolFailure("unsupported_content_type", "it is packed in a way that nobody asked for")
        self._room = most
        self._gzip = name in _GZIP
        self._packed = self._gzip or name in _DEFLATE
        self._machine = zlib.decompressobj(31 if self._gzip else 15)
        self._first = b""  # of a deflated body, until its first two bytes have come
        self._deflated = name in _DEFLATE

    def feed(self, data: bytes) -> bytes:
        """Raises ToolFailure: content_too_large, or url_not_accessible for what is not packed as it says."""
        if not self._packed:
            self._take(len(data))
            return data
        if self._deflated:
            data = self._settled(data)
        out: list[bytes] = []
        while data:
            piece, data = self._step(data)
            out.append(piece)
        return b"".join(out)

    def _step(self, data: bytes) -> tuple[bytes, bytes]:
        """A piece, and the packed bytes that are left."""
        machine = self._machine
        try:
            piece = machine.decompress(data, self._room + 1)
        except zlib.error:
            raise ToolFailure("url_not_accessible", "its body is not packed as it says") from None
        self._take(len(piece))
        if not machine.eof:
            return piece, machine.unconsumed_tail
        # A gzip body may be several files one after the other; what else stands behind its end is not read.
        again = self._gzip and machine.unused_data.startswith(b"\x1f\x8b")
        self._machine = zlib.decompressobj(31) if again else machine
        return piece, machine.unused_data if again else b""

    def _settled(self, data: bytes) -> bytes:
        """Servers say deflate for both of its forms; the first two bytes tell which."""
        self._first += data
        if len(self._first) < 2:
            return b""
        data, self._first, self._deflated = self._first, b"", False
        wrapped = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
        self._machine = zlib.decompressobj(15 if wrapped else -15)
        return data

    def _take(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise ToolFailure("content_too_large", "it is larger than what is read here")


def media_type(headers: Mapping[str, str]) -> tuple[str, str]:
    """("text/html", "utf-8") of an answer's content-type; "" for what it does not say."""
    kind, _, parameters = headers.get("content-type", "")[:500].lower().partition(";")
    named = _PARAMETER.search(parameters)
    return kind.strip() if _KIND.fullmatch(kind.strip()) else "", named[1] if named else ""


def is_html(kind: str) -> bool:
    return kind in ("text/html", "application/xhtml+xml")


def is_text(kind: str) -> bool:
    """Whether the media type is one of text that can be shown as it is."""
    known = ("application/json", "application/xml", "application/yaml", "application/javascript", "application/toml")
    return kind.startswith("text/") or kind in known or kind.endswith(("+json", "+xml", "+yaml"))


def decoded(body: bytes, charset: str, html: bool) -> str:
    """The text of a body; what cannot be read becomes replacement characters."""
    named = [charset]
    if html and (found := _META.search(body[:_LOOKED_AT])):
        named.append(found[1].decode().lower())
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        named = ["utf-16"]
    for name in named:
        if _CHARSET.fullmatch(name):
            try:
                return body.decode(name, "replace")
            except LookupError:
                continue
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")
