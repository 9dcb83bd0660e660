"""A scripted model provider: a real HTTP/1.1 server on 127.0.0.1 that records requests and answers from a script.

In an async test ``async with Upstream() as upstream``; in a sync test ``with Upstream() as upstream`` runs the same
server on a thread of its own. ``signals`` and ``reply`` are the vocabulary, ``server`` is the core that knows no
dialect, ``sockets`` are addresses that never answer, ``anthropic`` writes the Messages dialect; ``openai_chat`` and
``openai_responses``, used by their own names, write OpenAI's two, and ``gemini`` Google's.
"""

from tests.upstream import gemini, openai_chat, openai_responses
from tests.upstream.anthropic import (
    SSE,
    Block,
    Upstream,
    block,
    block_delta,
    block_start,
    block_stop,
    count_tokens,
    error,
    error_event,
    frames,
    image,
    message,
    message_delta,
    message_start,
    message_stop,
    ping,
    redacted_thinking,
    sse,
    stream,
    text,
    thinking,
    tool_use,
)
from tests.upstream.gemini import GeminiUpstream
from tests.upstream.openai_chat import ChatUpstream
from tests.upstream.reply import Answer, Cut, Drip, Hang, Head, Pause, Raw, Reply, Reset, Send, Step, json_reply
from tests.upstream.request import Request
from tests.upstream.server import ScriptedServer
from tests.upstream.signals import Signal
from tests.upstream.sockets import blackhole, free_port, refusing

__all__ = [
    "SSE",
    "Answer",
    "Block",
    "ChatUpstream",
    "Cut",
    "Drip",
    "GeminiUpstream",
    "Hang",
    "Head",
    "Pause",
    "Raw",
    "Reply",
    "Request",
    "Reset",
    "ScriptedServer",
    "Send",
    "Signal",
    "Step",
    "Upstream",
    "blackhole",
    "block",
    "block_delta",
    "block_start",
    "block_stop",
    "count_tokens",
    "error",
    "error_event",
    "frames",
    "free_port",
    "gemini",
    "image",
    "json_reply",
    "message",
    "message_delta",
    "message_start",
    "message_stop",
    "openai_chat",
    "openai_responses",
    "ping",
    "redacted_thinking",
    "refusing",
    "sse",
    "stream",
    "text",
    "thinking",
    "tool_use",
]
