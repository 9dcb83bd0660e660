"""Images for a model that cannot see. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from providers.chat.request import Block, ChatRequest, Image, Message, Text, ToolResult
from providers.errors import ErrorKind, UpstreamFailure
from providers.quirks import Quirks
from providers.spec import UnseenImages

UNSEEN = "[An image that this model cannot be shown.]"


def seen(request: ChatRequest, quirks: Quirks, images: UnseenImages, lost: list[str]) -> ChatRequest:
    """The request as this model can see it. Raises UpstreamFailure for an image that must not be left out."""
    if quirks.vision or not any(_shows(message.content) for message in request.messages):
        return request
    if images is UnseenImages.REFUSE:
        raise refusal(request.model)
    lost.append("messages.image")
    return replace(request, messages=tuple(map(_unseen, request.messages)))


def refusal(model: str) -> UpstreamFailure:
    words = f"{model} takes no images: choose a model that does, or start again without the image"
    return UpstreamFailure(ErrorKind.UNSUPPORTED, words)


def _shows(content: Iterable[Block]) -> bool:
    for block in content:
        kind = type(block)
        if kind is Image or (isinstance(block, ToolResult) and _shows(block.content)):
            return True
    return False


def _unseen(message: Message) -> Message:
    return replace(message, content=_noted(message.content)) if _shows(message.content) else message


def _noted(content: Iterable[Block]) -> tuple[Block, ...]:
    return tuple(
        Text(UNSEEN)
        if isinstance(block, Image)
        else replace(block, content=_noted(block.content))
        if isinstance(block, ToolResult)
        else block
        for block in content
    )
