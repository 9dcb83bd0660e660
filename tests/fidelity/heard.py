"""What a client of each dialect has once an answer has come: the pieces of a stream put together. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]


def events(stream: bytes) -> list[Json]:
    """The data of a stream's events; [DONE] and comments tell a client nothing."""
    lines = (line.removeprefix("data: ") for line in stream.decode().split("\n") if line.startswith("data: {"))
    return [json.loads(line) for line in lines]


def message(stream: bytes) -> Json:
    """Of Messages."""
    told: Json = {"pings": 0}
    blocks: list[Json] = []
    for event in events(stream):
        match event:
            case {"type": "message_start"}:
                told |= event["message"]
            case {"type": "content_block_start"}:
                blocks.append(dict(event["content_block"]))
            case {"type": "content_block_delta", "index": index, "delta": delta}:
                _add(blocks[index], delta)
            case {"type": "message_delta"}:
                told |= event["delta"] | {"usage": told["usage"] | event["usage"]}
            case {"type": "ping"}:
                told["pings"] += 1
            case {"type": "error"}:
                told["error"] = event["error"]
    return {**told, "content": [_whole(block) for block in blocks]}


def _add(block: Json, delta: Json) -> None:
    match delta:
        case {"type": "input_json_delta"}:
            block["json"] = block.get("json", "") + delta["partial_json"]
        case {"type": "citations_delta"}:
            block.setdefault("citations", []).append(delta["citation"])
        case _:
            for name in delta.keys() - {"type"}:
                block[name] = block.get(name, "") + delta[name]


def _whole(block: Json) -> Json:
    written = block.pop("json", "")
    return {**block, "input": json.loads(written)} if written else block


def completion(stream: bytes) -> Json:
    """Of Chat Completions."""
    told: Json = {}
    answer: Json = {"tool_calls": []}
    choice: Json = {"message": answer}
    for chunk in events(stream):
        told |= {name: value for name, value in chunk.items() if name != "choices" and value is not None}
        for each in chunk.get("choices", ()):
            choice |= {name: value for name, value in each.items() if name != "delta" and value is not None}
            _merge(answer, each["delta"])
    return {**told, "choices": [choice]}


def _merge(answer: Json, delta: Json) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            for piece in value:
                _call(answer["tool_calls"], piece)
        elif isinstance(value, str) and name != "role":
            answer[name] = (answer.get(name) or "") + value
        else:
            answer[name] = value


def _call(calls: list[Json], piece: Json) -> None:
    if len(calls) <= piece["index"]:
        calls.append({"function": {"name": "", "arguments": ""}})
    function = piece.get("function", {})
    call = calls[piece["index"]]
    call |= {name: value for name, value in piece.items() if name not in ("index", "function")}
    for name, value in function.items():
        call["function"][name] += value


def response(stream: bytes) -> Json:
    """Of Responses: the last event says all of it."""
    last: Json = events(stream)[-1]
    told: Json = last.get("response", last)
    return told


HEARD: Mapping[str, Callable[[bytes], Json]] = {
    "anthropic": message,
    "openai_chat": completion,
    "openai_responses": response,
}
