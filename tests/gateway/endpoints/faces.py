"""A gateway in front of scripted upstreams of every dialect, and one answer that all of them can give.

Chat Completions is there twice: ``openai_chat`` is a provider of the operator's, to which a client of that dialect
passes straight through, and ``openai_row`` is the catalog's OpenAI, whose quirks go through the neutral language.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import openai

from tests.serving import TOKEN, Gateway, serving
from tests.upstream import Cut, Pause, ScriptedServer, Signal, json_reply
from tests.upstream import anthropic as messages
from tests.upstream import openai_chat as chat
from tests.upstream import openai_responses as responses
from tests.upstream.reply import Answer, Reply

Json = dict[str, Any]
UPSTREAMS = {
    "anthropic": "anthropic/claude-sonnet-5",
    "openai_chat": "house/gpt-5",
    "openai_row": "openai/gpt-5",
    "openai_responses": "resp/gpt-5",
}
PATHS = {
    "anthropic": "/v1/messages",
    "openai_chat": "/v1/chat/completions",
    "openai_row": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
}
CHAT = ("openai_chat", "openai_row")
TOML = """
[[providers]]
name = "resp"
type = "openai_responses"
base_url = "{responses}/v1"
api_key = "sk-resp"

[[providers]]
name = "house"
type = "openai"
base_url = "{chat}/v1"
api_key = "sk-house"
"""


@dataclass(frozen=True)
class Said:
    """An answer, whatever the dialect. ``calls`` are (name, arguments, id), ``refusal`` is of OpenAI's two only."""

    text: str = ""
    thinking: str = ""
    calls: tuple[tuple[str, Mapping[str, Any], str], ...] = field(default=())
    refusal: str = ""

    def answer(self, dialect: str) -> Answer:
        if dialect == "anthropic":
            return messages.message(*self._blocks(), usage={"input_tokens": 16, "cache_read_input_tokens": 5})
        return chat.completion(*self._parts()) if dialect in CHAT else responses.response(*self._items())

    def half(self, dialect: str, seen: Signal) -> Reply:
        """A stream that is cut after the first piece of its text, once ``seen`` is set."""
        cut = (Pause(seen), Cut())
        if dialect == "anthropic":
            begun = [messages.message_start("m"), *messages.block(0, messages.text(self.text))[:2]]
            return messages.stream(*begun, *cut)
        if dialect in CHAT:
            return chat.stream(*chat.frames("m", [chat.text(self.text)])[:2], *cut)
        return responses.stream(*responses.frames("m", [responses.text(self.text)])[:5], *cut)

    def _blocks(self) -> Iterable[messages.Block]:
        yield from ([messages.thinking(self.thinking, "c2ln")] if self.thinking else [])
        yield from ([messages.text(self.text)] if self.text else [])
        yield from (messages.tool_use(*call) for call in self.calls)

    def _parts(self) -> Iterable[chat.Part]:
        yield from ([chat.reasoning(self.thinking)] if self.thinking else [])
        yield from ([chat.text(self.text)] if self.text else [])
        yield from ([chat.refusal(self.refusal)] if self.refusal else [])
        yield from (chat.call(*call) for call in self.calls)

    def _items(self) -> Iterable[responses.Item]:
        yield from ([responses.reasoning(self.thinking)] if self.thinking else [])
        yield from ([responses.text(self.text)] if self.text else [])
        yield from ([responses.refusal(self.refusal)] if self.refusal else [])
        yield from (responses.call(*call) for call in self.calls)


def refusal(dialect: str, status: int, words: str) -> Reply:
    """An upstream's error."""
    inner = {"message": words, "type": "invalid_request_error", "param": None, "code": None}
    if dialect == "anthropic":
        return json_reply({"type": "error", "error": {"type": "invalid_request_error", "message": words}}, status)
    return json_reply({"error": inner}, status)


@dataclass(frozen=True)
class Faces:
    """The gateway, and its upstreams by dialect."""

    gateway: Gateway
    upstreams: Mapping[str, ScriptedServer]

    @asynccontextmanager
    async def sdk(self, dialect: str) -> AsyncIterator[openai.AsyncOpenAI]:
        """OpenAI's client, pinned to the upstream of this dialect."""
        key = f"{TOKEN}:{UPSTREAMS[dialect]}"
        async with openai.AsyncOpenAI(base_url=f"{self.gateway.url}/v1", api_key=key, max_retries=0) as client:
            yield client

    @asynccontextmanager
    async def messages(self, dialect: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
        """Anthropic's client, pinned likewise."""
        key = f"{TOKEN}:{UPSTREAMS[dialect]}"
        async with anthropic.AsyncAnthropic(base_url=self.gateway.url, api_key=key, max_retries=0) as client:
            yield client

    def asked(self, dialect: str, number: int = -1) -> Json:
        """The body of a request that reached the upstream."""
        body: Json = self.upstreams[dialect].posts(PATHS[dialect])[number].json
        return body


@asynccontextmanager
async def faces(home: Path) -> AsyncIterator[Faces]:
    async with AsyncExitStack() as stack:
        upstreams = {name: await stack.enter_async_context(ScriptedServer()) for name in UPSTREAMS}
        urls = {"responses": upstreams["openai_responses"].url, "chat": upstreams["openai_chat"].url}
        (home / "keyturn.toml").write_text(TOML.format(**urls))
        environ = {
            "ANTHROPIC_UPSTREAM_API_KEY": "sk-messages",
            "ANTHROPIC_UPSTREAM_BASE_URL": upstreams["anthropic"].url,
            "OPENAI_API_KEY": "sk-chat",
            "OPENAI_BASE_URL": f"{upstreams['openai_row'].url}/v1",
            "MODEL": UPSTREAMS["openai_chat"],
            "PROVIDER_MAX_RETRIES": "0",
            "ANTHROPIC_AUTH_TOKEN": TOKEN,
        }
        gateway = await stack.enter_async_context(serving(home, environ))
        yield Faces(gateway, upstreams)
