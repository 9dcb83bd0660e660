"""Anthropic Messages: the straight line. What a client sends and what an upstream answers pass through as bytes."""

from __future__ import annotations

from providers.call import Call, Dialect, StreamReader, UpstreamRequest, Whole
from providers.dialects.anthropic import checks, replies, requests
from providers.json_object import JsonObject
from providers.spec import ProviderConfig


class AnthropicDialect:
    """See ``providers.call.Dialect``."""

    name = "anthropic"

    def check(self, body: JsonObject) -> None:
        checks.check(body)

    def request(self, call: Call, model: str, thinking: bool, config: ProviderConfig, key: str) -> UpstreamRequest:
        return requests.build(call, model, thinking, config, key)

    def stream(self, echo: str) -> StreamReader:
        return replies.MessageStream(echo)

    def whole(self, body: bytes, echo: str) -> Whole:
        return replies.whole(body, echo)


DIALECT: Dialect = AnthropicDialect()
