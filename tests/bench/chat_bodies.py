"""What the upstream answers at /v1/chat/completions: the shapes of OpenAI's gpt-4o, the same each time.

Every event is as long as OpenAI's own with ``include_usage``, about 300 bytes for a content chunk. The gateway always
asks such an upstream for a stream, so the answer to a call that is not streamed is a short stream as well.
"""

from __future__ import annotations

import json
from typing import Any

_WORDS = ("The", " gateway", " picks", " a", " key", " and", " waits", ".")
_STAMP = f"{0:020}"
_USAGE = {
    "prompt_tokens": 25,
    "completion_tokens": 8,
    "total_tokens": 33,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}

Json = dict[str, Any]


def short(model: str) -> list[bytes]:
    """The events of the answer to a call that is not streamed, the last ones together."""
    return [stream_start(model), *(_chunk({"content": word}) for word in _WORDS), stream_end(len(_WORDS))]


def stream_start(_: str) -> bytes:
    """The event before the first content."""
    return _chunk({"role": "assistant", "content": "", "refusal": None})


def delta(stamp: int) -> bytes:
    """One content chunk; ``stamp`` is CLOCK_MONOTONIC in nanoseconds."""
    return _DELTA % stamp


def stream_end(chunks: int) -> bytes:
    """All events after the last content: the reason to stop, the counts, [DONE]."""
    usage = {**_USAGE, "completion_tokens": chunks, "total_tokens": 25 + chunks}
    return _chunk({}, "stop") + _event({**_shell([]), "usage": usage}) + b"data: [DONE]\n\n"


def _chunk(delta: Json, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return _event({**_shell([choice]), "usage": None})


def _shell(choices: list[Json]) -> Json:
    return {
        "id": "chatcmpl-CdVYnbyq1JxZyQ0mHtYwv9sKJ2fPa",
        "object": "chat.completion.chunk",
        "created": 1763600000,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_cbf1785567",
        "choices": choices,
    }


def _event(event: Json) -> bytes:
    return f"data: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


_DELTA = _chunk({"content": _STAMP}).replace(_STAMP.encode(), b"%020d")
