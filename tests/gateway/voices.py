"""The upstream dialects side by side: the same good and bad answers, each in its own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tests import upstream as messages
from tests.upstream import Answer, ChatUpstream, GeminiUpstream, Reply, Request, ScriptedServer, Step, Upstream, gemini
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

    def tool(self) -> Answer:
        """A call of TOOL."""

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

    def tool(self) -> Answer:
        return messages.message(messages.tool_use(TOOL, ARGUMENTS))

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

    def tool(self) -> Answer:
        return chat.completion(chat.call(TOOL, ARGUMENTS))

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


# What Google calls the kinds of errors; it says in words that a model is busy.
_CODES = {
    "api_error": 500,
    "authentication_error": 401,
    "invalid_request_error": 400,
    "overloaded_error": 503,
    "rate_limit_error": 429,
}
BUSY = "This model is currently experiencing high demand."


@dataclass(frozen=True)
class GeminiVoice:
    """Google in its own words: every answer is translated from a stream, whose end is nothing but its end."""

    provider: str = "gemini"
    model: str = "gemini-3.8-flash"
    always_streams: bool = True
    malformed: bytes = b"data: {\r\n\r\n"
    half_body: bytes = b'{"candidates": [{"content": {"parts": [{"te'
    ping: bytes = b": ping\r\n\r\n"

    def __str__(self) -> str:
        return "gemini"

    def server(self) -> ScriptedServer:
        return GeminiUpstream()

    def environ(self, base: str, keys: Iterable[str]) -> dict[str, str]:
        """As many calls at once as the other rows take: its own takes a free key's few."""
        own = {"GEMINI_BASE_URL": base, "GEMINI_DIALECT": "gemini", "GEMINI_API_KEYS": ",".join(keys)}
        return {**own, "PROVIDER_MAX_CONCURRENCY": "1000"}

    def key(self, request: Request) -> str:
        return request.header("x-goog-api-key") or ""

    def good(self, words: str = GOOD) -> Answer:
        return gemini.answer(gemini.text(words))

    def refusal(self, status: int, kind: str, words: str, headers: Pairs = ()) -> Reply:
        return gemini.error(status, words, headers)

    def stream(self, *parts: bytes | Step) -> Reply:
        return gemini.stream(*parts)

    def tool(self) -> Answer:
        return gemini.answer(gemini.call(TOOL, ARGUMENTS))

    def error_event(self, kind: str, words: str) -> bytes:
        said = f"{words}. {BUSY}" if kind == "overloaded_error" else words
        return gemini.event(gemini.error_body(_CODES[kind], said))

    @property
    def start(self) -> bytes:
        return gemini.chunk({"text": ""}, model=self.model, usage={"promptTokenCount": 21})

    @property
    def half(self) -> tuple[bytes, ...]:
        return (self.start, *(gemini.chunk(part) for part in gemini.text(HALF)))

    @property
    def end(self) -> tuple[bytes, ...]:
        return (gemini.chunk(reason="STOP", usage=gemini.USAGE),)

    @property
    def half_tool(self) -> tuple[bytes, ...]:
        """Calls come in one piece."""
        return self.whole_tool

    @property
    def whole_tool(self) -> tuple[bytes, ...]:
        return (*(gemini.chunk(part) for part in gemini.call(TOOL, ARGUMENTS, "8f2b1a3c")), self.ping, self.ping)


MESSAGES = MessagesVoice()
CHAT = ChatVoice()
GEMINI = GeminiVoice()
VOICES: tuple[Voice, ...] = (MESSAGES, CHAT, GEMINI)
OTHER: Mapping[str, Voice] = {MESSAGES.provider: CHAT, CHAT.provider: MESSAGES, GEMINI.provider: MESSAGES}
