"""Answers in the shapes of the Messages API, from tests/wire/anthropic; each names ``upstream-model`` once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from providers.dialects.anthropic.replies import MessageStream, PassedMessage
from providers.ports import Usage
from tests.providers.support import by_the_book

_FOLDER = Path(__file__).parents[3] / "wire" / "anthropic"
NAMED = b'"upstream-model"'
STREAMS = {path.stem: path.read_bytes() for path in sorted(_FOLDER.glob("*.sse"))}
WHOLES = {path.stem: path.read_bytes() for path in sorted(_FOLDER.glob("*.json"))}
CONTENT = (b"content_block_delta", b"content_block_stop", b"message_delta", b"message_stop")
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

Event = tuple[bytes, bytes]


def echoed(raw: bytes, model: str) -> bytes:
    """What a client is sent: the same bytes, but for the model's name."""
    assert raw.count(NAMED) == 1
    return raw.replace(NAMED, json.dumps(model, ensure_ascii=False).encode())


def fed(pieces: Iterable[bytes], model: str = "asked/for") -> tuple[MessageStream, bytes]:
    """A machine that was given these pieces and the upstream's end, and all that it let through."""
    stream = MessageStream(model)
    sent = b"".join([stream.feed(piece) for piece in pieces])
    return stream, sent + stream.finish()


@dataclass(frozen=True)
class Passed:
    """A whole answer as the client gets it."""

    body: bytes
    usage: Usage


def whole(body: bytes, echo: str) -> Passed:
    """What a client that asked for ``echo`` gets of one body. Raises UpstreamFailure."""
    reader = PassedMessage(echo)
    passed = reader.take_whole(body)
    assert reader.ended is (reader.failure is None)
    if reader.failure:
        raise reader.failure
    return Passed(passed, reader.usage)


def settled(events: list[Event]) -> bool:
    """Has a stop_reason come, and is every block closed?"""
    names = [name for name, _ in events]
    reasons = [json.loads(data)["delta"]["stop_reason"] for name, data in events if name == b"message_delta"]
    return any(reasons) and names.count(b"content_block_start") == names.count(b"content_block_stop")


__all__ = ["CONTENT", "NAMED", "STOP", "STREAMS", "WHOLES", "Event", "by_the_book", "echoed", "fed", "settled", "whole"]
