"""Chunks of a Chat Completions stream, and what the reader makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from providers.chat.events import BlockStarted, Ended, Event, Failed, Finished
from providers.chat.fold import AnswerBlock, WholeMessage, fold
from providers.chat.grammar import Grammar
from providers.dialects.openai_chat.read_reply import ChatReader
from providers.dialects.openai_chat.think_tags import ThinkTags
from providers.errors import UpstreamFailure

ESTIMATE = 1234
TOKEN = "tok"
DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}

Json = dict[str, Any]


def data(value: Any) -> bytes:
    """One event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(delta: Mapping[str, Any] | None = None, reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": reason}
    return data({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice], **more})


def text(words: str) -> bytes:
    return chunk({"content": words})


def end(reason: str = "stop", **more: Any) -> bytes:
    return chunk({}, reason, **more)


def tools(*pieces: Any) -> bytes:
    return chunk({"tool_calls": list(pieces)})


def piece(name: Any = None, arguments: Any = None, **more: Any) -> Json:
    """One entry of ``tool_calls``; ``more`` are its id and index."""
    given = {"name": name, "arguments": arguments}
    return {**more, "function": {key: value for key, value in given.items() if value is not None}}


def reader(
    stop: tuple[str, ...] = (),
    names: Mapping[str, str] | None = None,
    provider: str = "acme",
    tags: ThinkTags | None = None,
    hidden: bool = False,
) -> ChatReader:
    return ChatReader(TOKEN, provider, ESTIMATE, stop, names or {}, tags, hidden)


def events(*parts: bytes, machine: ChatReader | None = None) -> list[Event]:
    """All events; each part is one read, and then the upstream closes. They are in order and one end is last."""
    machine = machine or reader()
    made = [event for part in parts for event in machine.feed(part)] + machine.finish()
    grammar = Grammar()
    for event in made:
        grammar.take(event)
    assert isinstance(made[-1], Ended | Failed)
    return made


def answer(*parts: bytes, machine: ChatReader | None = None) -> WholeMessage:
    """The whole answer; it must be one."""
    made = events(*parts, machine=machine)
    assert made[-1] == Ended(), made[-1]
    return fold(made)


def failure(*parts: bytes, machine: ChatReader | None = None) -> UpstreamFailure:
    last = events(*parts, machine=machine)[-1]
    assert isinstance(last, Failed)
    return last.failure


def called(*parts: bytes, machine: ChatReader | None = None) -> list[tuple[str, str, str]]:
    """(id, name, arguments) of each call of an answer that stops for its tools."""
    message = answer(*parts, machine=machine)
    calls = [block for block in message.blocks if block.kind == "tool_use"]
    assert message.stop == ("tool_use" if calls else message.stop)
    return [(block.id, block.name, block.text) for block in calls]


def shown(*parts: bytes, machine: ChatReader | None = None) -> list[tuple[str, str]]:
    """(kind, text) of each block."""
    return [_shown(block) for block in answer(*parts, machine=machine).blocks]


def _shown(block: AnswerBlock) -> tuple[str, str]:
    return str(block.kind), block.text


def finished(made: list[Event]) -> Finished:
    return next(event for event in made if isinstance(event, Finished))


def started(made: list[Event]) -> list[BlockStarted]:
    return [event for event in made if isinstance(event, BlockStarted)]
