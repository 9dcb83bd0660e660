"""What a Chat Completions client is sent before there is an answer: comments, which its SDKs skip. Pure."""

from __future__ import annotations

_COMMENT = b": keepalive\n\n"


class ChatWaiting:
    """See ``providers.call.Waiting``. These clients count bytes at most, so nothing of an answer is ever begun."""

    __slots__ = ()

    def ping(self) -> bytes:
        return _COMMENT

    def hold(self) -> bytes:
        return _COMMENT

    def join(self, data: bytes) -> bytes:
        return data
