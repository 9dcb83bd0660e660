"""Anthropic Messages. Between a client and an upstream that both speak it, bytes pass through (``straight``)."""

from __future__ import annotations

from collections.abc import Mapping

from providers import extra_body
from providers.call import (
    Call,
    ClientDialect,
    Hints,
    Operation,
    StraightLine,
    StreamReader,
    Translated,
    UpstreamRequest,
    Waiting,
)
from providers.chat.guardian import Declared, Guardian
from providers.chat.ports import EventWriter
from providers.chat.request import ChatRequest
from providers.chat.unseen import seen
from providers.dialects.anthropic import checks, guarded, read_request, replies, requests, write_request
from providers.dialects.anthropic.hosts import WebTools
from providers.dialects.anthropic.read_reply import MessageReader
from providers.dialects.anthropic.waiting import MessageWaiting
from providers.dialects.anthropic.write_reply import MessageWriter
from providers.hosting import Hosts
from providers.json_object import JsonObject
from providers.learning import lessons
from providers.quirks import Quirks
from providers.spec import ProviderConfig


class Passing:
    """See ``providers.call.StraightLine``."""

    def fits(self, quirks: Quirks, model: str, thinking: bool) -> bool:
        return True

    def request(self, call: Call, model: str, thinking: bool, config: ProviderConfig, key: str) -> UpstreamRequest:
        return requests.build(call, model, thinking, config, key)

    def reader(self, call: Call) -> StreamReader:
        if call.operation is Operation.COUNT_TOKENS:
            return replies.Count()
        if call.stream:
            return replies.MessageStream(call.model, call.request_id)
        return replies.PassedMessage(call.model)

    def guarded(self, call: Call, token: str) -> tuple[StreamReader, Mapping[str, int]] | None:
        form = (call.body.get("output_config") or {}).get("format")
        guardian = Guardian(Declared(read_request.tools(call.body)), token, bare_json=form is None)
        if call.stream:
            return guarded.GuardedStream(call.model, call.request_id, guardian), guardian.repairs
        return guarded.GuardedMessage(call.model, guardian), guardian.repairs


class AnthropicDialect:
    """See ``providers.call.ClientDialect``."""

    name = "anthropic"
    straight: StraightLine | None = Passing()
    hosts: Hosts | None = WebTools()

    def check(self, body: JsonObject) -> None:
        checks.check(body)

    def read_request(self, body: JsonObject, model: str, thinking: bool) -> ChatRequest:
        return read_request.read(body, model, thinking)

    def write_request(self, request: ChatRequest, config: ProviderConfig, key: str, hints: Hints) -> Translated:
        quirks = config.quirks.of(request.model)
        unshown: list[str] = []
        body, lost = write_request.write(seen(request, quirks, config.images, unshown), quirks)
        lost = (*lost, *unshown, *lessons.forgone(body, request.extra_body, quirks.learned))
        for extra in (config.extra_body, request.extra_body):
            body = extra_body.merged(body, extra)
            lost = (*lost, *extra_body.kept_out(extra))
        body = lessons.without(body, quirks.learned)
        return Translated(requests.translated(body, config, key), MessageReader(), lost)

    def writer(self, call: Call) -> EventWriter:
        return MessageWriter(call.model, call.request_id)

    def waiting(self, call: Call) -> Waiting:
        return MessageWaiting(call)


DIALECT: ClientDialect = AnthropicDialect()
