"""What the load generator asks and what the upstream answers: the shapes of Claude Code 2.1.197, the same each time.

The model name carries the script, ``claude-bench-<chunks>-<milliseconds>``, so that the upstream keeps no state and
every proxy under test leaves it alone. 0 chunks asks for a whole answer. ``openai/gpt-bench-...`` asks the gateway for
an upstream that speaks Chat Completions (``chat_bodies``); any other target leaves that name alone too.
"""

from __future__ import annotations

import json
from typing import Any

TOKEN = "kt-bench-client-token"
BIG = 100_000  # bytes of the big body, within one message

_BETAS = (
    "claude-code-20250219,context-1m-2025-08-07,interleaved-thinking-2025-05-14,thinking-token-count-2026-05-13,"
    "context-management-2025-06-27,prompt-caching-scope-2026-01-05,mid-conversation-system-2026-04-07,effort-2025-11-24"
)
_HEADERS = (
    ("Accept", "application/json"),
    ("Authorization", f"Bearer {TOKEN}"),
    ("Content-Type", "application/json"),
    ("User-Agent", "claude-cli/2.1.197 (external, cli)"),
    ("X-Claude-Code-Session-Id", "6f1c1b1e-7a52-4f5e-9d0e-6c1f2a3b4c5d"),
    ("X-Stainless-Arch", "x64"),
    ("X-Stainless-Lang", "js"),
    ("X-Stainless-OS", "Linux"),
    ("X-Stainless-Package-Version", "0.94.0"),
    ("X-Stainless-Runtime", "node"),
    ("X-Stainless-Runtime-Version", "v26.3.0"),
    ("X-Stainless-Retry-Count", "0"),
    ("X-Stainless-Timeout", "600"),
    ("anthropic-beta", _BETAS),
    ("anthropic-dangerous-direct-browser-access", "true"),
    ("anthropic-version", "2023-06-01"),
    ("x-app", "cli"),
    ("Connection", "keep-alive"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
)
_WORDS = "the gateway reads a request, picks a key and waits for the first word of an answer. "

Json = dict[str, Any]


def model(chunks: int, milliseconds: int, translated: bool = False) -> str:
    name = "openai/gpt" if translated else "claude"
    return f"{name}-bench-{chunks}-{milliseconds}"


def request(port: int, model: str, stream: bool, big: bool) -> bytes:
    """A POST /v1/messages, head and body."""
    body = json.dumps(big_body(model, stream) if big else _small_body(model, stream), separators=(",", ":")).encode()
    lines = [f"{name}: {value}" for name, value in _HEADERS]
    head = ["POST /v1/messages?beta=true HTTP/1.1", f"Host: 127.0.0.1:{port}", *lines, f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def message(model: str) -> bytes:
    """A whole answer."""
    text = {"type": "text", "text": _WORDS}
    return json.dumps({**_message(model), "content": [text], "stop_reason": "end_turn"}).encode()


def stream_start(model: str) -> bytes:
    """All events before the first delta."""
    block = {"type": "text", "text": ""}
    return (
        _event({"type": "message_start", "message": _message(model)})
        + _event({"type": "content_block_start", "index": 0, "content_block": block})
        + _event({"type": "ping"})
    )


def delta(stamp: int) -> bytes:
    """One text delta; ``stamp`` is CLOCK_MONOTONIC in nanoseconds."""
    return _DELTA % stamp


def stream_end(chunks: int) -> bytes:
    """All events after the last delta."""
    return (
        _event({"type": "content_block_stop", "index": 0})
        + _event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": chunks}})
        + _event({"type": "message_stop"})
    )


def big_body(model: str, stream: bool) -> Json:
    """A conversation of turns with tool calls, 24 tools and a long system prompt: BIG bytes of it."""
    body = _small_body(model, stream)
    body["system"] = [{"type": "text", "text": _WORDS * 140, "cache_control": {"type": "ephemeral"}}]
    body["tools"] = [_tool(number) for number in range(24)]
    body["messages"] = []
    size = len(json.dumps(body, separators=(",", ":")))
    turn = 0
    while size < BIG:
        messages = _turn(turn)
        size += len(json.dumps(messages, separators=(",", ":")))
        body["messages"] += messages
        turn += 1
    body["messages"].append({"role": "user", "content": "Go on."})
    return body


def _small_body(model: str, stream: bool) -> Json:
    text = {"type": "text", "text": "Say hello."}
    body: Json = {
        "model": model,
        "messages": [{"role": "user", "content": [text]}],
        "system": [{"type": "text", "text": "You are Claude Code."}],
        "max_tokens": 32000,
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    }
    return {**body, "stream": True} if stream else body


def _tool(number: int) -> Json:
    fields = {f"field_{each}": {"type": "string", "description": _WORDS} for each in range(6)}
    schema = {"type": "object", "properties": fields, "required": ["field_0"], "additionalProperties": False}
    return {"name": f"Tool{number}", "description": _WORDS * 8, "input_schema": schema}


def _turn(number: int) -> list[Json]:
    call = {"type": "tool_use", "id": f"toolu_{number:024}", "name": "Tool1", "input": {"field_0": _WORDS}}
    result = {"type": "tool_result", "tool_use_id": f"toolu_{number:024}", "content": _WORDS * 12}
    return [
        {"role": "user", "content": [{"type": "text", "text": _WORDS * 2}]},
        {"role": "assistant", "content": [{"type": "text", "text": _WORDS * 3}, call]},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": [{"type": "text", "text": _WORDS * 3}]},
    ]


def _message(model: str) -> Json:
    return {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": 1},
    }


def _event(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"%020d"}}\n\n'
)
