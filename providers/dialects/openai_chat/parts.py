"""Images and files as OpenAI's formats have them: data URLs and addresses. Pure."""

from __future__ import annotations

import binascii
from base64 import b64decode

from providers.chat.request import Document, Image


def image(url: str, detail: object) -> Image:
    """``detail`` "auto" is as good as none."""
    media_type, data = data_url(url)
    look = detail if isinstance(detail, str) and detail != "auto" else ""
    return Image(media_type, data, detail=look) if data else Image(url=url, detail=look)


def document(url: str, name: str) -> Document | None:
    """The file in a data URL, text as text; None where there is none."""
    media_type, data = data_url(url)
    if not data:
        return None
    if media_type.startswith("text/"):
        text = _decoded(data)
        return None if text is None else Document("text/plain", text=text, title=name)
    return Document(media_type, data, title=name)


def data_url(url: str) -> tuple[str, str]:
    """("image/png", base64) of a data URL, ("", "") of any other."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return "", ""
    return head.removeprefix("data:").removesuffix(";base64").partition(";")[0], data


def _decoded(data: str) -> str | None:
    try:
        return b64decode(data, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
