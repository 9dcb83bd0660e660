"""The official SDKs as clients: what they make of the bytes that a writer emits, over real HTTP on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import anthropic
import openai

from providers.chat.fold import WholeMessage
from tests.providers.dialects.conformance import kit
from tests.upstream import SSE, Head, Reply, ScriptedServer, Send


@dataclass(frozen=True)
class Heard:
    """What a client heard. ``calls`` are (id, name, arguments); ``usage`` is (prompt with cache, output)."""

    model: str
    text: str
    thinking: str
    calls: tuple[tuple[str, str, Any], ...]
    stop: str
    usage: tuple[int, int]


class Client(Protocol):
    """One official SDK, accumulating a stream and reading a whole answer."""

    def streamed(self, body: bytes) -> Heard: ...

    def whole(self, body: bytes) -> Heard: ...

    def expected(self, message: WholeMessage) -> Heard:
        """What this SDK should hear of an answer; a stop is in its dialect's words."""

    def close(self) -> None: ...


def _play(server: ScriptedServer, body: bytes, kind: str) -> None:
    headers = SSE if kind == "sse" else (("content-type", "application/json"),)
    server.script(Reply((Head(200, headers), Send(body))))


def _joined(message: WholeMessage, *kinds: str) -> str:
    return "".join(block.text for block in message.blocks if block.kind in kinds)


def _text(message: WholeMessage) -> str:
    """What is said, a refusal too."""
    return _joined(message, "text", "refusal")


def _stop(message: WholeMessage, words: Mapping[str, str], usual: str) -> str:
    """Why it ended, in OpenAI's words: a model that refuses in words of its own has answered."""
    return usual if _joined(message, "refusal") else words.get(str(message.stop), usual)


def _calls(message: WholeMessage) -> tuple[tuple[str, str, Any], ...]:
    blocks = [block for block in message.blocks if block.kind == "tool_use"]
    return tuple((block.id, block.name, kit.parsed(block.text)) for block in blocks)


def _prompt(message: WholeMessage) -> int:
    usage = message.usage
    return usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens


class AnthropicClient:
    """anthropic 2.x: ``messages.stream`` and ``messages.create``."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._client = anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0)

    def streamed(self, body: bytes) -> Heard:
        _play(self._server, body, "sse")
        with self._client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
            return self._heard(stream.get_final_message())

    def whole(self, body: bytes) -> Heard:
        _play(self._server, body, "json")
        return self._heard(self._client.messages.create(model="m", max_tokens=9, messages=[]))

    def close(self) -> None:
        self._client.close()

    def _heard(self, message: Any) -> Heard:
        text, thinking, calls = "", "", []
        for block in message.content:
            match block.type:
                case "text":
                    text += block.text
                case "thinking":
                    thinking += block.thinking
                    assert block.signature
                case "tool_use":
                    calls.append((block.id, block.name, block.input))
        usage = message.usage
        prompt = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
        return Heard(message.model, text, thinking, tuple(calls), message.stop_reason, (prompt, usage.output_tokens))

    def expected(self, message: WholeMessage) -> Heard:
        counts = (_prompt(message), message.usage.output_tokens)
        thinking = _joined(message, "thinking")
        return Heard(kit.ASKED, _text(message), thinking, _calls(message), str(message.stop), counts)


_REASONS = {"max_tokens": "length", "tool_use": "tool_calls", "refusal": "content_filter"}


class OpenAIClient:
    """openai 3.x: ``chat.completions.stream`` and ``chat.completions.create``."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)

    def streamed(self, body: bytes) -> Heard:
        _play(self._server, body, "sse")
        with self._client.chat.completions.stream(model="m", messages=[]) as stream:
            for _ in stream:
                pass
            return self._heard(stream.current_completion_snapshot)

    def whole(self, body: bytes) -> Heard:
        _play(self._server, body, "json")
        return self._heard(self._client.chat.completions.create(model="m", messages=[]))

    def close(self) -> None:
        self._client.close()

    def _heard(self, completion: Any) -> Heard:
        (choice,) = completion.choices
        message = choice.message
        named = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]
        calls = tuple((identity, name, json.loads(arguments)) for identity, name, arguments in named)
        thinking = getattr(message, "reasoning_content", None) or ""
        counts = (completion.usage.prompt_tokens, completion.usage.completion_tokens)
        said = (message.content or "") + (message.refusal or "")
        return Heard(completion.model, said, thinking, calls, choice.finish_reason, counts)

    def expected(self, message: WholeMessage) -> Heard:
        counts = (_prompt(message), message.usage.output_tokens)
        stop = _stop(message, _REASONS, "stop")
        thinking = _joined(message, "thinking")
        why = (message.details or {}).get("explanation") or ""
        return Heard(kit.ASKED, _text(message) + why, thinking, _calls(message), stop, counts)


class ResponsesClient:
    """openai 3.x: ``responses.stream`` and ``responses.create``."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)

    def streamed(self, body: bytes) -> Heard:
        _play(self._server, body, "sse")
        with self._client.responses.stream(model="m", input="x") as stream:
            *before, last = list(stream)
        assert [event.sequence_number for event in before] == list(range(len(before)))
        assert last.type in ("response.completed", "response.incomplete")
        return self._heard(last.response)

    def whole(self, body: bytes) -> Heard:
        _play(self._server, body, "json")
        return self._heard(self._client.responses.create(model="m", input="x"))

    def close(self) -> None:
        self._client.close()

    def _heard(self, response: Any) -> Heard:
        said, thinking, calls = "", "", []
        for item in response.output:
            match item.type:
                case "message":
                    said += "".join(part.refusal if part.type == "refusal" else part.text for part in item.content)
                case "reasoning":
                    thinking += "".join(part.text for part in item.summary)
                    assert item.encrypted_content.startswith("keyturn:")
                case "function_call":
                    calls.append((item.call_id, item.name, json.loads(item.arguments)))
        stop = response.incomplete_details.reason if response.incomplete_details else response.status
        counts = (response.usage.input_tokens, response.usage.output_tokens)
        return Heard(response.model, said, thinking, tuple(calls), stop, counts)

    def expected(self, message: WholeMessage) -> Heard:
        counts = (_prompt(message), message.usage.output_tokens)
        stop = _stop(message, _CUT_SHORT, "completed")
        thinking = _joined(message, "thinking")
        return Heard(kit.ASKED, _text(message), thinking, _calls(message), stop, counts)


_CUT_SHORT = {"max_tokens": "max_output_tokens", "refusal": "content_filter"}

CLIENTS: Mapping[str, Callable[[ScriptedServer], Client]] = {
    "anthropic": AnthropicClient,
    "openai_chat": OpenAIClient,
    "openai_responses": ResponsesClient,
}
