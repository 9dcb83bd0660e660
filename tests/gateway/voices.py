"""The two upstream dialects side by side: the same good and bad answers, each in its own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tests import upstream as messages
from tests.upstream import Answer, ChatUpstream, Reply, Request, ScriptedServer, Step, Upstream
from tests.upstream import openai_chat as chat

GOOD = "All is well"
HALF = "The first half"
TOOL = "Bash"
ARGUMENTS = {"command": "rm -r build"}
Pairs = Iterable[tuple[str, str]]


class Voice(Protocol):
    """What a scripted provider is and how it speaks."""

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def always_streams(self) -> bool:
        """A Messages client that wants its answer whole is served from a stream."""

    def server(self) -> ScriptedServer: ...

    def environ(self, base: str, keys: Iterable[str]) -> dict[str, str]:
        """Variables for this provider at the address ``base``, with these keys."""

    def key(self, request: Request) -> str: ...

    def good(self, words: str = GOOD) -> Answer: ...

    def refusal(self, status: int, kind: str, words: str, headers: Pairs = ()) -> Reply: ...

    def stream(self, *parts: bytes | Step) -> Reply: ...

    def error_event(self, kind: str, words: str) -> bytes: ...

    @property
    def start(self) -> bytes:
        """The first event, which carries no content."""

    @property
    def ping(self) -> bytes: ...

    @property
    def half(self) -> tuple[bytes, ...]:
        """A stream up to the middle of its text, HALF."""

    @property
    def end(self) -> tuple[bytes, ...]:
        """What ends the stream that ``half`` began."""

    @property
    def half_tool(self) -> tuple[bytes, ...]:
        """A stream up to the middle of a tool call's arguments."""

    @property
    def whole_tool(self) -> tuple[bytes, ...]:
        """A stream up to the end of a tool call's arguments; nothing yet says that they are whole."""

    @property
    def malformed(self) -> bytes:
        """An event that cannot be read."""

    @property
    def half_body(self) -> bytes:
        """A whole answer, as far as it came."""


@dataclass(frozen=True)
class MessagesVoice:
    """An Anthropic-shaped provider: a Messages client's bytes go straight through."""

    provider: str = "anthropic"
    model: str = "claude-sonnet-5"
    always_streams: bool = False
    malformed: bytes = b"event: message_delta\ndata: {\n\n"
    half_body: bytes = b'{"type":"message","role":"assistant","model":"claude-sonnet-5","content":[{"type":"te'

    def __str__(self) -> str:
        return "messages"

    def server(self) -> ScriptedServer:
        return Upstream()

    def environ(self, base: str, keys: Iterable[str]) -> dict[str, str]:
        return {"ANTHROPIC_UPSTREAM_BASE_URL": base, "ANTHROPIC_UPSTREAM_API_KEYS": ",".join(keys)}

    def key(self, request: Request) -> str:
        return request.header("x-api-key") or ""

    def good(self, words: str = GOOD) -> Answer:
        return messages.message(messages.text(words))

    def refusal(self, status: int, kind: str, words: str, headers: Pairs = ()) -> Reply:
        return messages.error(status, kind, words, headers)

    def stream(self, *parts: bytes | Step) -> Reply:
        return messages.stream(*parts)

    def error_event(self, kind: str, words: str) -> bytes:
        return messages.error_event(kind, words)

    @property
    def start(self) -> bytes:
        return messages.message_start(self.model)

    @property
    def ping(self) -> bytes:
        return messages.ping()

    @property
    def half(self) -> tuple[bytes, ...]:
        return (self.start, *messages.block(0, messages.text(HALF))[:-1])

    @property
    def end(self) -> tuple[bytes, ...]:
        return messages.block_stop(0), messages.message_delta(), messages.message_stop()

    @property
    def half_tool(self) -> tuple[bytes, ...]:
        return (self.start, *messages.block(0, messages.tool_use(TOOL, ARGUMENTS))[:-2])

    @property
    def whole_tool(self) -> tuple[bytes, ...]:
        return (self.start, *messages.block(0, messages.tool_use(TOOL, ARGUMENTS))[:-1])


@dataclass(frozen=True)
class ChatVoice:
    """An OpenAI-shaped provider: every answer is translated from a stream."""

    provider: str = "openai"
    model: str = "gpt-5"
    always_streams: bool = True
    malformed: bytes = b"data: {\n\n"
    half_body: bytes = b'{"id":"chatcmpl-1","object":"chat.completion","choices":[{"ind'
    ping: bytes = b": ping\n\n"

    def __str__(self) -> str:
        return "chat"

    def server(self) -> ScriptedServer:
        return ChatUpstream()

    def environ(self, base: str, keys: Iterable[str]) -> dict[str, str]:
        return {"OPENAI_BASE_URL": f"{base}/v1", "OPENAI_API_KEYS": ",".join(keys)}

    def key(self, request: Request) -> str:
        return (request.header("authorization") or "").removeprefix("Bearer ")

    def good(self, words: str = GOOD) -> Answer:
        return chat.completion(chat.text(words))

    def refusal(self, status: int, kind: str, words: str, headers: Pairs = ()) -> Reply:
        return chat.error(status, words, kind=kind, headers=headers)

    def stream(self, *parts: bytes | Step) -> Reply:
        return chat.stream(*parts)

    def error_event(self, kind: str, words: str) -> bytes:
        return chat.error_event(words, kind)

    @property
    def start(self) -> bytes:
        return chat.chunk({"role": "assistant", "content": ""}, self.model)

    @property
    def half(self) -> tuple[bytes, ...]:
        return tuple(chat.frames(self.model, [chat.text(HALF)], usage=None)[:-2])

    @property
    def end(self) -> tuple[bytes, ...]:
        return tuple(chat.frames(self.model, [chat.text(HALF)], usage=None)[-2:])

    @property
    def half_tool(self) -> tuple[bytes, ...]:
        return tuple(chat.frames(self.model, [chat.call(TOOL, ARGUMENTS)], usage=None)[:-3])

    @property
    def whole_tool(self) -> tuple[bytes, ...]:
        return tuple(chat.frames(self.model, [chat.call(TOOL, ARGUMENTS)], usage=None)[:-2])


MESSAGES = MessagesVoice()
CHAT = ChatVoice()
VOICES: tuple[Voice, ...] = (MESSAGES, CHAT)
OTHER: Mapping[str, Voice] = {MESSAGES.provider: CHAT, CHAT.provider: MESSAGES}
