"""OpenAI Chat Completions, as OpenAI means it and as everybody else does."""

from __future__ import annotations

from collections.abc import Mapping

from providers.addresses import endpoint
from providers.call import Call, ClientDialect, Hints, StraightLine, StreamReader, Translated, UpstreamRequest, Waiting
from providers.chat.ports import EventWriter
from providers.chat.request import ChatRequest
from providers.dialects.openai_chat import checks, read_request, replies, requests, write_request
from providers.dialects.openai_chat.naming import of_model, think_names
from providers.dialects.openai_chat.read_reply import ChatReader
from providers.dialects.openai_chat.think_tags import ThinkTags
from providers.dialects.openai_chat.waiting import ChatWaiting
from providers.dialects.openai_chat.write_reply import ChunkWriter
from providers.headers import own_headers
from providers.hosting import Hosts
from providers.json_object import JsonObject, encode
from providers.quirks import Quirks
from providers.spec import ProviderConfig


class Passing:
    """See ``providers.call.StraightLine``."""

    def fits(self, quirks: Quirks, model: str, thinking: bool) -> bool:
        return thinking and requests.fits(quirks, model)

    def request(self, call: Call, model: str, thinking: bool, config: ProviderConfig, key: str) -> UpstreamRequest:
        return requests.build(call, model, config, key, url(config.base_url, model, config.query))

    def reader(self, call: Call) -> StreamReader:
        return replies.ChunkStream(call) if call.stream else replies.PassedCompletion(call)

    def guarded(self, call: Call, token: str) -> tuple[StreamReader, Mapping[str, int]] | None:
        return None


class OpenAIChatDialect:
    """See ``providers.call.ClientDialect``."""

    name = "openai_chat"
    straight: StraightLine | None = Passing()
    hosts: Hosts | None = None

    def check(self, body: JsonObject) -> None:
        checks.check(body)

    def read_request(self, body: JsonObject, model: str, thinking: bool) -> ChatRequest:
        return read_request.read(body, model, thinking)

    def write_request(self, request: ChatRequest, config: ProviderConfig, key: str, hints: Hints) -> Translated:
        written = write_request.write(request, config)
        headers = own_headers(config, key, "text/event-stream")
        where = url(config.base_url, request.model, config.query)
        sent = UpstreamRequest(where, headers, encode(written.body), config.timeouts)
        hidden = request.reasoning.mode == "off"
        tags = think_tags(request.model, config.quirks.of(request.model), hidden)
        reader = ChatReader(hints.token, config.id, hints.estimate, request.stop, written.names, tags, hidden)
        return Translated(sent, reader, written.lost, written.names)

    def writer(self, call: Call) -> EventWriter:
        return ChunkWriter(call.model, call.received, with_usage=requests.asks_for_usage(call.body))

    def waiting(self, call: Call) -> Waiting:
        return ChatWaiting()


def think_tags(model: str, quirks: Quirks, off: bool) -> ThinkTags:
    """How this model's thoughts are told from its text; one that is told not to think begins with text."""
    known = of_model(model, quirks.think_models)
    unopened = of_model(model, quirks.unopened_models) and not off
    return ThinkTags(think_names(model, quirks), known=known, unopened=unopened)


def url(base: str, model: str = "", query: str = "") -> str:
    return endpoint(base, "/chat/completions", model, query)


DIALECT: ClientDialect = OpenAIChatDialect()
