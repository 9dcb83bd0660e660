"""Images and files as parts of a Gemini message. Pure.

A file is sent along, or named by its address, which Gemini opens itself
(blog.google/innovation-and-ai/technology/developers-tools/gemini-api-new-file-limits, read 2026-11).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from providers.chat.request import Document, Image

Json = dict[str, Any]

# What the ends of addresses say of images and documents (ai.google.dev/gemini-api/docs/file-input-methods).
_TYPES = {
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "pdf": "application/pdf",
    "png": "image/png",
    "txt": "text/plain",
    "webp": "image/webp",
}


def image(block: Image) -> Json:
    return _inline(block.media_type, block.data) if block.data else _address(block.url, block.media_type)


def document(block: Document) -> Json:
    """A file whose text is known is text."""
    if block.text:
        title = block.title or "document"
        return {"text": f'<document title="{title}">\n{block.text}\n</document>'}
    return _inline(block.media_type, block.data) if block.data else _address(block.url, block.media_type)


def _inline(media_type: str, data: str) -> Json:
    return {"inlineData": {"mimeType": media_type, "data": data}}


def _address(url: str, media_type: str) -> Json:
    """Without a type where nothing tells it."""
    kind = _TYPES.get(urlsplit(url).path.rpartition(".")[2].lower(), media_type)
    return {"fileData": {"fileUri": url, **({"mimeType": kind} if kind else {})}}
