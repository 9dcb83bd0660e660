"""The Messages dialect of the scripted upstream: whole and streamed agree, ids are unique, errors are shaped."""

from __future__ import annotations

import json
from typing import Any

from tests.upstream import (
    Cut,
    Upstream,
    block,
    block_start,
    error,
    error_event,
    message,
    message_start,
    redacted_thinking,
    stream,
    text,
    thinking,
    tool_use,
)
from tests.upstream.bare_client import Client, connected

BLOCKS = [
    thinking("Let me see.", "c2lnbmVk"),
    redacted_thinking("b3BhcXVl"),
    text("It is five."),
    tool_use("Bash", {"command": "echo 'ü'", "n": [1, None]}, tool_id="toolu_1"),
]


def events(body: bytes) -> list[Any]:
    """The data of each frame, whose event name must be its type."""
    parsed = []
    for frame in body.decode().split("\n\n")[:-1]:
        name, data = frame.split("\n")
        parsed.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {parsed[-1]['type']}"
    return parsed


def fold(parsed: list[Any]) -> list[Any]:
    """What a client makes of the content events."""
    blocks: dict[int, Any] = {}
    arguments: dict[int, str] = {}
    for event in parsed:
        match event:
            case {"type": "content_block_start", "index": index, "content_block": opened}:
                blocks[index] = dict(opened)
            case {"type": "content_block_delta", "index": index, "delta": {"partial_json": piece}}:
                arguments[index] = arguments.get(index, "") + piece
            case {"type": "content_block_delta", "index": index, "delta": delta}:
                field = delta["type"].removesuffix("_delta")
                blocks[index][field] += delta[field]
            case {"type": "content_block_stop", "index": index} if index in arguments:
                blocks[index]["input"] = json.loads(arguments[index])
    return list(blocks.values())


async def ask(upstream: Upstream, client: Client, body: Any) -> tuple[bytes, bytes]:
    upstream.script(message(*BLOCKS, usage={"input_tokens": 3}, late_usage={"input_tokens": 4, "output_tokens": 9}))
    client.post(body)
    return await client.answer()


async def test_a_streamed_message_folds_to_the_whole_one() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        head, streamed = await ask(upstream, client, {"model": "a/b:free", "stream": True})
        whole = json.loads((await ask(upstream, client, {"model": "a/b:free"}))[1])
    parsed = events(streamed)
    assert b"content-type: text/event-stream" in head
    assert fold(parsed) == whole["content"] == [block.whole for block in BLOCKS]
    start, end = parsed[0]["message"], parsed[-2]
    assert (start["model"], whole["model"]) == ("a/b:free", "a/b:free")
    assert start["usage"] == {"input_tokens": 3}
    assert end["usage"] == whole["usage"] == {"input_tokens": 4, "output_tokens": 9}
    assert end["delta"]["stop_reason"] == whole["stop_reason"] == "tool_use"
    assert parsed[1] == {"type": "ping"}
    assert parsed[-1] == {"type": "message_stop"}


async def test_message_ids_never_repeat() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        ids = set()
        for _ in range(3):
            ids.add(json.loads((await ask(upstream, client, {"model": "m"}))[1])["id"])
            ids.add(events((await ask(upstream, client, {"model": "m", "stream": True}))[1])[0]["message"]["id"])
    assert len(ids) == 6


def test_arguments_and_texts_come_in_pieces() -> None:
    deltas = [delta.get("text", delta.get("partial_json")) for made in BLOCKS[2:] for delta in made.deltas]
    assert len(deltas) == 2 + 4
    assert deltas[:2] == ["It is ", "five."]
    assert deltas[2] == ""


async def test_a_scripted_fault_in_mid_block() -> None:
    half = text("half")
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(
            lambda request: stream(
                message_start(request.model),
                *block(0, text("whole")),
                block_start(1, half),
                error_event("overloaded_error", "Overloaded"),
                Cut(),
            )
        )
        client.post({"model": "m", "stream": True})
        await client.until(b"\r\n\r\n")
        body = await client.rest()
    assert body.count(b"event: content_block_stop") == 1
    assert b'"overloaded_error"' in body
    assert not body.endswith(b"0\r\n\r\n")


async def test_errors_wear_the_envelope() -> None:
    async with Upstream() as upstream, connected(upstream.port) as client:
        upstream.script(error(529, "overloaded_error", "Overloaded", [("retry-after", "3")]))
        client.post({})
        head, raw = await client.answer()
    assert head.startswith(b"HTTP/1.1 529 ")
    assert b"\r\nretry-after: 3\r\n" in head
    body = json.loads(raw)
    assert body["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert body["request_id"].encode() in head
