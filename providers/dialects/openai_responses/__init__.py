"""OpenAI Responses, served without its store: every request brings the whole conversation."""

from __future__ import annotations

from providers.addresses import endpoint
from providers.call import Call, ClientDialect, Hints, StraightLine, Translated, UpstreamRequest, Waiting
from providers.chat.ports import EventWriter
from providers.chat.request import ChatRequest
from providers.dialects.openai_chat.waiting import ChatWaiting
from providers.dialects.openai_responses import checks, read_request, write_request
from providers.dialects.openai_responses.hosts import WebSearch
from providers.dialects.openai_responses.read_reply import ResponseReader
from providers.dialects.openai_responses.write_reply import ResponseWriter
from providers.headers import own_headers
from providers.hosting import Hosts
from providers.json_object import JsonObject, encode
from providers.spec import ProviderConfig


class OpenAIResponsesDialect:
    """See ``providers.call.ClientDialect``."""

    name = "openai_responses"
    straight: StraightLine | None = None  # what one provider sealed would reach another
    hosts: Hosts | None = WebSearch()

    def check(self, body: JsonObject) -> None:
        checks.check(body)

    def read_request(self, body: JsonObject, model: str, thinking: bool) -> ChatRequest:
        return read_request.read(body, model, thinking)

    def write_request(self, request: ChatRequest, config: ProviderConfig, key: str, hints: Hints) -> Translated:
        written = write_request.write(request, config)
        headers = own_headers(config, key, "text/event-stream")
        where = url(config.base_url, request.model, config.query)
        sent = UpstreamRequest(where, headers, encode(written.body), config.timeouts)
        return Translated(sent, ResponseReader(hints.token, config.id, hints.estimate, written.names), written.lost)

    def writer(self, call: Call) -> EventWriter:
        return ResponseWriter(call)

    def waiting(self, call: Call) -> Waiting:
        return ChatWaiting()


def url(base: str, model: str = "", query: str = "") -> str:
    return endpoint(base, "/responses", model, query)


DIALECT: ClientDialect = OpenAIResponsesDialect()
